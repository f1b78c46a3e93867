"""SteganoGAN (Zhang et al., "SteganoGAN: high capacity image steganography with GANs", 2019): D
bits in every colour pixel.

    python main.py --config=configs/steganogan.py                  trains on bundled photographs
    python main.py --config=configs/steganogan.py --mode=evaluate
    python main.py --config=configs/steganogan.py:help             lists the presets

The default is fine-tuned by SFTN's separable stage and takes two minutes on one core. Measured at
the end, on 16 held-out crops of 64x64: .9825 of the bits right unrounded, .9823 rounded, .9840
after the second stage, 35.6 dB. `tiny` takes under a minute.

Every preset of the paper's scale reads the folder div2k (--config.data.source=folder:DIR) and has
no separable stage; `small_` before its name (small_basic1, small_dense4) is the experiment at the
default's scale.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    **sections.bits_paper("folder:div2k", crop=360, every=1000, batches=25),
    "batch_size": 4,
    "data.augment": ("random_flip",),
    "method.width": 1.0,
    "method.steganalyzer_width": 1.0,
    "method.first_cover_weight": 1.0,
    "method.joint_choice": "",
    "method.stage_lengths": (0, 32, 0),
    "method.optimizer": dict(name="adam", learning_rate=1e-4),
}

EXPERIMENTS = {
    f"{kind}{depth}": (
        f"the paper's table: {kind} networks, {depth} bits per pixel",
        {"method.kind": kind, "method.depth": depth},
    )
    for kind in ("basic", "residual", "dense")
    for depth in (1, 2, 3, 4, 5, 6)
}

PRESETS = {
    "": ("dense networks, 1 bit per pixel, 32x32 crops of the bundled photographs, 1000 steps", {}),
    "tiny": (
        "a quarter of the channels, a few steps, for tests",
        {**sections.BITS_TINY, "method.width": 0.25, "method.steganalyzer_width": 0.25},
    ),
    "laptop": (
        "32x32 crops of a folder of photographs, 8000 steps",
        {**sections.BITS_LAPTOP, "method.optimizer.learning_rate": 1e-3},
    ),
    "paper": ("random 360x360 crops of DIV2K, batch 4, 32 epochs, as dense1", PAPER),
    **presets.at_scale(EXPERIMENTS, PAPER),
    **presets.small(EXPERIMENTS),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.bit_hider(colour=True)
    c.method = dict(
        sections.JOINT_TRAINING,
        name="steganogan",
        kind="dense",
        depth=1,
        width=0.5,
        steganalyzer_width=0.5,
        steganalyzer_limit=0.1,
        message_weight=1.0,
        cover_weight=100.0,
        adversarial_weight=1.0,
        stage_lengths=(300, 300, 400),
        optimizer=dict(
            name="adam", learning_rate=1e-3, factor=0.5, every=100.0, after=300.0, unit="steps"
        ),
        steganalyzer_optimizer=dict(name="adam", learning_rate=1e-4),
        image_decoder_optimizer=dict(
            name="adam", learning_rate=1e-3, factor=0.5, every=100.0, unit="steps"
        ),
    )
    return presets.choose(c, PRESETS, preset)
