"""SGAN (Volkhonskiy, Borisenko, Burnaev, "Generative adversarial networks for image steganography",
2016): SSGAN's baseline.

    python main.py --config=configs/sgan.py             trains on the colour photographs bundled
    with other packages python main.py --config=configs/sgan.py --mode=evaluate
    stegojax generate --run runs/sgan -n 16 -o COVERS
    stegojax hide --run runs/sgan MESSAGE -o STEGO.png

Presets, after a colon:

    (none)       32x32 pictures, a quarter of the channels, 300 steps of 16
    tiny         16x16, an eighth of the channels, a few steps: under a minute, for tests
    paper        CelebA at 64x64 (a centre crop of 108, resized), the paper's networks, 7 epochs
                 with batch 64, as SSGAN's Table 1
    red_channel  paper, hiding as the released code does: 0.4 bits per sample of the red channel
      alone

The presets on CelebA need its TFDS directory, by default in ~/tensorflow_datasets:
--config.data.data_dir=DIR.
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
    c.method.name = "sgan"
    c.method.size = 32
    c.method.width = 0.25
    c.method.alpha = 0.9
    c.method.scheme = "lsb-matching"
    c.method.payload = 0.4
    c.method.deceit = "cover"
    c.method.discriminator_updates = 1
    c.method.generator_updates = 2
    c.method.optimizer = ConfigDict(dict(name="adam", learning_rate=1e-3, b1=0.5))
    c.method.steganalyzer_optimizer = ConfigDict(dict(name="adam", learning_rate=2e-4, b1=0.5))

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
            steps=200,
            schemes=("lsb-matching",),
            tuning_steps=40,
            weights="",
            optimizer=ConfigDict(dict(name="adam", learning_rate=1e-4)),
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
    elif preset in ("paper", "red_channel"):
        c.batch_size = 64
        c.steps, c.epochs = -1, 7.0
        c.log_every = 50
        c.method.update(size=64, width=1.0, alpha=0.5)
        c.method.optimizer.learning_rate = 2e-4
        c.data.source = "tfds:celeb_a"
        c.data.preprocess = ("centre_crop:108", "resize:64")
        c.data.crop = 64
        c.loader.update(workers=8, threads=4, prefetch=4)
        c.evaluation.update(every=2000, batches=10, final_batches=50)
        c.evaluation.covers.update(
            pictures=50_000, test_pictures=10_000, steps=6000, tuning_steps=9000
        )
        c.evaluation.covers.optimizer.learning_rate = 5e-6
        c.checkpoint.update(every=1000, milestones=7)
    elif preset:
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    if preset == "red_channel":
        c.method.scheme = "red-channel"
        c.evaluation.covers.schemes = ("red-channel", "lsb-matching")
    return c
