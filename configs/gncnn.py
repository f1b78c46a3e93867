"""GNCNN (Qian, Dong, Wang, Tan, "Deep learning for steganalysis via convolutional neural networks",
2015): cover or stego?

    python main.py --config=configs/gncnn.py                    trains on photographs bundled with
    other packages python main.py --config=configs/gncnn.py --mode=evaluate    accuracy of the best
                                                                               checkpoint on more
                                                                               held-out pairs

Presets, after a colon:

    (none)      132x132 crops of the bundled photographs, LSB matching at 1 bpp drawn anew every
                step: two to three minutes
    tiny        a thin network, a few steps: under a minute, for tests
    paper       256x256 pictures, HILL at 0.4 bpp, 64 pairs a step with Adamax, 300 epochs (the
                length is this file's choice)
    curriculum  paper, for 0.2 bpp: 11,700 steps at 0.4 bpp, then 11,700 at 0.2
    pairs       paper, with ready-made stegos: --config.data.covers=DIR --config.data.stegos=DIR,
                two folders whose files pair by name, or two NumPy files [N, H, W] with
                --config.data.parts=FILE.json saying which are for training and which for validation

paper and curriculum read the folder bossbase of 512x512 pictures (--config.data.source=folder:DIR)
and resize them; a hash of the name sends half of them to training.

Expected on 5000 pairs for training (Table 1 of the asymmetric-cost paper): none
is at hand for these pictures and schemes.
Accuracy is 1 - P_E, at the best of the evaluations. Measured with the default preset: .90 on 64
  held-out pairs
(crops of four photographs) at step 300, .90 on 256 with --mode=evaluate; 176 s in all on two busy
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
    c.method.network = "gncnn"
    c.method.scheme = "lsbm"
    c.method.payload = 1.0
    c.method.curriculum = ()
    c.method.width = 1.0
    # The recipe's optimiser and rate.
    c.method.optimizer = ConfigDict(dict(name="adamax", learning_rate=1e-3))

    c.data = ConfigDict()
    c.data.kind = "pictures"
    c.data.source = "embedded"
    c.data.data_dir = ""
    c.data.train_share = 0.5
    c.data.colour = False
    c.data.preprocess = ()
    c.data.crop = 132
    c.data.augment = ("random_rot90", "random_flip")
    c.data.crops_per_photo = 1

    c.loader = ConfigDict(dict(workers=0, threads=2, prefetch=2))

    c.evaluation = ConfigDict()
    c.evaluation.every = 150
    c.evaluation.crop = 0
    c.evaluation.batches = 8
    c.evaluation.final_batches = 32
    c.evaluation.refresh_batches = 0
    c.evaluation.transfer_steps = 0

    c.checkpoint = ConfigDict(dict(every=150, keep=2, milestones=0, best="accuracy"))

    if preset == "tiny":
        c.batch_size = 4
        c.steps = 8
        c.method.width = 0.5
        c.data.crop = 132
        c.evaluation.update(every=4, batches=1, final_batches=2, refresh_batches=0)
        c.checkpoint.every = 4
    elif preset in ("paper", "curriculum", "pairs"):
        c.batch_size = 64
        c.steps, c.epochs = -1, 300.0
        c.log_every = 50
        c.method.update(scheme="hill", payload=0.4, width=1.0)
        c.method.optimizer = ConfigDict(dict(name="adamax", learning_rate=1e-3))
        c.data.source = "folder:bossbase"
        c.data.crop = 256
        c.data.preprocess = ("resize:256",)
        c.loader.update(workers=8, threads=4, prefetch=4)
        c.evaluation.update(every=1000, batches=50, final_batches=78, refresh_batches=0)
        c.checkpoint.update(every=1000)
    elif preset:
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    if preset == "curriculum":
        c.steps, c.epochs = 23_400, 0.0
        c.method.payload = 0.2
        c.method.curriculum = ((0.4, 11_700), (0.2, 11_700))
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
