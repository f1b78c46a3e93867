"""The security protocol: detection error of steganalyzers on the stegos of embedding schemes, over
several splits.

    python main.py --config=configs/security.py
    python main.py --config=configs/security.py --config.covers.source=folder:PHOTOS \
        --config.covers.crop=256 --config.covers.tiles=1 \
        --config.schemes="('lsb-matching','wow','suniward','hill','hill-cmd')" --workdir=runs/photos
    python main.py --config=configs/security.py:table3
    python main.py --config=configs/security.py:help    lists the presets

`zoo` judges every scheme of the package and every model on this machine,
--config.covers.source=folder:DIR naming photographs; hours on two cores, and it resumes.

Prints P_E, AUC and the stegos missed at 5 % false alarms with their standard deviations, in the
layout of Table 1 of the asymmetric-cost paper, and writes them with ROC curves and P_E against
payload into the work directory. What is there already is used again; schemes, payloads,
steganalyzers and splits can be added later.

Schemes: a cost or COST-RECIPE ("hill", "hill-cmd"), simulated, or really coded with "+stc" or
"+polar"; "lsb-matching"; "run:WORKDIR" of a trained method, really coded "run:WORKDIR+stc@0.4"
where it embeds by costs; "folder:PATH" of ready-made stegos; "covers" (nothing to detect).
"hill/Proposed=run:DIR@0.4" puts a run in the row Proposed of the column HILL. Steganalyzers:
spam, srm, srmq1 (ensembles), and the networks of `networks`.

JPEG covers (`covers.domain=jpeg`): luminance coefficients of photographs compressed to
`covers.quality`, or of a folder of JPEG files as they are (quality 0); payloads in bits per
non-zero AC coefficient; "juniward", "uerd", "jmipod", "ebs", "nsf5", plain, "-bbc" or "-bbm", and
runs that embed into such files; dctr, jrm, ccjrm, gfr, and the networks of `networks` on the
decompressed pictures, unrounded.

The default takes about ten minutes on two cores, `tiny` under a minute. `paper` reads BOSSBase and
BOWS2 in one folder; `table1` is the asymmetric-cost paper's Table 1 whole, `table1_laptop` the
same of runs of the presets `laptop`; `table3` to `table7`, and `small_table3` to `small_table7`,
compare runs of the asymmetric-cost GAN. All of these runs are trained before.
"""

import json

from ml_collections import ConfigDict

from configs import asymmetric, presets, sections

PAPER = {
    "covers.source": "folder:bossbase-bows2",
    "covers.crop": 256,
    "covers.tiles": 1,
    "covers.preprocess": ("resize:256",),
    "covers.limit": 10_000,
    "payloads": (0.4, 0.2),
    "schemes": ("wow", "wow-cmd", "suniward", "suniward-cmd", "hill", "hill-cmd"),
    "steganalyzers": ("srm", "xunet", "yedroudjnet", "srnet", "dengnet"),
    "splits.count": 1,
    "splits.validation": 0.1,
    "splits.test": 0.4,
    "networks": sections.ATTACKERS_PAPER,
    "loader.workers": 8,
    "loader.threads": 4,
    "loader.prefetch": 4,
}

RUNS = {
    "table3": (
        "asymmetric-cost paper's Table 3: steganalyzers as D1, D2, both",
        [f"{role}_{network}" for role in asymmetric.ROLES for network in asymmetric.NETWORKS],
    ),
    "table4": (
        "its Table 4: strategies, and the weight of D1's gradient",
        ["strategy1", "strategy2", "strategy3", "strategy4", "eta_learned", "eta_05", "eta_1", ""],
    ),
    "table5": ("its Table 5: what the generator sees", ["input1", "input2", "input3", ""]),
    "table6": (
        "its Table 6: shares of the two sub-images",
        ["share_30", "share_40", "", "share_60", "share_70"],
    ),
    "table7": ("its Table 7: number of sub-images", ["", "subimages3", "subimages4"]),
}
"""Presets of `configs/asymmetric.py` whose runs a table of the paper compares; "" is the proposed
one: `paper`, or the default.
"""


