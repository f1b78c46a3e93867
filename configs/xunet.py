"""Xu-Net (Xu, Wu, Shi, "Structural design of convolutional neural networks for steganalysis",
2016): cover or stego?

    python main.py --config=configs/xunet.py                    trains on bundled photographs
    python main.py --config=configs/xunet.py --mode=evaluate    tests on more held-out pairs
    python main.py --config=configs/xunet.py:help               lists the presets

`tiny` takes under a minute. `paper` and `curriculum` read the folder bossbase of 512x512 pictures
(--config.data.source=folder:DIR) and resize them; a hash of the name sends half of them to
training. `pairs` reads ready-made stegos, --config.data.covers=DIR --config.data.stegos=DIR: two
folders whose files pair by name, or two NumPy files [N, H, W] with --config.data.parts=FILE.json
saying which are for training and which for validation. `laptop` reads a folder of photographs
(--config.data.source=folder:DIR) and takes about an hour on two cores. `jpeg` and `jpeg_paper`
compress the pictures first; the network sees what the files' luminance decompresses to, unrounded.

Expected P_E, with 5000 pairs for training (Table 1 of the asymmetric-cost paper): 30.4 % for HILL,
28.4 % for S-UNIWARD and 24.1 % for WOW at 0.4 bpp; 39.6, 40.1 and 36.4 % at 0.2. Accuracy is 1 -
P_E, at the best of the evaluations. Measured with the default: .78 on 128 held-out pairs (crops of
four photographs) at step 600, .77 on 512 with --mode=evaluate; 55 s in all on two busy cores.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    **sections.STEGANALYZER_PAPER,
    "batch_size": 32,
    "steps": 120_000,
    "method.optimizer": sections.XUNET_PAPER,
    "report.batches": 156,
}

PRESETS = {
    "": ("64x64 crops of the bundled photographs, LSB matching at 1 bpp: a minute or two", {}),
    "tiny": (
        "a thin network, a few steps, for tests",
        {**sections.STEGANALYZER_TINY, "method.width": 0.5},
    ),
    "laptop": (
        "a folder of photographs shrunk by 1.5, 128x128 crops, HILL at 0.4 bpp: an hour or more",
        sections.STEGANALYZER_LAPTOP,
    ),
    "paper": ("256x256, HILL at 0.4 bpp, 120,000 steps of 32 pairs with SGD", PAPER),
    "curriculum": (
        "paper, for 0.2 bpp: 60,000 steps at 0.4 bpp, then 60,000 at 0.2",
        {**PAPER, **sections.curriculum((0.4, 60_000), (0.2, 60_000))},
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
        "xunet",
        batch_size=16,
        steps=600,
        crop=64,
        width=1.0,
        # The recipe's optimiser; its rate falls only after 5000 steps.
        optimizer=dict(name="sgd", learning_rate=1e-3, momentum=0.9),
        batches=8,
    )
    return presets.choose(c, PRESETS, preset)
