"""SRNet (Boroumand, Chen, Fridrich, "Deep residual network for steganalysis of digital images",
2019): cover or stego?

    python main.py --config=configs/srnet.py                    trains on bundled photographs
    python main.py --config=configs/srnet.py --mode=evaluate    tests on more held-out pairs
    python main.py --config=configs/srnet.py:help               lists the presets

`tiny` takes under a minute. `paper` and `curriculum` read the folder bossbase of 512x512 pictures
(--config.data.source=folder:DIR) and resize them; a hash of the name sends half of them to
training. `pairs` reads ready-made stegos, --config.data.covers=DIR --config.data.stegos=DIR: two
folders whose files pair by name, or two NumPy files [N, H, W] with --config.data.parts=FILE.json
saying which are for training and which for validation. `laptop` reads a folder of photographs
(--config.data.source=folder:DIR); it is Xu-Net's recipe, and nobody has trained this network with
it yet. `jpeg` and `jpeg_paper` compress the pictures first; the network sees what the files'
luminance decompresses to, unrounded.

Expected P_E, with 5000 pairs for training (Table 1 of the asymmetric-cost paper): 19.9 % for HILL,
13.9 % for S-UNIWARD and 12.3 % for WOW at 0.4 bpp; 29.4, 25.1 and 22.1 % at 0.2. Accuracy is 1 -
P_E, at the best of the evaluations. Measured with the default: .69 on 128 held-out pairs (crops of
four photographs) at step 1200, .68 on 512 with --mode=evaluate; 260 s in all on two busy cores.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    **sections.STEGANALYZER_PAPER,
    "batch_size": 16,
    "steps": 500_000,
    "method.optimizer": sections.SRNET_PAPER,
    "report.batches": 312,
}

PRESETS = {
    "": (
        "32x32 crops of the bundled photographs, LSB matching at 1.5 bpp: four to five minutes",
        {},
    ),
    "tiny": (
        "a thin network, a few steps, for tests",
        {**sections.STEGANALYZER_TINY, "method.width": 0.125},
    ),
    "laptop": (
        "a folder of photographs shrunk by 1.5, 128x128 crops, HILL at 0.4 bpp; not measured",
        sections.STEGANALYZER_LAPTOP,
    ),
    "paper": ("256x256, HILL at 0.4 bpp, 500,000 steps of 16 pairs with Adamax", PAPER),
    "curriculum": (
        "paper, for 0.2 bpp: 400,000 steps at 0.4 bpp, then 100,000 at 0.2",
        {
            **PAPER,
            **sections.curriculum((0.4, 400_000), (0.2, 100_000)),
            # The rate falls at 80 % of the second part, as it does of the whole in the recipe.
            "method.optimizer.milestones": (480_000.0,),
        },
    ),
    "pairs": ("paper, with ready-made stegos", {**PAPER, **sections.READY_MADE_STEGOS}),
    "jpeg": (
        "the default on JPEG files of quality 75, nsF5 at 0.4 bits per non-zero AC coefficient",
        sections.STEGANALYZER_JPEG,
    ),
    "jpeg_paper": (
        "paper on JPEG files of quality 75, J-UNIWARD at 0.4 bits per non-zero AC coefficient",
        {**PAPER, **sections.JPEG_PAPER},
    ),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.steganalyzer(
        "srnet",
        batch_size=8,
        steps=2000,
        crop=32,
        width=0.25,
        # Three times the recipe's rate: at 1e-3 a thin network is still at chance after 250 steps.
        optimizer=dict(name="adamax", learning_rate=3e-3),
        payload=1.5,
        every=400,
    )
    return presets.choose(c, PRESETS, preset)
