"""UGS (Liu et al., "Adversarial steganography embedding via stego generation and selection", 2023):
costs doubled against a
steganalyzer's gradient. A peer of the asymmetric-cost GAN (its Table 1).

    python main.py --config=configs/ugs.py      trains the steganalyzer to be deceived on
    photographs bundled with other packages python main.py --config=configs/ugs.py --mode=evaluate
    its accuracy; Tables 1 and 2 of the asymmetric-cost paper for UGS stegojax hide --run runs/ugs
                                                                                                                                  COVER MESSAGE -o STEGO         revealed with the key alone

Presets, after a colon:

    (none)     Xu-Net against HILL at 0.4 bits per pixel, 64x64 crops: a minute or two
    tiny       a thin network, a few steps: under a minute, for tests
    paper      Deng-Net on 256x256 pictures of the folder ./bossbase
    (--config.data.source=folder:DIR), 200 epochs of 16 pairs paper_02   the same at 0.2 bits per
                                                                         pixel

The asymmetric-cost paper reports, for HILL at 0.4 bpp, P_E 33.68 % against SRM (HILL itself 30.10
%), 22.02 % against Deng-Net (18.65 %), 9.78 h of training and 2.04 s a stego.
"""

from ml_collections import ConfigDict


def get_config(preset: str = "") -> ConfigDict:
    """The experiment; see the module for the presets."""
    c = ConfigDict()
    c.seed = 0
    c.batch_size = 16  # covers; as many stegos come with them
    c.epochs = 0.0
    c.steps = 1200
    c.log_every = 1

    c.method = ConfigDict()
    c.method.name = "ugs"
    c.method.scheme = "hill"
    c.method.payload = 0.4
    c.method.candidates = 100
    c.method.factor = 2.0
    c.method.network = "xunet"
    c.method.curriculum = ()
    c.method.width = 1.0
    c.method.optimizer = ConfigDict(dict(name="sgd", learning_rate=1e-3, momentum=0.9))

    c.data = ConfigDict()
    c.data.kind = "pictures"
    c.data.source = "embedded"
    c.data.data_dir = ""
    c.data.train_share = 0.5
    c.data.colour = False
    c.data.preprocess = ()
    c.data.crop = 64
    c.data.augment = ("random_rot90", "random_flip")
    c.data.crops_per_photo = 1

    c.loader = ConfigDict(dict(workers=0, threads=2, prefetch=2))
    c.evaluation = ConfigDict(
        dict(every=300, crop=0, batches=8, final_batches=32, refresh_batches=20, transfer_steps=0)
    )
    # --mode=evaluate: Table 1's rows for this run, its initial scheme and CMD, by the security
    # protocol (configs/security.py).
    c.evaluation.security = ConfigDict(
        dict(
            covers=dict(source="embedded", data_dir="", preprocess=(), crop=128, tiles=12, limit=0),
            detectors=("spam", "srmq1"),
            splits=dict(count=5, networks=1, train=0.5, validation=0.0, test=0.5, curriculum=False),
            ensemble=dict(subspace=0, learners=0),
        )
    )
    c.checkpoint = ConfigDict(dict(every=300, keep=2, milestones=0, best="accuracy"))

    if preset == "tiny":
        c.batch_size = 4
        c.steps = 8
        c.method.update(width=0.25, candidates=3)
        c.data.crop = 32
        c.evaluation.update(every=4, batches=1, final_batches=2, refresh_batches=2)
        c.evaluation.security.covers.update(crop=32, tiles=1)
        c.evaluation.security.splits.count = 1
        c.evaluation.security.ensemble.update(subspace=50, learners=11)
        c.evaluation.security.detectors = ("spam",)
        c.checkpoint.every = 4
    elif preset in ("paper", "paper_02"):
        c.steps, c.epochs = -1, 200.0
        c.log_every = 50
        c.method.update(network="dengnet", payload=0.4 if preset == "paper" else 0.2)
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
        c.data.update(source="folder:bossbase", crop=256, preprocess=("resize:256",))
        c.loader.update(workers=8, threads=4, prefetch=4)
        c.evaluation.update(every=1000, batches=50, final_batches=312, refresh_batches=313)
        c.evaluation.security.covers.update(
            source="folder:bossbase-bows2", crop=256, tiles=1, preprocess=("resize:256",)
        )
        c.evaluation.security.detectors = ("srm",)
        c.evaluation.security.splits.update(count=1, train=0.5, test=0.4)
        c.checkpoint.every = 1000
    elif preset:
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    return c
