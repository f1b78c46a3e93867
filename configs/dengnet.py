"""Deng-Net (Deng, Chen, Luo, Luo, "Fast and effective global covariance pooling network for image
steganalysis", 2019).

    python main.py --config=configs/dengnet.py                    trains on photographs bundled with
    other packages python main.py --config=configs/dengnet.py --mode=evaluate    accuracy of the
                                                                                 best checkpoint on
                                                                                 more held-out pairs

Presets, after a colon:

    (none)      48x48 crops of the bundled photographs, LSB matching at 1 bpp drawn anew every step:
                two minutes
    tiny        a thin network, a few steps: under a minute, for tests
    paper       256x256 pictures, HILL at 0.4 bpp, 200 epochs of 16 pairs with SGD, the rate divided
                by 10 after 80, 140, 180
    curriculum  paper, for 0.2 bpp: 24,960 steps at 0.4 bpp, then 37,440 at 0.2
    pairs       paper, with ready-made stegos: --config.data.covers=DIR --config.data.stegos=DIR,
                two folders whose files pair by name, or two NumPy files [N, H, W] with
                --config.data.parts=FILE.json saying which are for training and which for validation

paper and curriculum read the folder bossbase of 512x512 pictures (--config.data.source=folder:DIR)
and resize them; a hash of the name sends half of them to training.

Expected on 5000 pairs for training (Table 1 of the asymmetric-cost paper): P_E
18.7 % for HILL, 12.3 % for S-UNIWARD, 11.3 % for WOW at 0.4 bpp; 27.5, 25.3 and 20.8 % at 0.2.
Accuracy is 1 - P_E, at the best of the evaluations. Measured with the default preset: .76 on 128
  held-out pairs
(crops of four photographs) at step 450, .77 on 512 with --mode=evaluate; 107 s in all on two busy
cores.
"""

from ml_collections import ConfigDict


def get_config(preset: str = "") -> ConfigDict:
    """The experiment; see the module for the presets."""
    c = ConfigDict()
    c.seed = 0
    c.batch_size = 8  # covers; as many stegos come with them
    c.epochs = 0.0
    c.steps = 600
    c.log_every = 1

    c.method = ConfigDict()
    c.method.name = "steganalyzer"
    c.method.network = "dengnet"
    c.method.scheme = "lsbm"
    c.method.payload = 1.0
    c.method.curriculum = ()
    c.method.width = 0.25
    # The recipe's optimiser at its first rate.
    c.method.optimizer = ConfigDict(
        dict(name="sgd", learning_rate=0.01, momentum=0.9, weight_decay=5e-4)
    )

    c.data = ConfigDict()
    c.data.kind = "pictures"
    c.data.source = "embedded"
    c.data.data_dir = ""
    c.data.train_share = 0.5
    c.data.colour = False
    c.data.preprocess = ()
    c.data.crop = 48
    c.data.augment = ("random_rot90", "random_flip")
    c.data.crops_per_photo = 1

    c.loader = ConfigDict(dict(workers=0, threads=2, prefetch=2))

    c.evaluation = ConfigDict()
    c.evaluation.every = 150
    c.evaluation.crop = 0
    c.evaluation.batches = 16
    c.evaluation.final_batches = 64
    # Of BatchNorm's running statistics, which lag behind the weights, before every evaluation.
    c.evaluation.refresh_batches = 20
    c.evaluation.transfer_steps = 0

    c.checkpoint = ConfigDict(dict(every=150, keep=2, milestones=0, best="accuracy"))

    if preset == "tiny":
        c.batch_size = 4
        c.steps = 8
        c.method.width = 0.125
        c.data.crop = 32
        c.evaluation.update(every=4, batches=1, final_batches=2, refresh_batches=2)
        c.checkpoint.every = 4
    elif preset in ("paper", "curriculum", "pairs"):
        c.batch_size = 16
        c.steps, c.epochs = -1, 200.0
        c.log_every = 50
        c.method.update(scheme="hill", payload=0.4, width=1.0)
        c.method.optimizer = ConfigDict(
            dict(
                name="sgd",
                learning_rate=0.01,
                momentum=0.9,
                weight_decay=5e-4,
                factor=0.1,
                milestones=(80.0, 140.0, 180.0),
            )
        )
        c.data.source = "folder:bossbase"
        c.data.crop = 256
        c.data.preprocess = ("resize:256",)
        c.loader.update(workers=8, threads=4, prefetch=4)
        c.evaluation.update(every=1000, batches=50, final_batches=312, refresh_batches=313)
        c.checkpoint.update(every=1000)
    elif preset:
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    if preset == "curriculum":
        c.steps, c.epochs = 62_400, 0.0
        c.method.payload = 0.2
        c.method.curriculum = ((0.4, 24_960), (0.2, 37_440))
    if preset == "pairs":
        c.data = ConfigDict(
            dict(
                kind="cover_stego",
                covers="",
                stegos="",
                parts="",
                train_share=0.5,
                preprocess=(),
                crop=256,
                augment=("random_rot90", "random_flip"),
                held_out_crop="centre",
                crops_per_photo=1,
            )
        )
    return c
