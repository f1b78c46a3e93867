"""HiDDeN (Zhu et al., "HiDDeN: hiding data with deep networks", 2018): a message that survives
damage to its picture.

    python main.py --config=configs/hidden.py           trains on the photographs bundled with
    scikit-image and scikit-learn python main.py --config=configs/hidden.py --mode=evaluate     the
                                                                                                accuracy under each noise too

Presets, after a colon:

    (none)     10 bits in 32x32 crops of the bundled photographs, a quarter of the channels, no
               noise, the decoder fine-tuned by SFTN's separable stage: two minutes on one core, a
               beginning. Measured at the end, on 64 held-out crops: .7047 of the bits right
                 unrounded, .6953 rounded, .7109 after the second stage, 23.5 dB
    tiny       hardly any channels, a few steps: under a minute, for tests
    paper      30 bits in 128x128 crops of COCO, batch 12, 200 epochs of 10,000 pictures, no noise
    and no separable stage identity dropout cropout crop gaussian jpeg_mask jpeg_drop   the same
    with one of the paper's noises (identity is `paper`) combined   the same with all of them, one
                                                                    in every step

Every preset of the paper's scale reads the folder coco (--config.data.source=folder:DIR); `small_`
before its name (small_dropout, small_combined) gives the experiment at the default's scale.
"""

from ml_collections import ConfigDict

NOISES = {
    "identity": ("identity",),
    "dropout": ("dropout:0.3",),
    "cropout": ("cropout:0.3",),
    "crop": ("crop:0.035",),
    "gaussian": ("gaussian_blur:2.0",),
    "jpeg_mask": ("jpeg_mask",),
    "jpeg_drop": ("jpeg_drop:50",),
    "combined": (
        "identity",
        "dropout:0.3",
        "cropout:0.3",
        "crop:0.035",
        "gaussian_blur:2.0",
        "jpeg_mask",
        "jpeg_drop:50",
    ),
}
"""The paper's models: what each is trained to survive."""


def get_config(preset: str = "") -> ConfigDict:
    """The experiment; see the module for the presets."""
    c = ConfigDict()
    c.seed = 0
    c.batch_size = 8
    c.epochs = 0.0
    c.log_every = 1

    c.method = ConfigDict()
    c.method.name = "hidden"
    c.method.length = 10
    # What may happen to the stego, one of them in every step: NAME, or NAME:STRENGTH.
    c.method.noises = ("identity",)
    c.method.width = 0.25
    c.method.critic_width = 0.25
    c.method.message_weight = 1.0
    c.method.cover_weight = 0.7
    c.method.adversarial_weight = 0.001
    # Of the cover's weight, at the first step: with all of it a short training ends in copying the
    # cover.
    c.method.first_cover_weight = 0.001
    # What stands for rounding in the first two stages: nothing, straight_through or noise.
    c.method.rounding = "none"
    c.method.joint_choice = "accuracy_rounded"
    # Warm-up, joint and separable stage.
    c.method.stage_lengths = (400, 400, 200)
    c.method.stage_unit = "steps"
    c.method.optimizer = ConfigDict(
        dict(name="adam", learning_rate=4e-3, factor=0.5, every=100.0, after=400.0, unit="steps")
    )
    c.method.critic_optimizer = ConfigDict(dict(name="adam", learning_rate=1e-3))
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

    name, small = preset.removeprefix("small_"), preset.startswith("small_")
    if preset == "tiny":
        c.batch_size = 4
        c.method.update(
            width=0.125,
            critic_width=0.125,
            length=8,
            stage_lengths=(2, 4, 4),
            noises=("dropout:0.3", "jpeg_mask"),
        )
        c.evaluation.update(every=2, batches=1, final_batches=2, refresh_batches=2)
        c.evaluation.photographs = 1
        c.evaluation.security.covers.update(crop=32, tiles=1)
        c.evaluation.security.splits.count = 1
        c.evaluation.security.ensemble.update(subspace=50, learners=11)
        c.evaluation.security.detectors = ("spam",)
        c.checkpoint.every = 2
    elif preset and not small:
        c.batch_size = 12
        c.log_every = 50
        c.method.update(
            length=30,
            width=1.0,
            critic_width=1.0,
            first_cover_weight=1.0,
            joint_choice="",
            stage_lengths=(0, 200, 0),
            stage_unit="epochs",
        )
        c.method.optimizer = ConfigDict(dict(name="adam", learning_rate=1e-3))
        c.data.update(source="folder:coco", preprocess=("resize:256",), augment=(), crop=128)
        c.loader.update(workers=8, threads=4, prefetch=4)
        c.evaluation.update(every=1000, batches=84, final_batches=84, refresh_batches=50)
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
    if name in NOISES:
        c.method.noises = NOISES[name]
    elif preset not in ("", "tiny", "paper"):
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    if c.method.stage_unit == "epochs":
        c.steps, c.epochs = -1, float(sum(c.method.stage_lengths))
    else:
        c.steps = int(sum(c.method.stage_lengths))
    c.evaluation.security.covers.update(source=c.data.source, preprocess=c.data.preprocess)
    return c