def tables(runs: list[str], scale: str) -> dict[str, tuple[str, ...]]:
    """Changes for a table of runs in runs/, coded by STC, beside HILL.

    Args:
      runs: presets of the asymmetric-cost GAN.
      scale: before their names, "" for the paper's scale.
    """
    schemes = ["hill/Baseline=hill+stc"]
    for name in runs:
        preset = f"-{scale}{name}" if name else "" if scale else "-paper"
        schemes.append(f"hill/{name or 'proposed'}=run:runs/asymmetric{preset}+stc@0.4")
    return {"payloads": (0.4,), "schemes": tuple(schemes)}


ADJUSTERS = {"UGS": "ugs", "ReLOAD": "reload", "ADV-EMB": "advemb", "proposed": "asymmetric"}
"""Rows of Table 1 below the baseline's and CMD's, and the configs whose runs they are."""

LEARNED = ("sparrl", "utgan", "asdlgan", "steggman")


def table1() -> tuple[str, ...]:
    """Table 1 of the asymmetric-cost paper and a row for ADV-EMB, coded by STC, of the runs in
    runs/: those of the presets `paper`, `wow`, `suniward`, `hill_02` and so on; and for the column
    Steg-GMAN of `steggman:paper` and `paper_02`, with adjusters that were trained on it, such as
    `main.py --config=configs/ugs.py:paper --config.method.scheme=run:runs/steggman-paper
    --workdir=runs/ugs-steggman`.
    """
    schemes = []
    for base in ("wow", "suniward", "hill"):
        schemes += [f"{base}/Baseline={base}+stc", f"{base}/CMD={base}-cmd+stc"]
        for payload, preset in ((0.4, base if base != "hill" else "paper"), (0.2, f"{base}_02")):
            for row, name in ADJUSTERS.items():
                schemes.append(f"{base}/{row}=run:runs/{name}-{preset}+stc@{payload}")
    for payload, ending in ((0.4, ""), (0.2, "_02")):
        learned = f"run:runs/steggman-paper{ending}+stc@{payload}"
        schemes += [f"steggman/Baseline={learned}", f"steggman/CMD=cmd:{learned}"]
        for row, name in ADJUSTERS.items():
            schemes.append(f"steggman/{row}=run:runs/{name}-steggman{ending}+stc@{payload}")
    return tuple(schemes)


def table1_laptop() -> tuple[str, ...]:
    """The same at .4 bpp for HILL and the learned costs, of the runs of the presets `laptop`."""
    schemes = ["lsbm/Baseline=lsbm+stc", "suniward/Baseline=suniward+stc"]
    schemes += ["hill/Baseline=hill+stc", "hill/CMD=hill-cmd+stc"]
    for row, name in ADJUSTERS.items():
        schemes.append(f"hill/{row}=run:runs/{name}-laptop+stc@0.4")
    for name in LEARNED:
        learned = f"run:runs/{name}-laptop+stc@0.4"
        schemes += [f"{name}/Baseline={learned}", f"{name}/CMD=cmd:{learned}"]
    return tuple(schemes)


COSTS = ("hill", "wow", "suniward", "hugo", "mipod", "lsbm")

SCHEMES = (
    "covers",
    "lsb-matching",
    *(f"{cost}{recipe}" for cost in COSTS for recipe in ("", "-cmd", "-synch")),
    "hill+stc",
    "hill-cmd+stc",
)
"""All costs and recipes of the package, simulated, and two of them coded; models are added."""

LAPTOP = {
    "covers.source": "folder:photographs",
    "covers.crop": 256,
    "covers.tiles": 1,
    "covers.preprocess": ("shrink:1.5",),
    "covers.limit": 600,
    "steganalyzers": ("spam", "srmq1", "srm", "xunet"),
    "splits.validation": 0.1,
    "splits.test": 0.4,
    "ensemble.subspace": 300,
    "ensemble.learners": 75,
    "networks.xunet.batch_size": 16,
    "networks.xunet.steps": 2000,
}

