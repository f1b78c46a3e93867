"""SPAR-RL (Tang et al., "An automatic cost learning framework for image steganography using deep
reinforcement learning", IEEE TIFS 16, 2021): symmetric costs from rewards, pixel by pixel.

    python main.py --config=configs/sparrl.py           minutes on two cores
    python main.py --config=configs/sparrl.py --mode=evaluate    payload, times (Table 2)
    python main.py --config=configs/sparrl.py --mode=security    beside HILL, and under CMD
    python main.py --config=configs/sparrl.py:help      lists the presets
    stegojax hide --run runs/sparrl COVER MESSAGE -o STEGO       revealed with the key alone

The default starts from equal probabilities: hill_share, the share of changes in HILL's cheapest 18
% of the pixels, starts at .18 and rises. `laptop` takes a folder (--config.data.source=folder:DIR)
and begins from the Xu-Net that ships; at most two hours. `paper`: P_E .283 under SRM and .326 under
Xu-Net at .4 bpp on BOSSBase, .4515 and .4676 at .1; 200,000 steps of 25 pictures of SZUBase.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {**sections.SYMMETRIC_COSTS_PAPER, "steps": 200_000}

PRESETS = {
    "": ("from equal probabilities at 1 bpp to .4, 64x64 crops, a shallow U-Net, 800 steps", {}),
    "tiny": ("32x32 crops, a few steps, for tests", sections.SYMMETRIC_COSTS_TINY),
    "laptop": (
        "128x128 crops of a folder of photographs, from a trained Xu-Net: at most two hours",
        {
            **sections.SYMMETRIC_COSTS_LAPTOP,
            "method.networks": ("xunet",),
            "method.d1_from": "xunet-hill@1",
        },
    ),
    "paper": ("256x256, .4 bpp, 200,000 steps of 25 pictures", PAPER),
    "paper_01": ("the same at .1 bpp", {**PAPER, "method.payload": 0.1}),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    return presets.choose(sections.symmetric_costs("sparrl"), PRESETS, preset)
