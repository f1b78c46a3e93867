"""Yedroudj-Net (Yedroudj, Comby, Chaumont, "Yedroudj-Net: an efficient CNN for spatial
steganalysis", 2018): cover or stego?

    python main.py --config=configs/yedroudjnet.py                    trains on bundled photographs
    python main.py --config=configs/yedroudjnet.py --mode=evaluate    tests on more held-out pairs
    python main.py --config=configs/yedroudjnet.py:help               lists the presets

`tiny` takes under a minute. `paper` and `curriculum` read the folder bossbase of 512x512 pictures
(--config.data.source=folder:DIR) and resize them; a hash of the name sends half of them to
training. `pairs` reads ready-made stegos, --config.data.covers=DIR --config.data.stegos=DIR: two
folders whose files pair by name, or two NumPy files [N, H, W] with --config.data.parts=FILE.json
saying which are for training and which for validation. `laptop` reads a folder of photographs
(--config.data.source=folder:DIR); it is Xu-Net's recipe, and nobody has trained this network with
it yet.

Expected P_E, with 5000 pairs for training (Table 1 of the asymmetric-cost paper): 20.0 % for HILL,
17.6 % for S-UNIWARD and 14.0 % for WOW at 0.4 bpp; 29.8, 31.2 and 23.6 % at 0.2. Accuracy is 1 -
P_E, at the best of the evaluations. Measured with the default: .71 on 128 held-out pairs (crops of
four photographs) at step 600, .70 on 512 with --mode=evaluate; 130 s in all on two busy cores.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    **sections.STEGANALYZER_PAPER,
    "batch_size": 16,
    "steps": 0,
    "epochs": 250.0,
    "method.optimizer": sections.YEDROUDJNET_PAPER,
    "report.batches": 312,
}

PRESETS = {
    "": ("48x48 crops of the bundled photographs, LSB matching at 1 bpp: two to three minutes", {}),
    "tiny": (
        "a thin network, a few steps, for tests",
        {**sections.STEGANALYZER_TINY, "method.width": 0.25},
    ),
    "laptop": (
        "a folder of photographs shrunk by 1.5, 128x128 crops, HILL at 0.4 bpp; not measured",
        sections.STEGANALYZER_LAPTOP,
    ),
    "paper": ("256x256, HILL at 0.4 bpp, 250 epochs of 16 pairs with SGD in four rates", PAPER),
    "curriculum": (
        "paper, for 0.2 bpp: 19,500 steps at 0.4 bpp, then 58,500 at 0.2",
        {**PAPER, **sections.curriculum((0.4, 19_500), (0.2, 58_500))},
    ),
    "pairs": ("paper, with ready-made stegos", {**PAPER, **sections.READY_MADE_STEGOS}),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.steganalyzer(
        "yedroudjnet",
        batch_size=8,
        steps=600,
        crop=48,
        width=0.5,
        # The recipe's optimiser at its first rate.
        optimizer=dict(name="sgd", learning_rate=0.01, momentum=0.95, weight_decay=1e-4),
    )
    return presets.choose(c, PRESETS, preset)
