"""HayesGAN (Hayes and Danezis, "Generating steganographic images via adversarial training", 2017):
Alice, Bob and Eve.

    python main.py --config=configs/hayesgan.py                  trains on bundled photographs
    python main.py --config=configs/hayesgan.py --mode=evaluate
    python main.py --config=configs/hayesgan.py:help             lists the presets

In the default Bob is fine-tuned by SFTN's separable stage; it takes six minutes on a crowded
machine. Measured at the end, on 256 held-out crops: all bits right, rounded or not, at 18.1 dB and
SSIM .22, since Alice paints the picture anew from 512 numbers. `tiny` takes under a minute.

`paper` and `size64` have no separable stage, and read the folder celeba of CelebA's aligned faces,
of which the paper takes one in a hundred (--config.data.source=folder:DIR).
"""

from ml_collections import ConfigDict

from configs import presets, sections


def paper(size: int) -> dict:
    """Changes for 100 bits in faces of a size, without a separable stage."""
    return {
        **sections.bits_paper(
            "folder:celeba",
            crop=size,
            every=1000,
            batches=5,
            preprocess=("centre_crop:178", f"resize:{size}"),
        ),
        "batch_size": 32,
        "method.length": 100,
        "method.adversarial_weight": 0.1,
        "method.width": 1.0,
        "method.steganalyzer_width": 1.0,
        "method.first_cover_weight": 1.0,
        "method.joint_choice": "",
        "method.stage_lengths": (0, 500, 0),
        "method.optimizer": dict(name="adam", learning_rate=2e-4),
        "method.steganalyzer_optimizer": dict(name="adam", learning_rate=2e-4),
    }


PRESETS = {
    "": ("16 bits in 32x32 crops of the bundled photographs, half the channels, 900 steps", {}),
    "tiny": (
        "a quarter of the channels, a few steps, for tests",
        {
            **sections.BITS_TINY,
            "method.width": 0.25,
            "method.steganalyzer_width": 0.25,
            "method.stage_lengths": (0, 6, 4),
        },
    ),
    "paper": ("100 bits in 32x32 faces, batch 32, 500 epochs", paper(32)),
    "size64": ("the same in 64x64 faces", paper(64)),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.bit_hider(batch_size=32, colour=True, crop=32, batches=8, report_batches=32)
    c.method = dict(
        sections.JOINT_TRAINING,
        name="hayesgan",
        length=16,
        width=0.5,
        steganalyzer_width=0.5,
        message_weight=0.6,
        cover_weight=0.3,
        adversarial_weight=0.005,
        first_cover_weight=0.01,
        stage_lengths=(400, 300, 200),
        optimizer=dict(
            name="adam", learning_rate=5e-4, factor=0.5, every=100.0, after=500.0, unit="steps"
        ),
        steganalyzer_optimizer=dict(name="adam", learning_rate=1e-4),
        image_decoder_optimizer=dict(
            name="adam", learning_rate=1e-3, factor=0.5, every=100.0, unit="steps"
        ),
    )
    return presets.choose(c, PRESETS, preset)
