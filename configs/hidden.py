"""HiDDeN (Zhu et al., "HiDDeN: hiding data with deep networks", 2018): a message that survives
damage to its picture.

    python main.py --config=configs/hidden.py                  trains on bundled photographs
    python main.py --config=configs/hidden.py --mode=evaluate     the accuracy under each noise too
    python main.py --config=configs/hidden.py:help             lists the presets

The default is a beginning, its decoder fine-tuned by SFTN's separable stage: two minutes on one
core. Measured at the end, on 64 held-out crops: .7047 of the bits right unrounded, .6953 rounded,
.7109 after the second stage, 23.5 dB. `tiny` takes under a minute.

Every preset of the paper's scale reads the folder coco (--config.data.source=folder:DIR) and has no
separable stage; `small_` before its name (small_dropout, small_combined) is the experiment at the
default's scale.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    **sections.bits_paper(
        "folder:coco", crop=128, every=1000, batches=84, preprocess=("resize:256",)
    ),
    "batch_size": 12,
    "method.length": 30,
    "method.width": 1.0,
    "method.steganalyzer_width": 1.0,
    "method.first_cover_weight": 1.0,
    "method.joint_choice": "",
    "method.stage_lengths": (0, 200, 0),
    "method.optimizer": dict(name="adam", learning_rate=1e-3),
}

NOISES = {
    "identity": ("trained to survive nothing", ("identity",)),
    "dropout": ("trained to survive dropout", ("dropout:0.3",)),
    "cropout": ("trained to survive cropout", ("cropout:0.3",)),
    "crop": ("trained to survive cropping", ("crop:0.035",)),
    "gaussian": ("trained to survive a Gaussian blur", ("gaussian_blur:2.0",)),
    "jpeg_mask": ("trained to survive a mask of high frequencies", ("jpeg_mask",)),
    "jpeg_drop": ("trained to survive dropped frequencies", ("jpeg_drop:50",)),
}
ALL_NOISES = tuple(noise for _, noises in NOISES.values() for noise in noises)

EXPERIMENTS = {
    **{name: (line, {"method.noise": noises}) for name, (line, noises) in NOISES.items()},
    "combined": (
        "trained to survive each of them, one in every step",
        {"method.noise": ALL_NOISES},
    ),
}
"""The paper's models: what each is trained to survive."""

PRESETS = {
    "": ("10 bits in 32x32 crops of the bundled photographs, a quarter of the channels", {}),
    "tiny": (
        "hardly any channels, a few steps, for tests",
        {
            **sections.BITS_TINY,
            "method.width": 0.125,
            "method.steganalyzer_width": 0.125,
            "method.length": 8,
            "method.noise": ("dropout:0.3", "jpeg_mask"),
        },
    ),
    "paper": ("30 bits in 128x128 crops of COCO, batch 12, 200 epochs, no noise", PAPER),
    **presets.at_scale(EXPERIMENTS, PAPER),
    **presets.small(EXPERIMENTS),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.bit_hider(colour=True, crop=32, batches=8, report_batches=32)
    c.method = dict(
        {**sections.JOINT_TRAINING, "noise": ("identity",)},
        name="hidden",
        length=10,
        width=0.25,
        steganalyzer_width=0.25,
        message_weight=1.0,
        cover_weight=0.7,
        adversarial_weight=0.001,
        stage_lengths=(400, 400, 200),
        optimizer=dict(
            name="adam", learning_rate=4e-3, factor=0.5, every=100.0, after=400.0, unit="steps"
        ),
        steganalyzer_optimizer=dict(name="adam", learning_rate=1e-3),
        image_decoder_optimizer=dict(
            name="adam", learning_rate=1e-3, factor=0.5, every=100.0, unit="steps"
        ),
    )
    return presets.choose(c, PRESETS, preset)
