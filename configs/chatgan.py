"""CHAT-GAN-like (after Tan et al. 2021): SFTN's training of an encoder and a decoder with channel
attention; its sources are silent on much, so its figures are those of a system like it.

    python main.py --config=configs/chatgan.py                  trains on bundled photographs
    python main.py --config=configs/chatgan.py --mode=evaluate
    python main.py --config=configs/chatgan.py:help             lists the presets

The default takes two minutes on one core. Measured at the end, on 16 held-out crops of 64x64: .8683
of the bits right unrounded, .8674 rounded, .8704 after the second stage, 37.2 dB. `tiny` takes
under a minute.

As SFTN compares it (Table III there, quality factor 50): .9507 of the bits right unrounded, .9317
rounded, .9407 after the second stage, 40.13 dB.

Every preset of the paper's scale reads the folder bossbase of 512x512 pictures
(--config.data.source=folder:DIR); `small_` before its name (small_qf50) is the experiment at the
default's scale.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    # An evaluation once an epoch, on all pictures for choosing, about half of 1,000.
    **sections.bits_paper(
        "folder:bossbase", crop=512, every=1125, batches=63, preprocess=("jpeg:50",)
    ),
    "report.bits.cross_source": "folder:bows2",
    "method.width": 1.0,
    "method.stage_lengths": (1, 9, 40),
    "method.optimizer": dict(name="adam", learning_rate=1e-3, factor=0.1, every=10.0),
    "method.image_decoder_optimizer": dict(name="adam", learning_rate=1e-3, factor=0.1, every=10.0),
}

QUALITIES = {
    "qf50": ("Table III: quality factor 50, as paper", {"data.preprocess": ("jpeg:50",)}),
    "qf70": ("Table III: quality factor 70", {"data.preprocess": ("jpeg:70",)}),
    "qf90": ("Table III: quality factor 90", {"data.preprocess": ("jpeg:90",)}),
}

PRESETS = {
    "": ("32x32 crops of the bundled photographs, half the channels, 1000 steps", {}),
    "tiny": (
        "a quarter of the channels, a few steps, for tests",
        {**sections.BITS_TINY, "method.width": 0.25, "method.steganalyzer_width": 0.25},
    ),
    "paper": ("512x512 of quality factor 50, batch 8, 10 joint epochs and 40 separable", PAPER),
    **presets.at_scale(QUALITIES, PAPER),
    **presets.small(QUALITIES),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.bit_hider(colour=False)
    c.method = dict(
        sections.JOINT_TRAINING,
        name="chatgan",
        width=0.5,
        steganalyzer_width=1.0,
        limit=25.5,
        message_weight=100.0,
        cover_weight=1.0,
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
