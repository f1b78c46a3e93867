"""SRNet (Boroumand, Chen, Fridrich, "Deep residual network for steganalysis of digital images",
2019): cover or stego?

    python main.py --config=configs/srnet.py                    trains on photographs bundled with
    other packages python main.py --config=configs/srnet.py --mode=evaluate    accuracy of the best
                                                                               checkpoint on more
                                                                               held-out pairs

Presets, after a colon:

    (none)      32x32 crops of the bundled photographs, LSB matching at 1.5 bpp drawn anew every
                step: four to five minutes
    tiny        a thin network, a few steps: under a minute, for tests
    paper       256x256 pictures, HILL at 0.4 bpp, 500,000 steps of 16 pairs with Adamax, the rate
                divided by 10 at 400,000
    curriculum  paper, for 0.2 bpp: 400,000 steps at 0.4 bpp, then 100,000 at 0.2
    pairs       paper, with ready-made stegos: --config.data.covers=DIR --config.data.stegos=DIR,
                two folders whose files pair by name, or two NumPy files [N, H, W] with
                --config.data.parts=FILE.json saying which are for training and which for validation

paper and curriculum read the folder bossbase of 512x512 pictures (--config.data.source=folder:DIR)
and resize them; a hash of the name sends half of them to training.

Expected on 5000 pairs for training (Table 1 of the asymmetric-cost paper): P_E
19.9 % for HILL, 13.9 % for S-UNIWARD, 12.3 % for WOW at 0.4 bpp; 29.4, 25.1 and 22.1 % at 0.2.
Accuracy is 1 - P_E, at the best of the evaluations. Measured with the default preset: .69 on 128
  held-out pairs
(crops of four photographs) at step 1200, .68 on 512 with --mode=evaluate; 260 s in all on two busy
cores.
"""

from ml_collections import ConfigDict


def get_config(preset: str = "") -> ConfigDict:
    """The experiment; see the module for the presets."""
    c = ConfigDict()
    c.seed = 0
    c.batch_size = 8  # covers; as many stegos come with them
    c.epochs = 0.0
    c.steps = 2000
    c.log_every = 1

    c.method = ConfigDict()
    c.method.name = "steganalyzer"
    c.method.network = "srnet"
    c.method.scheme = "lsbm"
    c.method.payload = 1.5
    c.method.curriculum = ()
    c.method.width = 0.25
    # Three times the recipe's rate: at 1e-3 a thin network is still at chance after 250 steps.
    c.method.optimizer = ConfigDict(dict(name="adamax", learning_rate=3e-3))

    c.data = ConfigDict()
    c.data.kind = "pictures"
    c.data.source = "embedded"
    c.data.data_dir = ""
    c.data.train_share = 0.5
    c.data.colour = False
    c.data.preprocess = ()
    c.data.crop = 32
    c.data.augment = ("random_rot90", "random_flip")
    c.data.crops_per_photo = 1

    c.loader = ConfigDict(dict(workers=0, threads=2, prefetch=2))

    c.evaluation = ConfigDict()
    c.evaluation.every = 400
    c.evaluation.crop = 0
    c.evaluation.batches = 16
    c.evaluation.final_batches = 64
    # Of BatchNorm's running statistics, which lag behind the weights, before every evaluation.
    c.evaluation.refresh_batches = 20
    c.evaluation.transfer_steps = 0

    c.checkpoint = ConfigDict(dict(every=400, keep=2, milestones=0, best="accuracy"))

    if preset == "tiny":
        c.batch_size = 4
        c.steps = 8
        c.method.width = 0.125
        c.data.crop = 32
        c.evaluation.update(every=4, batches=1, final_batches=2, refresh_batches=2)
        c.checkpoint.every = 4
    elif preset in ("paper", "curriculum", "pairs"):
        c.batch_size = 16
        c.steps, c.epochs = 500_000, 0.0
        c.log_every = 50
        c.method.update(scheme="hill", payload=0.4, width=1.0)
        c.method.optimizer = ConfigDict(
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
        c.data.source = "folder:bossbase"
        c.data.crop = 256
        c.data.preprocess = ("resize:256",)
        c.loader.update(workers=8, threads=4, prefetch=4)
        c.evaluation.update(every=1000, batches=50, final_batches=312, refresh_batches=50)
        c.checkpoint.update(every=1000)
    elif preset:
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    if preset == "curriculum":
        c.steps, c.epochs = 500_000, 0.0
        c.method.payload = 0.2
        c.method.curriculum = ((0.4, 400_000), (0.2, 100_000))
        # The rate falls at 80 % of the second part, as it does of the whole in the recipe.
        c.method.optimizer.milestones = (480_000.0,)
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
