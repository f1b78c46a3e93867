r"""The security protocol: detection error of steganalyzers on the stegos of embedding schemes, over
several splits.

    python main.py --config=configs/security.py
    python main.py --config=configs/security.py --config.covers.source=folder:PHOTOS
        --config.covers.crop=256 \ --config.covers.tiles=1
        --config.schemes="('lsb-matching','wow','suniward','hill','hill-cmd')" --workdir=runs/photos

Prints P_E, AUC and the stegos missed at 5 % false alarms with their standard deviations, in the
layout of Table 1 of the asymmetric-cost paper, and writes them with ROC curves and P_E against
payload into the work directory. What is there already is used again; schemes, payloads, detectors
and splits can be added later.

Schemes: a cost or COST-RECIPE ("hill", "hill-cmd"), simulated, or really coded with "+stc" or
  "+polar"; "lsb-matching";
"run:WORKDIR" of a trained method, really coded "run:WORKDIR+stc@0.4" where it embeds by costs;
"folder:PATH" of ready-made stegos; "covers" (nothing to detect). "hill/Proposed=run:DIR@0.4" puts a
run in the row Proposed of the column HILL. Detectors: spam, srm, srmq1 (ensembles), and the
  networks of `c.networks`.

Presets:

    (none)    256 tiles of 128x128 of the bundled photographs, SPAM and SRMQ1, ten splits: about ten
              minutes on two cores
    tiny      a few small tiles, one split: under a minute, for tests
    networks  the default with Xu-Net on one split in place of the ensembles
    paper     the paper's: 10,000 pictures of 256x256 (BOSSBase and BOWS2 in one folder), 5000 pairs
              for training, 1000 for validation and 4000 for testing, .2 and .4 bpp, SRM, Xu-Net,
              Yedroudj-Net, SRNet and Deng-Net
"""

from ml_collections import ConfigDict


def network(
    name, *, batch_size, optimizer, steps=-1, epochs=0.0, refresh_batches=0, evaluate_every=1000
):
    """What a run of `stegojax.methods.steganalyzer` needs beside its data and validation batches,
    which the protocol sets.
    """
    c = ConfigDict()
    c.seed = 0
    c.batch_size = batch_size
    c.epochs = epochs
    c.steps = steps
    c.log_every = 1
    c.method = ConfigDict(
        dict(
            name="steganalyzer", network=name, width=1.0, scheme="hill", payload=0.4, curriculum=()
        )
    )
    c.method.optimizer = ConfigDict(optimizer)
    c.evaluation = ConfigDict(
        dict(
            every=evaluate_every,
            crop=0,
            batches=1,
            final_batches=1,
            refresh_batches=refresh_batches,
            transfer_steps=0,
        )
    )
    c.checkpoint = ConfigDict(dict(every=evaluate_every, keep=1, milestones=0, best="accuracy"))
    return c


def get_config(preset: str = "") -> ConfigDict:
    """The experiment; see the module for the presets."""
    c = ConfigDict()
    c.experiment = "security"
    c.seed = 0
    c.covers = ConfigDict(
        dict(source="embedded", data_dir="", preprocess=(), crop=128, tiles=12, limit=0)
    )
    c.payloads = (0.4,)
    c.schemes = ("covers", "lsb-matching", "wow", "suniward", "hill", "hill-cmd")
    c.detectors = ("spam", "srmq1")
    # Shares of the photographs; the networks are trained on the first `networks` of the `count`
    # splits. With `curriculum` they start from their next higher payload.
    c.splits = ConfigDict(
        dict(count=10, networks=1, train=0.5, validation=0.0, test=0.5, curriculum=True)
    )
    # 0 lets the out-of-bag error decide.
    c.ensemble = ConfigDict(dict(subspace=0, learners=0))
    c.networks = ConfigDict(
        dict(
            xunet=network(
                "xunet",
                batch_size=8,
                steps=600,
                refresh_batches=20,
                evaluate_every=100,
                optimizer=dict(name="adam", learning_rate=1e-3),
            )
        )
    )
    c.loader = ConfigDict(dict(workers=0, threads=2, prefetch=2))

    if preset == "tiny":
        c.covers.update(crop=32, tiles=2)
        c.schemes = ("covers", "lsb-matching", "hill-cmd")
        c.detectors = ("spam", "xunet")
        c.splits.update(count=1, train=0.4, validation=0.2, test=0.4)
        c.ensemble.update(subspace=50, learners=11)
        c.networks.xunet.update(batch_size=4, steps=4)
        c.networks.xunet.method.width = 0.5
        c.networks.xunet.evaluation.update(every=2, refresh_batches=2)
        c.networks.xunet.checkpoint.every = 2
    elif preset == "networks":
        c.detectors = ("xunet",)
        c.schemes = ("lsb-matching", "hill")
        c.splits.update(count=1, train=0.5, validation=0.1, test=0.4)
    elif preset == "paper":
        c.covers.update(
            source="folder:bossbase-bows2", crop=256, tiles=1, preprocess=("resize:256",)
        )
        c.payloads = (0.4, 0.2)
        c.schemes = ("wow", "wow-cmd", "suniward", "suniward-cmd", "hill", "hill-cmd")
        c.detectors = ("srm", "xunet", "yedroudjnet", "srnet", "dengnet")
        c.splits.update(count=1, train=0.5, validation=0.1, test=0.4)
        c.networks = ConfigDict(
            dict(
                xunet=network(
                    "xunet",
                    batch_size=32,
                    steps=120_000,
                    optimizer=dict(
                        name="sgd",
                        learning_rate=1e-3,
                        momentum=0.9,
                        factor=0.9,
                        every=5000.0,
                        unit="steps",
                    ),
                ),
                yedroudjnet=network(
                    "yedroudjnet",
                    batch_size=16,
                    epochs=250.0,
                    refresh_batches=50,
                    optimizer=dict(
                        name="sgd",
                        learning_rate=0.01,
                        momentum=0.95,
                        weight_decay=1e-4,
                        factor=0.1,
                        milestones=(62.5, 125.0, 187.5),
                    ),
                ),
                srnet=network(
                    "srnet",
                    batch_size=16,
                    steps=500_000,
                    evaluate_every=5000,
                    optimizer=dict(
                        name="adamax",
                        learning_rate=1e-3,
                        weight_decay=2e-4,
                        decayed="convolutions",
                        factor=0.1,
                        milestones=(400_000.0,),
                        unit="steps",
                    ),
                ),
                dengnet=network(
                    "dengnet",
                    batch_size=16,
                    epochs=200.0,
                    refresh_batches=313,
                    optimizer=dict(
                        name="sgd",
                        learning_rate=0.01,
                        momentum=0.9,
                        weight_decay=5e-4,
                        factor=0.1,
                        milestones=(80.0, 140.0, 180.0),
                    ),
                ),
            )
        )
        c.loader.update(workers=8, threads=4, prefetch=4)
    elif preset:
        raise ValueError(f"preset {preset!r} is unknown; the module's first lines list them")
    return c
