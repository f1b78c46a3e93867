"""UT-GAN (Yang et al., "An embedding cost learning framework using GAN", IEEE TIFS 15, 2020):
symmetric costs by the gradient through a double tanh.

    python main.py --config=configs/utgan.py            minutes on two cores
    python main.py --config=configs/utgan.py --mode=evaluate     payload, times (Table 2)
    python main.py --config=configs/utgan.py --mode=security     beside HILL, and under CMD
    python main.py --config=configs/utgan.py:help       lists the presets
    stegojax hide --run runs/utgan COVER MESSAGE -o STEGO        revealed with the key alone

The steganalyzers see whole changes and guide by smooth ones, but in `paper`, where they see the
smooth ones as the authors' do. `laptop` takes a folder (--config.data.source=folder:DIR) and begins
from the Xu-Net that ships; at most two hours. `paper`: 72 epochs of SZUBase's 40,000, batches of
24; expected at .4 bpp under SRM: above S-UNIWARD (24.3 %), below SPAR-RL (28.3 %).
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    **sections.SYMMETRIC_COSTS_PAPER,
    "batch_size": 24,
    "steps": 120_000,
    "method.guidance_weight": 1.0,
    "method.shown": "",
}

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
    "paper": ("256x256, .4 bpp, 120,000 steps of 24 pictures", PAPER),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.symmetric_costs(
        "utgan",
        simulator="double_tanh",
        shown="staircase",
        guidance="through",
        reward="raw",
        guidance_weight=100.0,
        payload_weight=2e4,
    )
    return presets.choose(c, PRESETS, preset)
