"""JS-GAN-like: symmetric costs of JPEG coefficients, learned by the gradient through a simulator
and the inverse DCT (composed after the abstract of arXiv 2107.13151, whose layers are not known
here).

    python main.py --config=configs/jsgan.py            minutes on two cores
    python main.py --config=configs/jsgan.py --mode=evaluate     payload, times (Table 2)
    python main.py --config=configs/jsgan.py --mode=security     beside J-UNIWARD, and under BBC
    python main.py --config=configs/jsgan.py:help       lists the presets
    stegojax hide --run runs/jsgan COVER.jpg MESSAGE -o STEGO.jpg     revealed with the key alone

Pictures are compressed to quality 75 inside of the training; UT-GAN's generator sees the
decompressed picture and gives a probability for each coefficient, with a scale and a shift for each
of the 64 modes. The default starts from equal probabilities: uerd_share, the share of changes in
UERD's cheapest 18 % of the coefficients, starts at .18 and rises. Nobody has trained `laptop`,
which takes a folder (--config.data.source=folder:DIR), and `paper`; the abstract's gain over
J-UNIWARD is 2.58 % of P_E under GFR at .4 bpnzac and quality 75.
"""

from ml_collections import ConfigDict

from configs import asymmetric_jpeg, presets, sections

PAPER = {
    **{
        name: value
        for name, value in sections.SYMMETRIC_COSTS_PAPER.items()
        if not name.startswith("report.security")
    },
    **asymmetric_jpeg.SECURITY_PAPER,
    "steps": 120_000,
    "method.uniform_start": True,
    "method.networks": ("srnet",),
    "method.guidance_weight": 1.0,
    "method.payload_weight": 4300.0,
}

PRESETS = {
    "": ("from equal probabilities, 64x64 crops, a shallow U-Net, 300 steps", {}),
    "tiny": (
        "32x32 crops, a few steps, for tests",
        {**sections.SYMMETRIC_COSTS_TINY, "report.security.steganalyzers": ("dctr",)},
    ),
    "laptop": (
        "128x128 crops of a folder of photographs: some hours",
        sections.SYMMETRIC_COSTS_LAPTOP,
    ),
    "paper": ("256x256, .4 bpnzac, 120,000 steps of 25 pictures, SRNet", PAPER),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = sections.symmetric_costs(
        "jsgan",
        simulator="double_tanh",
        shown="staircase",
        guidance="through",
        reward="raw",
        guidance_weight=100.0,
        # A coefficient carries a quarter of what a pixel does, or less.
        payload_weight=43_000.0,
        output="third",
        # Few coefficients are not 0: from 1 bit of each it takes long to come down.
        curriculum=((0.4, 300),),
        generator_optimizer=dict(name="adam", learning_rate=3e-3),
        jpeg_quality=75,
    )
    c.report.security.covers.domain = "jpeg"
    c.report.security.covers.quality = 75
    c.report.security.steganalyzers = ("dctr", "jrm")
    return presets.choose(c, PRESETS, preset)
