"""HayesGAN (Hayes and Danezis, "Generating steganographic images via adversarial training", 2017): Alice, Bob and Eve.

    python main.py --config=configs/hayesgan.py         trains on the photographs bundled with scikit-image and scikit-learn
    python main.py --config=configs/hayesgan.py --mode=evaluate

Presets, after a colon:

    (none)     100 bits in 32x32 crops of the bundled photographs, half the channels, Bob fine-tuned by SFTN's separable stage
    tiny       a quarter of the channels, a few steps: under a minute, for tests
    paper      100 bits in 32x32 faces, batch 32, 500 epochs, no separable stage
    size64     the same in 64x64 faces

The last two read the folder celeba of CelebA's aligned faces, of which the paper takes one in a hundred
(--config.data.source=folder:DIR).
"""

from ml_collections import ConfigDict


def get_config(preset: str = "") -> ConfigDict:
    """The experiment; see the module for the presets."""
    c = ConfigDict()
    c.seed = 0
    c.batch_size = 8
    c.epochs = 0.0
    c.log_every = 1

    c.method = ConfigDict()
    c.method.name = "hayesgan"
    c.method.length = 100
    c.method.width = 0.5
    c.method.critic_width = 0.5
    c.method.message_weight = 0.6
    c.method.cover_weight = 0.3
    c.method.adversarial_weight = 0.1
    c.method.first_cover_weight = 1.0
    # What stands for rounding in the first two stages: nothing, straight_through or noise.
    c.method.rounding = "none"
    c.method.joint_choice = "accuracy_rounded"
    # Warm-up, joint and separable stage.
    c.method.stage_lengths = (0, 600, 300)
    c.method.stage_unit = "steps"
    c.method.optimizer = ConfigDict(dict(name="adam", learning_rate=1e-3, factor=0.5, every=100.0, after=0.0, unit="steps"))
    c.method.critic_optimizer = ConfigDict(dict(name="adam", learning_rate=1e-4))
    c.method.image_decoder_optimizer = ConfigDict(dict(
        name="adam", learning_rate=1e-3, factor=0.5, every=100.0, unit="steps"))

    c.data = ConfigDict()
    c.data.kind = "pictures"
    c.data.source = "embedded"
    c.data.data_dir = ""
    c.data.train_share = 0.9
    c.data.colour = True
    c.data.preprocess = ()
    c.data.augment = ("random_rot90", "random_flip")
    c.data.crop = 32
    c.data.crops_per_photo = 1

    c.loader = ConfigDict(dict(workers=0, threads=2, prefetch=2))

    c.evaluation = ConfigDict()
    c.evaluation.every = 100
    c.evaluation.crop = 0
    c.evaluation.batches = 4
    c.evaluation.final_batches = 16
    # Of BatchNorm's running statistics, which lag behind the weights, before every evaluation.
    c.evaluation.refresh_batches = 20
    c.evaluation.transfer_steps = 0

    c.checkpoint = ConfigDict(dict(every=100, keep=2, milestones=0))

    if preset == "tiny":
        c.batch_size = 4
        c.method.update(width=0.25, critic_width=0.25, length=16, stage_lengths=(0, 6, 4))
        c.evaluation.update(every=2, batches=1, final_batches=2, refresh_batches=2)
        c.checkpoint.every = 2
    elif preset in ("paper", "size64"):
        c.batch_size = 32
        c.log_every = 50
        c.method.update(width=1.0, critic_width=1.0, joint_choice="", stage_lengths=(0, 500, 0), stage_unit="epochs")
        c.method.optimizer = ConfigDict(dict(name="adam", learning_rate=2e-4))
        c.method.critic_optimizer = ConfigDict(dict(name="adam", learning_rate=2e-4))
        size = 64 if preset == "size64" else 32
        c.data.update(source="folder:celeba", preprocess=("centre_crop:178", f"resize:{size}"), augment=(), crop=size)
        c.loader.update(workers=8, threads=4, prefetch=4)
        c.evaluation.update(every=1000, batches=5, final_batches=5, refresh_batches=50)
        c.checkpoint.update(every=1000)
    elif preset:
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    if c.method.stage_unit == "epochs":
        c.steps, c.epochs = -1, float(sum(c.method.stage_lengths))
    else:
        c.steps = int(sum(c.method.stage_lengths))
    return c
