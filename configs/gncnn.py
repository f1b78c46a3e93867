"""GNCNN (Qian, Dong, Wang, Tan, "Deep learning for steganalysis via convolutional neural networks",
2015): cover or stego?

    python main.py --config=configs/gncnn.py                    trains on bundled photographs
    python main.py --config=configs/gncnn.py --mode=evaluate    tests on more held-out pairs
    python main.py --config=configs/gncnn.py:help               lists the presets

`tiny` takes under a minute. `paper` and `curriculum` read the folder bossbase of 512x512 pictures
(--config.data.source=folder:DIR) and resize them; a hash of the name sends half of them to
training. `pairs` reads ready-made stegos, --config.data.covers=DIR --config.data.stegos=DIR: two
folders whose files pair by name, or two NumPy files [N, H, W] with --config.data.parts=FILE.json
saying which are for training and which for validation. `laptop` reads a folder of photographs
(--config.data.source=folder:DIR); it is Xu-Net's recipe, and nobody has trained this network with
it yet.

For these pictures and schemes no figures are at hand. Accuracy is 1 - P_E, at the best of the
evaluations. Measured with the default: .90 on 64 held-out pairs (crops of four photographs) at step
300, .90 on 256 with --mode=evaluate; 176 s in all on two busy cores.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    **sections.STEGANALYZER_PAPER,
    "batch_size": 64,
    "steps": 0,
    "epochs": 300.0,
    "evaluation.refresh_batches": 0,
    "report.batches": 78,
}

PRESETS = {
    "": (
        "132x132 crops of the bundled photographs, LSB matching at 1 bpp: two to three minutes",
        {},
    ),
    "tiny": (
        "a thin network, a few steps, for tests",
        {
            **sections.STEGANALYZER_TINY,
            "method.width": 0.5,
            "data.crop": 132,
            "evaluation.refresh_batches": 0,
        },
    ),
    "laptop": (
        "a folder of photographs shrunk by 1.5, 132x132 crops, HILL at 0.4 bpp; not measured",
        {**sections.STEGANALYZER_LAPTOP, "data.crop": 132, "evaluation.refresh_batches": 0},
    ),
    "paper": ("256x256, HILL at 0.4 bpp, 300 epochs (our choice) of 64 pairs with Adamax", PAPER),
    "curriculum": (
        "paper, for 0.2 bpp: 11,700 steps at 0.4 bpp, then 11,700 at 0.2",
        {**PAPER, **sections.curriculum((0.4, 11_700), (0.2, 11_700))},
    ),
    "pairs": ("paper, with ready-made stegos", {**PAPER, **sections.READY_MADE_STEGOS}),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.steganalyzer(
        "gncnn",
        batch_size=8,
        steps=600,
        crop=132,
        width=1.0,
        # The recipe's optimiser and rate.
        optimizer=dict(name="adamax", learning_rate=1e-3),
        batches=8,
        refresh=0,
    )
    return presets.choose(c, PRESETS, preset)
