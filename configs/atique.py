"""Atique (Rehman, Rahim, Nadeem, Hussain, "End-to-end trained CNN encoder-decoder networks for
image steganography", 2017).

    python main.py --config=configs/atique.py

Presets: (none) the bundled photographs, 32x32 crops, minutes on two cores; tiny; lfw (also as
  paper), voc and imagenet at
ISGAN's 256x256 (quoted there on LFW: stego 33.7 dB and .95, revealed 39.9 dB).
"""

from ml_collections import ConfigDict


def get_config(preset: str = "") -> ConfigDict:
    """The experiment; see the module for the presets."""
    c = ConfigDict()
    c.seed = 0
    c.batch_size = 4
    c.epochs = 0.0
    c.steps = 300
    c.log_every = 1

    c.method = ConfigDict()
    c.method.name = "atique"
    c.method.cover_weight = 1.0
    c.method.secret_weight = 1.0
    c.method.noise = 0.0
    c.method.width = 1.0
    c.method.optimizer = ConfigDict(dict(name="adam", learning_rate=1e-3, weight_decay=1e-4))

    c.data = ConfigDict()
    c.data.kind = "pairs"
    c.data.source = "embedded"
    c.data.secret_source = ""
    c.data.data_dir = ""
    c.data.preprocess = ()
    c.data.crop = 32

    c.loader = ConfigDict(dict(workers=0, threads=2, prefetch=2))
    c.evaluation = ConfigDict(
        dict(every=100, crop=128, batches=8, final_batches=16, transfer_steps=0)
    )
    c.checkpoint = ConfigDict(dict(every=50, keep=2, milestones=0))

    sources = {
        "lfw": "tfds:lfw",
        "voc": "tfds:voc/2012",
        "imagenet": "tfds:imagenet2012",
        "paper": "tfds:lfw",
    }
    if preset == "tiny":
        c.data.crop = 32
        c.method.width = 0.125
        c.steps = 8
        c.evaluation.update(every=4, crop=0, batches=1, final_batches=2)
        c.checkpoint.every = 4
    elif preset in sources:
        c.data.source = sources[preset]
        c.data.crop = 256
        c.data.preprocess = ("resize:256", "centre_crop:256")
        c.steps, c.epochs = -1, 50.0
        c.log_every = 50
        c.loader.update(workers=8, threads=4, prefetch=4)
        c.evaluation.update(every=5000, crop=0, batches=50, final_batches=500)
        c.checkpoint.every = 1000
    elif preset:
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    return c
