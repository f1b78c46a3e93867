"""UGS (Liu et al., "Adversarial steganography embedding via stego generation and selection", 2023):
costs doubled against a steganalyzer's gradient. A peer of the asymmetric-cost GAN (its Table 1).

    python main.py --config=configs/ugs.py              trains the steganalyzer to be deceived
    python main.py --config=configs/ugs.py --mode=evaluate   its accuracy; Table 2 for UGS
    python main.py --config=configs/ugs.py --mode=security   Table 1
    python main.py --config=configs/ugs.py:help         lists the presets
    stegojax hide --run runs/ugs COVER MESSAGE -o STEGO      revealed with the key alone

The default takes about three minutes, `tiny` under a minute. `paper` reads the folder bossbase of
512x512 pictures (--config.data.source=folder:DIR) and resizes them.

The asymmetric-cost paper reports, for HILL at 0.4 bpp, P_E 33.68 % against SRM (HILL itself 30.10
%), 22.02 % against Deng-Net (18.65 %), 9.78 h of training and 2.04 s a stego.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PRESETS = {
    "": ("Xu-Net against HILL at 0.4 bpp, 64x64 crops of the bundled photographs", {}),
    "tiny": (
        "a thin network, a few steps, for tests",
        {
            **sections.STEGANALYZER_TINY,
            **sections.SECURITY_TINY,
            "method.width": 0.25,
            "method.candidates": 3,
        },
    ),
    "laptop": (
        "a folder of photographs shrunk by 1.5, 128x128, the Xu-Net that ships: minutes",
        sections.DECEIVED_LAPTOP,
    ),
    "paper": (
        "Deng-Net against HILL at 0.4 bpp, 256x256, 200 epochs of 16 pairs",
        sections.DECEIVED_PAPER,
    ),
    **sections.on_bases(sections.DECEIVED_PAPER),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.deceiver("ugs", candidates=100)
    return presets.choose(c, PRESETS, preset)
