"""ADV-EMB (Tang, Li, Tan, Barni and Huang, "CNN-based adversarial embedding for image
steganography", IEEE TIFS 14, 2019): the smallest share of adjusted pixels that deceives.

    python main.py --config=configs/advemb.py           trains the steganalyzer to be deceived
    python main.py --config=configs/advemb.py --mode=evaluate    who is deceived; Table 2
    python main.py --config=configs/advemb.py --mode=security    Table 1
    python main.py --config=configs/advemb.py:help      lists the presets
    stegojax hide --run runs/advemb COVER MESSAGE -o STEGO       revealed with the key alone

The default trains as UGS's does, in about three minutes. `laptop` deceives the Xu-Net that ships,
on a folder of photographs (--config.data.source=folder:DIR). `mae` lets six gradients agree, as MAE
does.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PRESETS = {
    "": ("Xu-Net against HILL at 0.4 bpp, 64x64 crops of the bundled photographs", {}),
    "tiny": (
        "a thin network, a few steps, for tests",
        {**sections.STEGANALYZER_TINY, **sections.SECURITY_TINY, "method.width": 0.25},
    ),
    "mae": ("the default, where six gradients must agree", {"method.gradients": 6}),
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
    # How many gradients must agree before a cost is adjusted.
    c = sections.deceiver("advemb", gradients=1)
    return presets.choose(c, PRESETS, preset)
