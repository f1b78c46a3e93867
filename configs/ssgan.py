"""SSGAN (Shi, Dong, Wang, Qian, Zhang, "SSGAN: secure steganography based on generative adversarial
networks", 2017).

    python main.py --config=configs/ssgan.py            trains on the colour photographs bundled
    with other packages python main.py --config=configs/ssgan.py --mode=evaluate
    stegojax generate --run runs/ssgan -n 16 -o COVERS
    stegojax hide --run runs/ssgan MESSAGE -o STEGO.png

Presets, after a colon:

    (none)       32x32 pictures, a quarter of the channels of generator and critic, 300 steps of 16
    tiny         16x16, an eighth of the channels, a few steps: under a minute, for tests
    paper        CelebA at 64x64 (a centre crop of 108, resized), the paper's networks, 7 epochs
    with batch 64 hugo         paper, hiding with HUGO's costs in training
    red_channel  paper, hiding as SGAN's code does: 0.4 bits per sample of the red channel alone
    penalty      paper, with a gradient penalty in place of weight clipping and no batch
    normalisation in the critic both         paper, the generator also against stegos that are found
    alpha_07     paper, with the alpha of 0.7 at which the text sees pictures become noise

The presets on CelebA need its TFDS directory, by default in ~/tensorflow_datasets:
--config.data.data_dir=DIR.

In the paper: 227.5 minutes for 7 epochs (Table 1); the steganalyser of real images is right on .87
  of real and .72 of generated
ones (Table 2), that of generated ones on .87, .72 and .71 for S1, S2 and S3 (Table 3). Measured
with the default preset, whose rate is five times the paper preset's: 300 steps in 3 min 18 s on one
busy core; the pictures go from flat grey to soft blobs in the photographs' colours, and show no
objects yet. On real images S* is right on .78 of 256 held-out pairs after 300 steps.
"""

from ml_collections import ConfigDict


def get_config(preset: str = "") -> ConfigDict:
    """The experiment; see the module for the presets."""
    c = ConfigDict()
    c.seed = 0
    c.batch_size = 16
    c.epochs = 0.0
    c.steps = 300
    c.log_every = 1

    c.method = ConfigDict()
    c.method.name = "ssgan"
    c.method.size = 32
    c.method.width = 0.25
    c.method.alpha = 0.9
    c.method.scheme = "lsb-matching"
    c.method.payload = 0.4
    c.method.deceit = "cover"
    c.method.discriminator_updates = 1
    c.method.generator_updates = 2
    c.method.clip = 0.01
    c.method.penalty = 0.0
    c.method.normalise = "all"
    c.method.normalise_steganalyzer = False
    c.method.optimizer = ConfigDict(dict(name="rmsprop", learning_rate=1e-3, decay=0.99))
    # The text has one optimiser; with it the steganalyzer learns nothing in so short a training.
    c.method.steganalyzer_optimizer = ConfigDict(dict(name="adamax", learning_rate=1e-3))

    c.data = ConfigDict()
    c.data.kind = "pictures"
    c.data.source = "embedded:colour"
    c.data.data_dir = ""
    c.data.colour = True
    # Small views of whole scenes, as faces are small views of whole heads.
    c.data.preprocess = ("resize:48",)
    c.data.crop = 32
    c.data.augment = ("random_flip",)
    c.data.held_out_crop = "random"
    c.data.train_share = 0.9
    c.data.crops_per_photo = 1

    c.loader = ConfigDict(dict(workers=0, threads=2, prefetch=2))

    c.evaluation = ConfigDict()
    c.evaluation.every = 100
    c.evaluation.crop = 0
    c.evaluation.batches = 4
    c.evaluation.final_batches = 16
    c.evaluation.transfer_steps = 0
    # Of the steganalyzers that are trained afterwards: on how many covers, for how long, against
    # which embeddings; and how many further steps the generator gets for S3. `weights`: a file of
    # the Inception network's, for FID.
    c.evaluation.covers = ConfigDict(
        dict(
            pictures=1024,
            test_pictures=512,
            steps=300,
            schemes=("lsb-matching",),
            tuning_steps=40,
            weights="",
            optimizer=ConfigDict(dict(name="adamax", learning_rate=1e-3)),
        )
    )

    c.checkpoint = ConfigDict(dict(every=100, keep=2, milestones=3))

    if preset == "tiny":
        c.batch_size = 8
        c.steps = 4
        c.method.update(size=16, width=0.125)
        c.data.crop = 16
        c.evaluation.update(every=4, batches=1, final_batches=2)
        c.evaluation.covers.update(pictures=16, test_pictures=8, steps=2, tuning_steps=2)
        c.checkpoint.every = 4
    elif preset in ("paper", "hugo", "red_channel", "penalty", "both", "alpha_07"):
        c.batch_size = 64
        c.steps, c.epochs = -1, 7.0
        c.log_every = 50
        c.method.update(size=64, width=1.0)
        c.method.optimizer.learning_rate = 2e-4
        c.method.steganalyzer_optimizer = ConfigDict(
            dict(name="rmsprop", learning_rate=2e-4, decay=0.99)
        )
        c.data.source = "tfds:celeb_a"
        c.data.preprocess = ("centre_crop:108", "resize:64")
        c.data.crop = 64
        c.loader.update(workers=8, threads=4, prefetch=4)
        c.evaluation.update(every=2000, batches=10, final_batches=50)
        c.evaluation.covers.update(
            pictures=50_000,
            test_pictures=10_000,
            steps=6000,
            tuning_steps=9000,
            schemes=("lsb-matching", "hugo"),
        )
        c.evaluation.covers.optimizer = ConfigDict(
            dict(name="rmsprop", learning_rate=1e-4, decay=0.99)
        )
        c.checkpoint.update(every=1000, milestones=7)
    elif preset:
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    if preset == "hugo":
        c.method.scheme = "hugo"
        c.evaluation.covers.schemes = ("hugo", "lsb-matching")
    if preset == "red_channel":
        c.method.scheme = "red-channel"
        c.evaluation.covers.schemes = ("red-channel", "lsb-matching")
    if preset == "penalty":
        c.method.update(clip=0.0, penalty=10.0, normalise="none")
    if preset == "both":
        c.method.deceit = "both"
    if preset == "alpha_07":
        c.method.alpha = 0.7
    return c
