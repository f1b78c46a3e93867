"""HayesGAN (Hayes and Danezis, "Generating steganographic images via adversarial training", 2017):
Alice, Bob and Eve.

    python main.py --config=configs/hayesgan.py         trains on the photographs bundled with
    scikit-image and scikit-learn python main.py --config=configs/hayesgan.py --mode=evaluate

Presets, after a colon:

    (none)     16 bits in 32x32 crops of the bundled photographs, half the channels, Bob fine-tuned
               by SFTN's separable stage: 900
               steps, six minutes on a crowded machine. Measured at the end, on 256 held-out crops:
                 all bits right, rounded or not,
               at 18.1 dB and SSIM .22, since Alice paints the picture anew from 512 numbers
    tiny       a quarter of the channels, a few steps: under a minute, for tests
    paper      100 bits in 32x32 faces, batch 32, 500 epochs, no separable stage
    size64     the same in 64x64 faces

The last two read the folder celeba of CelebA's aligned faces, of which the paper takes one in a
hundred (--config.data.source=folder:DIR).
"""

from ml_collections import ConfigDict


def get_config(preset: str = "") -> ConfigDict:
    """The experiment; see the module for the presets."""
    c = ConfigDict()
    c.seed = 0
    c.batch_size = 32
    c.epochs = 0.0
    c.log_every = 1

    c.method = ConfigDict()
    c.method.name = "hayesgan"
    c.method.length = 16
    c.method.width = 0.5
    c.method.critic_width = 0.5
    c.method.message_weight = 0.6
    c.method.cover_weight = 0.3
    c.method.adversarial_weight = 0.005
    c.method.first_cover_weight = 0.01
    # What stands for rounding in the first two stages: nothing, straight_through or noise.
    c.method.rounding = "none"
    c.method.joint_choice = "accuracy_rounded"
    # Warm-up, joint and separable stage.
    c.method.stage_lengths = (400, 300, 200)
    c.method.stage_unit = "steps"
    c.method.optimizer = ConfigDict(
        dict(name="adam", learning_rate=5e-4, factor=0.5, every=100.0, after=500.0, unit="steps")
    )
    c.method.critic_optimizer = ConfigDict(dict(name="adam", learning_rate=1e-4))
    c.method.image_decoder_optimizer = ConfigDict(
        dict(name="adam", learning_rate=1e-3, factor=0.5, every=100.0, unit="steps")
    )

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
    c.evaluation.batches = 8
    c.evaluation.final_batches = 32
    # Of BatchNorm's running statistics, which lag behind the weights, before every evaluation.
    c.evaluation.refresh_batches = 20
    c.evaluation.transfer_steps = 0
    # --mode=evaluate: so many whole held-out photographs, of another source besides where one is
    # named, and the detection errors of the security protocol (configs/security.py).
    c.evaluation.photographs = 4
    c.evaluation.cross_source = ""
    c.evaluation.security = ConfigDict(
        dict(
            covers=dict(source="embedded", data_dir="", preprocess=(), crop=32, tiles=12, limit=0),
            detectors=("spam", "srnet"),
            splits=dict(count=5, networks=1, train=0.5, validation=0.1, test=0.4, curriculum=False),
            ensemble=dict(subspace=0, learners=0),
        )
    )
    c.evaluation.security.networks = ConfigDict(
        dict(
            srnet=dict(
                seed=0,
                batch_size=4,
                epochs=0.0,
                steps=150,
                log_every=1,
                method=dict(
                    name="steganalyzer",
                    network="srnet",
                    width=0.25,
                    scheme="lsbm",
                    payload=1.0,
                    curriculum=(),
                    optimizer=dict(name="adamax", learning_rate=3e-3),
                ),
                evaluation=dict(
                    every=50,
                    crop=0,
                    batches=1,
                    final_batches=1,
                    refresh_batches=20,
                    transfer_steps=0,
                ),
                checkpoint=dict(every=50, keep=1, milestones=0, best="accuracy"),
            )
        )
    )

    c.checkpoint = ConfigDict(dict(every=100, keep=2, milestones=0))

    if preset == "tiny":
        c.batch_size = 4
        c.method.update(width=0.25, critic_width=0.25, length=16, stage_lengths=(0, 6, 4))
        c.evaluation.update(every=2, batches=1, final_batches=2, refresh_batches=2)
        c.evaluation.photographs = 1
        c.evaluation.security.covers.update(crop=32, tiles=1)
        c.evaluation.security.splits.count = 1
        c.evaluation.security.ensemble.update(subspace=50, learners=11)
        c.evaluation.security.detectors = ("spam",)
        c.checkpoint.every = 2
    elif preset in ("paper", "size64"):
        c.batch_size = 32
        c.log_every = 50
        c.method.update(
            length=100,
            adversarial_weight=0.1,
            width=1.0,
            critic_width=1.0,
            first_cover_weight=1.0,
            joint_choice="",
            stage_lengths=(0, 500, 0),
            stage_unit="epochs",
        )
        c.method.optimizer = ConfigDict(dict(name="adam", learning_rate=2e-4))
        c.method.critic_optimizer = ConfigDict(dict(name="adam", learning_rate=2e-4))
        size = 64 if preset == "size64" else 32
        c.data.update(
            source="folder:celeba",
            preprocess=("centre_crop:178", f"resize:{size}"),
            augment=(),
            crop=size,
        )
        c.loader.update(workers=8, threads=4, prefetch=4)
        c.evaluation.update(every=1000, batches=5, final_batches=5, refresh_batches=50)
        c.evaluation.photographs, c.evaluation.cross_source = 1000, ""
        c.evaluation.security.covers.update(crop=c.data.crop, tiles=1)
        c.evaluation.security.splits.count = 1
        c.evaluation.security.networks.srnet.update(batch_size=16, steps=500_000)
        c.evaluation.security.networks.srnet.method.width = 1.0
        c.evaluation.security.networks.srnet.method.optimizer = ConfigDict(
            dict(
                name="adamax",
                learning_rate=1e-3,
                weight_decay=2e-4,
                decayed="convolutions",
                factor=0.1,
                milestones=(400_000.0,),
                unit="steps",
            )
        )
        c.evaluation.security.networks.srnet.evaluation.every = (
            c.evaluation.security.networks.srnet.checkpoint.every
        ) = 5000
        c.checkpoint.update(every=1000)
    elif preset:
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    if c.method.stage_unit == "epochs":
        c.steps, c.epochs = -1, float(sum(c.method.stage_lengths))
    else:
        c.steps = int(sum(c.method.stage_lengths))
    c.evaluation.security.covers.update(source=c.data.source, preprocess=c.data.preprocess)
    return c
