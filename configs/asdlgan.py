"""ASDL-GAN (Tang et al., "Automatic steganographic distortion learning using a generative
adversarial network", IEEE SPL 24, 2017), as far as it is published: a simulator that is itself a
network.

    python main.py --config=configs/asdlgan.py          minutes on two cores
    python main.py --config=configs/asdlgan.py --mode=evaluate   simulators, payload, Table 2
    python main.py --config=configs/asdlgan.py --mode=security   beside HILL, and under CMD
    python main.py --config=configs/asdlgan.py:help     lists the presets
    stegojax hide --run runs/asdlgan COVER MESSAGE -o STEGO      revealed with the key alone

The TES subnet first learns to imitate the staircase, in a stage of its own, and is frozen then; the
evaluation compares it with UT-GAN's double tanh. Layers' widths and the payload's weight are
choices: there is no code of the authors'. Expected of `paper` at .4 bpp under SRM: below S-UNIWARD
(24.3 %).
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    **sections.SYMMETRIC_COSTS_PAPER,
    "batch_size": 24,
    "method.curriculum": ((0.4, 120_000),),
    "method.staircase_steps": 100,
    "method.depth": 25,
    "method.dropout": 0.0,
    "method.guidance_weight": 1.0,
    "method.payload_weight": 4.3,
    "method.shown": "",
}

PRESETS = {
    "": ("from equal probabilities at 1 bpp to .4, 64x64 crops, eight groups, 850 steps", {}),
    "tiny": (
        "32x32 crops, a few steps, for tests",
        {**sections.SYMMETRIC_COSTS_TINY, "method.staircase_steps": 4},
    ),
    "laptop": (
        "128x128 crops of a folder of photographs, from a trained Xu-Net: two hours",
        {
            **sections.SYMMETRIC_COSTS_LAPTOP,
            "method.staircase_steps": 100,
            "method.depth": 12,
            "method.d1_from": "xunet-hill@1",
            "method.curriculum": ((0.4, 4500),),
        },
    ),
    "paper": ("256x256, .4 bpp, 25 groups, 120,000 steps of 24 pictures", PAPER),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.symmetric_costs(
        "asdlgan",
        generator="full_size",
        width=0.5,
        depth=8,
        simulator="tes",
        staircase_steps=50,
        shown="staircase",
        guidance="through",
        reward="raw",
        guidance_weight=100.0,
        payload_weight=2e4,
        networks=("xunet",),
    )
    return presets.choose(c, PRESETS, preset)
