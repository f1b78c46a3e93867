"""Ye-Net (Ye, Ni, Yi, "Deep learning hierarchical representations for image steganalysis", 2017):
cover or stego?

    python main.py --config=configs/yenet.py                    trains on bundled photographs
    python main.py --config=configs/yenet.py --mode=evaluate    tests on more held-out pairs
    python main.py --config=configs/yenet.py:help               lists the presets

`tiny` takes under a minute. `paper` and `curriculum` read the folder bossbase of 512x512 pictures
(--config.data.source=folder:DIR) and resize them; a hash of the name sends half of them to
training. `pairs` reads ready-made stegos, --config.data.covers=DIR --config.data.stegos=DIR: two
folders whose files pair by name, or two NumPy files [N, H, W] with --config.data.parts=FILE.json
saying which are for training and which for validation. `laptop` reads a folder of photographs
(--config.data.source=folder:DIR); it is Xu-Net's recipe, and nobody has trained this network with
it yet.

For these pictures and schemes no figures are at hand. Accuracy is 1 - P_E, at the best of the
evaluations. Measured with the default: not learned, .50 and .59 on 32 held-out pairs at steps 150
and 300, with .56 before the first step and a loss that stays at log 2.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    **sections.STEGANALYZER_PAPER,
    "batch_size": 16,
    "steps": 0,
    "epochs": 300.0,
    "evaluation.refresh_batches": 0,
    "report.batches": 312,
}

PRESETS = {
    "": (
        "160x160 crops of the bundled photographs, LSB matching at 1.5 bpp: about four minutes",
        {},
    ),
    "tiny": (
        "a thin network, a few steps, for tests",
        {
            **sections.STEGANALYZER_TINY,
            "method.width": 0.25,
            "data.crop": 160,
            "evaluation.refresh_batches": 0,
        },
    ),
    "laptop": (
        "a folder of photographs shrunk by 1.5, 160x160 crops, HILL at 0.4 bpp; not measured",
        {**sections.STEGANALYZER_LAPTOP, "data.crop": 160, "evaluation.refresh_batches": 0},
    ),
    "paper": ("256x256, HILL at 0.4 bpp, 300 epochs (our choice) of 16 pairs with Adadelta", PAPER),
    "curriculum": (
        "paper, for 0.2 bpp: 46,800 steps at 0.4 bpp, then 46,800 at 0.2",
        {**PAPER, **sections.curriculum((0.4, 46_800), (0.2, 46_800))},
    ),
    "pairs": ("paper, with ready-made stegos", {**PAPER, **sections.READY_MADE_STEGOS}),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.steganalyzer(
        "yenet",
        batch_size=4,
        steps=300,
        crop=160,
        width=0.25,
        # The recipe's optimiser. Adam at 3e-4 and Adamax at 1e-3 were at chance too,
        # after 200 and 250 steps.
        optimizer=dict(name="adadelta", learning_rate=0.4, rho=0.95, eps=1e-8, weight_decay=5e-4),
        payload=1.5,
        batches=8,
        refresh=0,
    )
    return presets.choose(c, PRESETS, preset)