PRESETS = {
    "": ("256 tiles of 128x128 of the bundled photographs, SPAM and SRMQ1, ten splits", {}),
    "tiny": (
        "a few small tiles, one split, for tests",
        {
            "covers.crop": 32,
            "covers.tiles": 2,
            "schemes": ("covers", "lsb-matching", "hill-cmd"),
            "steganalyzers": ("spam", "xunet"),
            "splits.count": 1,
            "splits.train": 0.4,
            "splits.validation": 0.2,
            "splits.test": 0.4,
            "ensemble.subspace": 50,
            "ensemble.learners": 11,
            "networks.xunet.batch_size": 4,
            "networks.xunet.steps": 4,
            "networks.xunet.method.width": 0.5,
            "networks.xunet.evaluation.every": 2,
            "networks.xunet.evaluation.refresh_batches": 2,
            "networks.xunet.checkpoint.every": 2,
        },
    ),
    "jpeg": (
        "the default on JPEG covers of quality 75, with DCTR and JRM",
        {
            "covers.domain": "jpeg",
            "covers.quality": 75,
            "payloads": (0.4, 0.2),
            "schemes": ("covers", "nsf5", "uerd", "juniward", "juniward-bbc"),
            "steganalyzers": ("dctr", "jrm"),
        },
    ),
    "networks": (
        "the default with Xu-Net on one split in place of the ensembles",
        {
            "steganalyzers": ("xunet",),
            "schemes": ("lsb-matching", "hill"),
            "splits.count": 1,
            "splits.validation": 0.1,
            "splits.test": 0.4,
        },
    ),
    "zoo": (
        "every cost, recipe and model on 600 photographs shrunk by 1.5, .2 and .4 bpp, ten splits",
        {**LAPTOP, "payloads": (0.4, 0.2), "schemes": SCHEMES},
    ),
    "paper": (
        "5000, 1000 and 4000 of 10,000 pictures of 256x256, SRM and four networks, .2 and .4 bpp",
        PAPER,
    ),
    "table1": (
        "asymmetric-cost paper's Table 1 whole: bases and adjusters, .2 and .4 bpp, runs in runs/",
        {**PAPER, "schemes": table1()},
    ),
    "table1_laptop": (
        "the same at .4 bpp on 600 photographs shrunk by 1.5, of runs of the presets laptop",
        {**LAPTOP, "payloads": (0.4,), "schemes": table1_laptop()},
    ),
    **{name: (line, {**PAPER, **tables(runs, "")}) for name, (line, runs) in RUNS.items()},
    **{
        f"small_{name}": (f"{line}; at the default's scale", tables(runs, "small_"))
        for name, (line, runs) in RUNS.items()
    },
}


def get_config(preset: str = "") -> ConfigDict:
    """The experiment, with the changes of a preset."""
    c = ConfigDict()
    c.experiment = "security"
    c.seed = 0
    c.covers = dict(
        source="embedded", data_dir="", preprocess=(), crop=128, tiles=12, limit=0, domain="pixels"
    )
    # Of JPEG covers, the quality they are compressed to; 0 leaves JPEG files as they are.
    c.covers.quality = 0
    c.payloads = (0.4,)
    c.schemes = ("covers", "lsb-matching", "wow", "suniward", "hill", "hill-cmd")
    c.steganalyzers = ("spam", "srmq1")
    c.splits = sections.splits(10, train=0.5, validation=0.0, test=0.5, curriculum=True)
    # 0 lets the out-of-bag error decide.
    c.ensemble = dict(subspace=0, learners=0)
    c.networks = dict(
        xunet=sections.attacker(
            "xunet",
            batch_size=8,
            steps=600,
            optimizer=dict(name="adam", learning_rate=1e-3),
            refresh=20,
            every=100,
        )
    )
    c.loader = dict(workers=0, threads=2, prefetch=2)
    c = presets.choose(c, PRESETS, preset)
    if preset == "zoo":
        c.schemes = (*c.schemes, *models())
    return c


def models() -> tuple[str, ...]:
    """The models on this machine that hide in a grey picture: by costs simulated and coded at the
    payload that they were trained at, by networks as they write.
    """
    from stegojax import run
    from stegojax.zoo import shelves

    schemes = []
    for model in shelves.models():
        config = json.loads((model.folder / shelves.CONFIG_NAME).read_text(encoding="utf-8"))
        if "method" not in config:  # no run's model
            continue
        entry, section = run.entry(ConfigDict(config))
        shape = entry.message(section) if entry.message else None
        if entry.use == "costs":
            bits = section["payload"]
            schemes.append(f"{model.name}/simulated=run:{model.label}@{bits:g}")
            schemes.append(f"{model.name}/coded=run:{model.label}+stc@{bits:g}")
        elif shape is not None and shape.depth:
            schemes.append(f"{model.name}/written=run:{model.label}@{shape.depth:g}")
    return tuple(schemes)
