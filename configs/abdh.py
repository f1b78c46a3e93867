"""ABDH-like (after Yu, "Attention based data hiding with generative adversarial networks", AAAI
2020): a stego made anew under an attention mask; its sources are silent on much, so its figures are
those of a system like it.

    python main.py --config=configs/abdh.py                  trains on bundled photographs
    python main.py --config=configs/abdh.py --mode=evaluate
    python main.py --config=configs/abdh.py:help             lists the presets

The default takes two minutes on one core. Measured at the end, on 16 held-out crops of 64x64: .6399
of the bits right unrounded, .6398 rounded, .6516 after the second stage, 20.8 dB. `tiny` takes
under a minute.

As SFTN compares it (Table III there, quality factor 50): .9254 of the bits right unrounded, .5134
rounded, .5192 after the second stage, 17.38 dB.

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
    "method.steganalyzer_width": 1.0,
    "method.blocks": 9,
    "method.adversarial_weight": 1.0,
    "method.stage_lengths": (1, 9, 40),
    "method.optimizer": dict(name="adam", learning_rate=1e-3, b1=0.5, factor=0.1, every=10.0),
    "method.image_decoder_optimizer": dict(
        name="adam", learning_rate=1e-3, b1=0.5, factor=0.1, every=10.0
    ),
}

QUALITIES = {
    "qf50": ("Table III: quality factor 50, as paper", {"data.preprocess": ("jpeg:50",)}),
    "qf70": ("Table III: quality factor 70", {"data.preprocess": ("jpeg:70",)}),
    "qf90": ("Table III: quality factor 90", {"data.preprocess": ("jpeg:90",)}),
}

PRESETS = {
    "": (
        "32x32 crops of the bundled photographs, an eighth of the channels, one residual block",
        {},
    ),
    "tiny": (
        "hardly any channels, a few steps, for tests",
        {**sections.BITS_TINY, "method.width": 0.0625, "method.steganalyzer_width": 0.0625},
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
        name="abdh",
        width=0.125,
        steganalyzer_width=0.125,
        blocks=1,
        inconsistency_weight=0.1,
        message_weight=10.0,
        cover_weight=10.0,
        adversarial_weight=0.1,
        stage_lengths=(250, 200, 150),
        optimizer=dict(
            name="adam",
            learning_rate=2e-3,
            b1=0.5,
            factor=0.5,
            every=100.0,
            after=250.0,
            unit="steps",
        ),
        steganalyzer_optimizer=dict(name="adam", learning_rate=1e-4, b1=0.5),
        image_decoder_optimizer=dict(
            name="adam", learning_rate=1e-3, b1=0.5, factor=0.5, every=100.0, unit="steps"
        ),
    )
    return presets.choose(c, PRESETS, preset)
