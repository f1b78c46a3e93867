"""Baluja ("Hiding images in plain sight: deep steganography", 2017), one of the two that ISGAN is
compared with.

    python main.py --config=configs/baluja.py

Presets: (none) the bundled photographs, 32x32 crops, minutes on two cores; tiny; lfw, voc and
  imagenet at ISGAN's 256x256;
paper, the 64x64 pictures of ImageNet of the public implementations (the paper's own are 200x200).
The secret is grey here, as in ISGAN's comparison.
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
    c.method.name = "baluja"
    c.method.cover_weight = 1.0
    c.method.secret_weight = 0.75
    c.method.noise = 2.0
    c.method.width = 1.0
    c.method.optimizer = ConfigDict(dict(name="adam", learning_rate=1e-3, weight_decay=0.0))

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
        "paper": "tfds:imagenet2012",
    }
    if preset == "tiny":
        c.data.crop = 32
        c.method.width = 0.125
        c.steps = 8
        c.evaluation.update(every=4, crop=0, batches=1, final_batches=2)
        c.checkpoint.every = 4
    elif preset in sources:
        size = 64 if preset == "paper" else 256
        c.data.source = sources[preset]
        c.data.crop = size
        c.data.preprocess = (f"resize:{size}", f"centre_crop:{size}")
        c.steps, c.epochs = -1, 50.0
        c.log_every = 50
        c.loader.update(workers=8, threads=4, prefetch=4)
        c.evaluation.update(every=5000, crop=0, batches=50, final_batches=500)
        c.checkpoint.every = 1000
    elif preset:
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    return c
