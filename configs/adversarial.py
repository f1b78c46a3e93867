"""Min-max costs: a generator that begins with HILL's probabilities and a steganalyzer learn in
turn, as in JS-GAN and Backpack (Bernard et al. 2021), each in its way.

    python main.py --config=configs/adversarial.py      minutes on two cores
    python main.py --config=configs/adversarial.py --mode=evaluate   payload, times (Table 2)
    python main.py --config=configs/adversarial.py --mode=security   beside HILL, and under CMD
    python main.py --config=configs/adversarial.py:help lists the presets
    stegojax hide --run runs/adversarial COVER MESSAGE -o STEGO  revealed with the key alone

An experiment of this package's own, without figures to expect: the generator imitates HILL, then in
every round the steganalyzer learns to find what it makes, and the generator evades it, which waits.
`laptop` takes a folder (--config.data.source=folder:DIR) and the Xu-Net that ships.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PRESETS = {
    "": ("two rounds after imitating HILL, 64x64 crops, a shallow U-Net, 700 steps", {}),
    "tiny": (
        "32x32 crops, a few steps, for tests",
        {**sections.SYMMETRIC_COSTS_TINY, "method.imitation_steps": 4},
    ),
    "laptop": (
        "five rounds on 128x128 crops of a folder of photographs, from a trained Xu-Net: two hours",
        {
            **sections.SYMMETRIC_COSTS_LAPTOP,
            "method.networks": ("xunet",),
            "method.d1_from": "xunet-hill@1",
            "method.imitation_steps": 1500,
            "method.warm_up_steps": 500,
            "method.curriculum": ((0.4, 500),),
            "method.rounds": 5,
        },
    ),
    "paper": (
        "256x256, .4 bpp, ten rounds of 10,000 and 10,000 steps of 25 pictures",
        {
            **sections.SYMMETRIC_COSTS_PAPER,
            "method.uniform_start": True,
            "method.reward": "centred",
            "method.imitation_steps": 20_000,
            "method.warm_up_steps": 10_000,
            "method.curriculum": ((0.4, 10_000),),
            "method.rounds": 10,
        },
    ),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.symmetric_costs(
        "adversarial",
        imitated="hill",
        imitation_steps=300,
        warm_up_steps=100,
        curriculum=((0.4, 100),),
        rounds=2,
        output="third",
        learns="in_turn",
    )
    return presets.choose(c, PRESETS, preset)
