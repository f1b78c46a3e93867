"""Steg-GMAN (Huang, Luo, Liu, Tang and Huang, "Steganography embedding cost learning with
generative multi-adversarial network", IEEE TIFS 19, 2024): symmetric costs against several
steganalyzers.

    python main.py --config=configs/steggman.py         minutes on two cores
    python main.py --config=configs/steggman.py --mode=evaluate  payload, times (Table 2)
    python main.py --config=configs/steggman.py --mode=security  beside HILL, and under CMD
    python main.py --config=configs/steggman.py:help    lists the presets
    stegojax hide --run runs/steggman COVER MESSAGE -o STEGO     revealed with the key alone

In every step the weakest steganalyzer alone learns, and the strongest guides. There is no code of
the authors': the rule is theirs; networks, reward and rates are SPAR-RL's. d1_learns and d1_guides
in the log say how often; each should have its turns. `paper` (Table 1 of the asymmetric-cost
paper): P_E at .4 bpp 33.81 % under SRM, 36.28 under Xu-Net, 27.09 under Deng-Net.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    **sections.SYMMETRIC_COSTS_PAPER,
    "steps": 200_000,
    "method.networks": ("xunet6", "yedroudjnet", "dengnet"),
    "method.steadiness": 1,
}

PRESETS = {
    "": ("from equal probabilities at 1 bpp to .4, 64x64 crops, three Xu-Nets, 800 steps", {}),
    "tiny": ("32x32 crops, a few steps, for tests", sections.SYMMETRIC_COSTS_TINY),
    "laptop": (
        "128x128 crops of a folder of photographs, one of three trained before: two hours",
        {
            **sections.SYMMETRIC_COSTS_LAPTOP,
            "method.networks": ("xunet", "xunet6", "xunet6:0.5"),
            "method.d1_from": "xunet-hill@1",
            "method.curriculum": ((0.4, 4500),),
            "method.warm_up_steps": 400,
        },
    ),
    "paper": ("256x256, .4 bpp, 200,000 steps of 25 pictures, Xu-, Yedroudj- and Deng-Net", PAPER),
    "paper_02": ("the same at .2 bpp", {**PAPER, "method.payload": 0.2}),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.symmetric_costs(
        "steggman",
        networks=("xunet6", "xunet", "xunet6:0.5"),
        learns="weakest",
        guides="strongest",
        # Losses of batches this small: their order is a coin's without an average.
        steadiness=50,
    )
    return presets.choose(c, PRESETS, preset)
