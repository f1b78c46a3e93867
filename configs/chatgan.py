"""CHAT-GAN-like (after Tan et al. 2021): SFTN's training of an encoder and a decoder with channel
attention; its sources are silent
on much, so its figures are those of a system like it.

    python main.py --config=configs/chatgan.py          trains on the photographs bundled with
    scikit-image and scikit-learn python main.py --config=configs/chatgan.py --mode=evaluate

Presets, after a colon:

    (none)     32x32 crops of the bundled photographs, half the channels: two minutes on one core.
               Measured at the end, on 16
               held-out crops of 64x64: .8683 of the bits right unrounded, .8674 rounded, .8704
                 after the second stage, 37.2 dB
    tiny       a quarter of the channels, a few steps: under a minute, for tests
    paper      512x512 pictures of quality factor 50, batch 8, 10 epochs of the joint stage (the
               first as warm-up) and 40 of the
               separable one, as SFTN compares it. Table III there: .9507 of the bits right
                 unrounded, .9317 rounded, .9407 after
               the second stage, 40.13 dB
    qf50 qf70 qf90   the three cover sets of that table (qf50 is `paper`)

Every preset of the paper's scale reads the folder bossbase of 512x512 pictures
(--config.data.source=folder:DIR); `small_` before its name (small_qf50) gives the experiment at the
default's scale.
"""

from ml_collections import ConfigDict

QUALITIES = {"qf50": "jpeg:50", "qf70": "jpeg:70", "qf90": "jpeg:90"}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment; see the module for the presets."""
    c = ConfigDict()
    c.seed = 0
    c.batch_size = 8
    c.epochs = 0.0
    c.log_every = 1

    c.method = ConfigDict()
    c.method.name = "chatgan"
    c.method.width = 0.5
    c.method.critic_width = 1.0
    c.method.limit = 25.5
    c.method.message_weight = 100.0
    c.method.cover_weight = 1.0
    c.method.adversarial_weight = 1.0
    # Of the cover's weight, at the first step: with all of it a short training ends in copying the
    # cover.
    c.method.first_cover_weight = 0.001
    # What stands for rounding in the first two stages: nothing, straight_through or noise.
    c.method.rounding = "none"
    c.method.joint_choice = "accuracy_rounded"
    # Warm-up, joint and separable stage.
    c.method.stage_lengths = (300, 300, 400)
    c.method.stage_unit = "steps"
    c.method.optimizer = ConfigDict(
        dict(name="adam", learning_rate=1e-3, factor=0.5, every=100.0, after=300.0, unit="steps")
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
    c.data.colour = False
    c.data.preprocess = ()
    c.data.augment = ("random_rot90", "random_flip")
    c.data.crop = 32
    c.data.crops_per_photo = 1

    c.loader = ConfigDict(dict(workers=0, threads=2, prefetch=2))

    c.evaluation = ConfigDict()
    c.evaluation.every = 100
    c.evaluation.crop = 64
    c.evaluation.batches = 2
    c.evaluation.final_batches = 16
    # Of BatchNorm's running statistics, which lag behind the weights, before every evaluation.
    c.evaluation.refresh_batches = 20
    c.evaluation.transfer_steps = 0
    # --mode=evaluate: so many whole held-out photographs, of another source besides where one is
    # named, and the detection errors of the security protocol (configs/security.py).
    c.evaluation.photographs = 4
    c.evaluation.cross_source = ""
    c.evaluation.security = ConfigDict(
        dict(
            covers=dict(source="embedded", data_dir="", preprocess=(), crop=64, tiles=12, limit=0),
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

    name, small = preset.removeprefix("small_"), preset.startswith("small_")
    if preset == "tiny":
        c.batch_size = 4
        c.method.update(width=0.25, critic_width=0.25, stage_lengths=(2, 4, 4))
        c.evaluation.update(every=2, crop=0, batches=1, final_batches=2, refresh_batches=2)
        c.evaluation.photographs = 1
        c.evaluation.security.covers.update(crop=32, tiles=1)
        c.evaluation.security.splits.count = 1
        c.evaluation.security.ensemble.update(subspace=50, learners=11)
        c.evaluation.security.detectors = ("spam",)
        c.checkpoint.every = 2
    elif preset and not small:
        c.log_every = 50
        c.method.update(width=1.0, stage_lengths=(1, 9, 40), stage_unit="epochs")
        for optimizer in ("optimizer", "image_decoder_optimizer"):
            c.method[optimizer] = ConfigDict(
                dict(name="adam", learning_rate=1e-3, factor=0.1, every=10.0)
            )
        c.data.update(source="folder:bossbase", preprocess=("jpeg:50",), augment=(), crop=512)
        c.loader.update(workers=8, threads=4, prefetch=4)
        # Once an epoch, on all pictures for testing.
        c.evaluation.update(every=1125, crop=0, batches=125, final_batches=125, refresh_batches=50)
        c.evaluation.photographs, c.evaluation.cross_source = 1000, "folder:bows2"
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
        c.checkpoint.update(every=1125)
    if name in QUALITIES:
        c.data.preprocess = (QUALITIES[name],)
    elif preset not in ("", "tiny", "paper"):
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    if c.method.stage_unit == "epochs":
        c.steps, c.epochs = -1, float(sum(c.method.stage_lengths))
    else:
        c.steps = int(sum(c.method.stage_lengths))
    c.evaluation.security.covers.update(source=c.data.source, preprocess=c.data.preprocess)
    return c
