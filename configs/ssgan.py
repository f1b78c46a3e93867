"""SSGAN (Shi, Dong, Wang, Qian, Zhang, "SSGAN: secure steganography based on generative adversarial
networks", 2017).

    python main.py --config=configs/ssgan.py                  trains on bundled photographs
    python main.py --config=configs/ssgan.py --mode=evaluate
    python main.py --config=configs/ssgan.py --mode=covers    Tables 1 to 3; trains steganalyzers
    python main.py --config=configs/ssgan.py:help             lists the presets
    stegojax generate --run runs/ssgan -n 16 -o COVERS
    stegojax hide --run runs/ssgan MESSAGE -o STEGO.png

`tiny` takes under a minute. The presets on CelebA need its TFDS directory, by default in
~/tensorflow_datasets: --config.data.data_dir=DIR.

In the paper: 227.5 minutes for 7 epochs (Table 1); the steganalyser of real images is right on .87
of real and .72 of generated ones (Table 2), that of generated ones on .87, .72 and .71 for S1, S2
and S3 (Table 3). Measured with the default, whose rate is five times the paper preset's: 300 steps
in 3 min 18 s on one busy core; the pictures go from flat grey to soft blobs in the photographs'
colours, and show no objects yet. On real images S* is right on .78 of 256 held-out pairs after 300
steps.
"""

from ml_collections import ConfigDict

from configs import presets, sections

PAPER = {
    **sections.COVERS_PAPER,
    "method.optimizer.learning_rate": 2e-4,
    "method.steganalyzer_optimizer": dict(name="rmsprop", learning_rate=2e-4, decay=0.99),
    "report.covers.schemes": ("lsb-matching", "hugo"),
    "report.covers.optimizer": dict(name="rmsprop", learning_rate=1e-4, decay=0.99),
}

EXPERIMENTS = {
    "hugo": (
        "paper, hiding with HUGO's costs in training",
        {"method.scheme": "hugo", "report.covers.schemes": ("hugo", "lsb-matching")},
    ),
    "red_channel": (
        "paper, hiding as SGAN's code does: 0.4 bits per sample of the red channel alone",
        {"method.scheme": "red-channel", "report.covers.schemes": ("red-channel", "lsb-matching")},
    ),
    "penalty": (
        "paper, a gradient penalty for weight clipping and a discriminator without normalisation",
        {"method.clip": 0.0, "method.penalty": 10.0, "method.normalise": "none"},
    ),
    "both": ("paper, the generator also against stegos that are found", {"method.deceit": "both"}),
    "alpha_07": (
        "paper, with the alpha of 0.7 at which the text sees pictures become noise",
        {"method.alpha": 0.7},
    ),
}

PRESETS = {
    "": (
        "32x32 pictures, a quarter of the channels of generator and discriminator, 300 steps of 16",
        {},
    ),
    "tiny": ("16x16, an eighth of the channels, a few steps, for tests", sections.COVERS_TINY),
    "paper": ("CelebA at 64x64, the paper's networks, 7 epochs with batch 64", PAPER),
    **presets.at_scale(EXPERIMENTS, PAPER),
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    optimizer = dict(name="adamax", learning_rate=1e-3)
    c = sections.cover_maker(32, covers=dict(steps=300, optimizer=optimizer))
    c.method = dict(
        name="ssgan",
        size=c.data.get_oneway_ref("crop"),
        width=0.25,
        alpha=0.9,
        scheme="lsb-matching",
        payload=0.4,
        deceit="cover",
        discriminator_updates=1,
        generator_updates=2,
        clip=0.01,
        penalty=0.0,
        normalise="all",
        normalise_steganalyzer=False,
        optimizer=dict(name="rmsprop", learning_rate=1e-3, decay=0.99),
        # The text has one optimiser; with it the steganalyzer learns nothing in so short a
        # training.
        steganalyzer_optimizer=optimizer,
    )
    return presets.choose(c, PRESETS, preset)
