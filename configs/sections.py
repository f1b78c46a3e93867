"""The sections that families of experiments share, and the changes that their presets share.

Builders give sections. Constants in capitals are changes for `PRESETS`: fields with dots and their
values. A run whose method has one stage is as long as `steps` or `epochs` says, and the other is 0;
where the method lists stages, they say how long they are, and both are 0.
"""

from typing import Any

from ml_collections import ConfigDict

TURNS = ("random_rot90", "random_flip")
"""What changes no statistics of a photograph."""

LFW = "tfds:lfw@train[:10000],train[10000:]"
"""Labeled Faces in the Wild as ISGAN's authors divide it (sec. 4): 10,000 for training, which are
5,000 pairs, the others held out.
"""

VOC = "tfds:voc/2012@train+validation+test[:4460],test[4460:9460]"
"""Pascal VOC 2012 likewise: 16,000 for training, 8,000 pairs, and 5,000 of the others. The paper
draws them at random; TFDS has them in an order that is none of the data set's.
"""

IMAGENET = "tfds:imagenet2012@validation,test[:30000]"
"""ImageNet likewise: its 50,000 validation pictures for training, 25,000 pairs, and 30,000 of its
test pictures.
"""

AT_SCALE = {"log_every": 50, "loader.workers": 8, "loader.threads": 4, "loader.prefetch": 4}
"""What every training on a large data set changes."""


def head(*, batch_size: int, steps: int = 0, log_every: int = 1) -> ConfigDict:
    """The fields that every run has beside its sections, and how its batches are loaded.

    Args:
      batch_size: examples in a step, over all devices.
      steps: of the run; 0 where `epochs` or the method's stages say.
      log_every: steps between lines of figures.
    """
    c = ConfigDict(
        dict(seed=0, batch_size=batch_size, epochs=0.0, steps=steps, log_every=log_every)
    )
    c.loader = dict(workers=0, threads=2, prefetch=2)
    return c


def pictures(crop: int, **fields) -> ConfigDict:
    """Data of single pictures.

    Args:
      crop: side of the squares cut from them, in pixels.
      **fields: further fields of `data.pipeline.pictures`, in place of these or beside them.
    """
    section = dict(
        kind="pictures",
        source="embedded",
        data_dir="",
        train_share=0.9,
        colour=False,
        preprocess=(),
        crop=crop,
        augment=TURNS,
        crops_per_photo=1,
    )
    return ConfigDict({**section, **fields})


def pairs(crop: int) -> ConfigDict:
    """Data of covers and secrets.

    Args:
      crop: side of the squares cut from them, in pixels.
    """
    return ConfigDict(
        dict(
            kind="pairs", source="embedded", secret_source="", data_dir="", preprocess=(), crop=crop
        )
    )


def evaluation(
    every: int,
    *,
    batches: int,
    crop: int = 0,
    refresh: int | None = None,
    steganalysis: str | None = None,
) -> ConfigDict:
    """What is measured during training.

    Args:
      every: steps between two evaluations.
      batches: of held-out examples.
      crop: side of the held-out squares; 0 for the training's.
      refresh: batches that bring BatchNorm's running statistics, which lag behind the weights, up
        to date before every evaluation; None for methods without.
      steganalysis: features whose detection error is measured, "" for none; None for methods that
        make no stegos.
    """
    section = dict(every=every, crop=crop, batches=batches)
    if refresh is not None:
        section["refresh_batches"] = refresh
    if steganalysis is not None:
        section["steganalysis"] = steganalysis
    return ConfigDict(section)


def report(batches: int, **reports: Any) -> ConfigDict:
    """What `--mode=evaluate` measures; nothing of it changes the training.

    Args:
      batches: of held-out examples for the mean figures.
      **reports: a section for each further report of the method.
    """
    return ConfigDict(dict(batches=batches, **reports))


def checkpoint(
    every: int, *, keep: int = 2, milestones: int = 0, best: str | None = None
) -> ConfigDict:
    """What is kept of a run.

    Args:
      every: steps between two checkpoints.
      keep: how many of the newest stay.
      milestones: how many stay for good, spread over the run.
      best: the held-out figure whose best state is kept beside them, "" for none.
    """
    section = dict(every=every, keep=keep, milestones=milestones)
    return ConfigDict(section if best is None else dict(section, best=best))


PICTURES_TINY = {
    "steps": 8,
    "data.crop": 32,
    "method.width": 0.125,
    "evaluation.every": 4,
    "evaluation.crop": 0,
    "evaluation.batches": 1,
    "report.batches": 2,
    "checkpoint.every": 4,
}


def pictures_paper(source: str, *, epochs: float, side: int = 256) -> dict[str, Any]:
    """Changes for hiding pictures in pictures at a paper's scale.

    Args:
      source: of the covers, and of the secrets where nothing else is said.
      epochs: length of the training.
      side: of the pictures.
    """
    return {
        **AT_SCALE,
        "steps": 0,
        "epochs": epochs,
        "data.source": source,
        "data.crop": side,
        "data.preprocess": (f"resize:{side}", f"centre_crop:{side}"),
        "evaluation.every": 5000,
        "evaluation.crop": 0,
        "evaluation.batches": 50,
        "report.batches": 500,
        "checkpoint.every": 1000,
    }


def steganalyzer(
    network: str,
    *,
    batch_size: int,
    steps: int,
    crop: int,
    width: float,
    optimizer: dict[str, Any],
    payload: float = 1.0,
    every: int = 150,
    batches: int = 16,
    refresh: int = 20,
) -> ConfigDict:
    """A steganalyzer on LSB matching, drawn anew every step, in the bundled photographs.

    Args:
      network: a name in `methods.steganalyzer.NETWORKS`.
      batch_size: covers in a step; as many stegos come with them.
      steps: length of the training.
      crop: side of the squares, in pixels.
      width: multiplies the network's channels.
      optimizer: its optimiser's section.
      payload: bits per pixel.
      every: steps between evaluations, and between checkpoints.
      batches: held-out batches of an evaluation; a fourth of the report's.
      refresh: see `evaluation`.
    """
    c = head(batch_size=batch_size, steps=steps)
    c.method = dict(
        name="steganalyzer",
        network=network,
        network_from="",
        scheme="lsbm",
        payload=payload,
        curriculum=(),
        width=width,
        optimizer=optimizer,
        # Of the JPEG files that the pictures become, 1 to 100; 0 for pixels.
        jpeg_quality=0,
    )
    c.data = pictures(crop, train_share=0.5)
    c.evaluation = evaluation(every, batches=batches, refresh=refresh)
    c.report = report(4 * batches)
    c.checkpoint = checkpoint(every, best="accuracy")
    return c


STEGANALYZER_TINY = {
    "batch_size": 4,
    "steps": 8,
    "data.crop": 32,
    "evaluation.every": 4,
    "evaluation.batches": 1,
    "evaluation.refresh_batches": 2,
    "report.batches": 2,
    "checkpoint.every": 4,
}

STEGANALYZER_LAPTOP = {
    "steps": 0,
    "log_every": 20,
    "method.scheme": "hill",
    "method.payload": 0.4,
    "method.curriculum": ((1.0, 1000), (0.7, 400), (0.4, 7600)),
    "method.optimizer": dict(
        name="adam", learning_rate=1e-3, factor=0.3, milestones=(5500.0, 7500.0), unit="steps"
    ),
    "data.source": "folder:photographs",
    "data.crop": 128,
    "data.preprocess": ("grey", "shrink:1.5"),
    "data.train_share": 0.85,
    "evaluation.every": 500,
    "evaluation.batches": 20,
    "evaluation.refresh_batches": 40,
    "report.batches": 80,
    "checkpoint.every": 250,
}
"""HILL at 0.4 bits per pixel by way of 1 and 0.7, on a folder of photographs shrunk by 1.5."""

STEGANALYZER_PAPER = {
    **AT_SCALE,
    "method.scheme": "hill",
    "method.payload": 0.4,
    "method.width": 1.0,
    "data.source": "folder:bossbase",
    "data.crop": 256,
    "data.preprocess": ("resize:256",),
    "evaluation.every": 1000,
    "evaluation.batches": 50,
    "evaluation.refresh_batches": 50,
    "checkpoint.every": 1000,
}
"""HILL at 0.4 bits per pixel on pictures of 256x256."""

STEGANALYZER_JPEG = {"method.jpeg_quality": 75, "method.scheme": "nsf5", "method.payload": 0.4}
"""nsF5 at 0.4 bits per non-zero AC coefficient in JPEG files of quality 75."""

JPEG_PAPER = {"method.jpeg_quality": 75, "method.scheme": "juniward", "method.payload": 0.4}
"""J-UNIWARD likewise."""

READY_MADE_STEGOS = {
    "data": dict(
        kind="cover_stego",
        covers="",
        stegos="",
        parts="",
        train_share=0.5,
        preprocess=(),
        crop=256,
        augment=TURNS,
        held_out_crop="centre",
        crops_per_photo=1,
    )
}


def curriculum(*parts: tuple[float, int]) -> dict[str, Any]:
    """Changes for a training that begins with a higher payload.

    Args:
      *parts: bits per pixel and steps of each stage, the last at the payload wanted.
    """
    return {"steps": 0, "epochs": 0.0, "method.payload": parts[-1][0], "method.curriculum": parts}


def attacker(
    network: str,
    *,
    batch_size: int,
    optimizer: dict[str, Any],
    steps: int = 0,
    epochs: float = 0.0,
    width: float = 1.0,
    refresh: int = 0,
    every: int = 1000,
) -> ConfigDict:
    """A network that the security protocol trains; the protocol sets its data and its batches.

    Args:
      network: a name in `methods.steganalyzer.NETWORKS`.
      batch_size: pairs in a step.
      optimizer: its optimiser's section.
      steps, epochs: length of the training; one of them is 0.
      width: multiplies the network's channels.
      refresh: see `evaluation`.
      every: steps between evaluations, and between checkpoints.
    """
    c = ConfigDict(dict(seed=0, batch_size=batch_size, epochs=epochs, steps=steps, log_every=1))
    c.method = dict(
        name="steganalyzer",
        network=network,
        network_from="",
        scheme="hill",
        payload=0.4,
        curriculum=(),
        width=width,
        optimizer=optimizer,
    )
    c.evaluation = evaluation(every, batches=1, refresh=refresh)
    c.report = report(1)
    c.checkpoint = checkpoint(every, keep=1, best="accuracy")
    return c


def splits(count: int, *, train: float, validation: float, test: float, curriculum: bool) -> dict:
    """How the security protocol divides the photographs.

    Args:
      count: divisions at random; networks are trained on the first alone.
      train, validation, test: shares of the photographs.
      curriculum: whether networks start from their next higher payload.
    """
    return dict(
        count=count,
        networks=1,
        train=train,
        validation=validation,
        test=test,
        curriculum=curriculum,
    )


def cost_security() -> dict[str, Any]:
    """Table 1's rows for a run that has learned costs, its initial scheme and CMD."""
    return dict(
        covers=dict(source="embedded", data_dir="", preprocess=(), crop=128, tiles=12, limit=0),
        steganalyzers=("spam", "srmq1"),
        splits=splits(5, train=0.5, validation=0.0, test=0.5, curriculum=False),
        ensemble=dict(subspace=0, learners=0),
        # The networks among the steganalyzers; and whether stegos are really coded.
        networks=dict(),
        coded=False,
    )


SECURITY_TINY = {
    "report.security.covers.crop": 32,
    "report.security.covers.tiles": 1,
    "report.security.splits.count": 1,
    "report.security.ensemble.subspace": 50,
    "report.security.ensemble.learners": 11,
    "report.security.steganalyzers": ("spam",),
}

NOISES = {"jpeg": ("identity", "jpeg:75"), "resize": ("identity", "resize:0.75")}
NOISE_TITLES = {"jpeg": "JPEG compression", "resize": "resizing there and back"}
"""What presets train to survive, one of two in every step."""


def under_attack() -> dict[str, Any]:
    """The report "noise": what else is trained beside a run, by name, and which attacks their
    stegos go through.
    """
    return dict(
        beside=dict(none=(), **NOISES),
        attacks=("none", "jpeg:95", "jpeg:90", "jpeg:75", "jpeg:50")
        + ("resize:0.9", "resize:0.75", "resize:0.5"),
    )


JOINT_TRAINING = dict(
    # Of the cover's weight, at the first step: with all of it a short training ends in copying the
    # cover.
    first_cover_weight=0.001,
    # What stands for rounding in the first two stages: nothing, straight_through or noise.
    rounding="none",
    # What may happen to the stego before it is read, one of them in every step: NAME, or
    # NAME:STRENGTH.
    noise=(),
    joint_choice="accuracy_rounded",
    # Of the lengths of warm-up, joint and separable stage.
    stage_unit="steps",
)
"""Fields of `method` that all systems trained in three stages have."""


BITS_LAPTOP = {
    "batch_size": 16,
    "data.source": "folder:photographs",
    "data.train_share": 0.9,
    "evaluation.every": 500,
    "evaluation.batches": 8,
    "report.batches": 40,
    "checkpoint.every": 250,
    "method.stage_lengths": (1000, 5000, 2000),
    "method.optimizer": dict(
        name="adam", learning_rate=2e-3, factor=0.5, every=1000.0, after=2000.0, unit="steps"
    ),
    "method.image_decoder_optimizer": dict(
        name="adam", learning_rate=1e-3, factor=0.5, every=400.0, unit="steps"
    ),
}
"""Changes that train a system that hides bits on a folder of photographs for about an hour."""


def bit_hider(
    *,
    batch_size: int = 8,
    colour: bool,
    every: int = 100,
    crop: int = 64,
    batches: int = 2,
    report_batches: int = 16,
) -> ConfigDict:
    """A system that hides bits, but for its `method`, on 32x32 crops of the bundled photographs.

    The photographs have three parts: for training; held out, by which a stage's best state is
    chosen; and for testing, of which the reports' figures are. The reports are those of whole
    photographs, of another source besides where `report.bits.cross_source` names one, and the
    security protocol on photographs that the run was not trained on.

    Args:
      batch_size: covers in a step.
      colour: whether covers have three channels.
      every: steps between evaluations.
      crop: side of held-out squares in evaluations and in the security protocol.
      batches: held-out batches of an evaluation.
      report_batches: held-out batches of the report.
    """
    c = head(batch_size=batch_size)
    # Of the photographs not trained on, two of four: the joint stage is chosen by the others.
    c.data = pictures(32, colour=colour, test_share=0.6)
    c.evaluation = evaluation(
        every, batches=batches, crop=0 if crop == c.data.crop else crop, refresh=20
    )
    srnet = attacker(
        "srnet",
        batch_size=4,
        steps=150,
        width=0.25,
        optimizer=dict(name="adamax", learning_rate=3e-3),
        refresh=20,
        every=50,
    )
    same = ("source", "data_dir", "preprocess", "train_share")
    covers = {name: c.data.get_oneway_ref(name) for name in same}
    c.report = report(
        report_batches,
        bits=dict(photographs=4, cross_source=""),
        security=dict(
            covers=dict(covers, photographs="held_out", crop=crop, tiles=24, limit=0),
            steganalyzers=("spam", "srnet"),
            splits=splits(5, train=0.5, validation=0.25, test=0.25, curriculum=False),
            ensemble=dict(subspace=0, learners=0),
            networks=dict(srnet=srnet),
        ),
        noise=under_attack(),
    )
    c.checkpoint = checkpoint(100)
    return c


BITS_TINY = {
    **SECURITY_TINY,
    "batch_size": 4,
    "method.stage_lengths": (2, 4, 4),
    "evaluation.every": 2,
    "evaluation.crop": 0,
    "evaluation.batches": 1,
    "evaluation.refresh_batches": 2,
    "report.batches": 2,
    "report.bits.photographs": 1,
    "checkpoint.every": 2,
}


def bits_paper(
    source: str, *, crop: int, every: int, batches: int, preprocess: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Changes for hiding bits at a paper's scale, the lengths of its stages in epochs.

    Args:
      source: of the covers.
      crop: side of the covers.
      every: steps between evaluations, and between checkpoints.
      batches: held-out batches of an evaluation and of the report.
      preprocess: what is done to the covers before.
    """
    srnet = "report.security.networks.srnet"
    return {
        **AT_SCALE,
        "method.stage_unit": "epochs",
        "data.source": source,
        "data.preprocess": preprocess,
        "data.augment": (),
        "data.crop": crop,
        "data.test_share": 0.5,
        "evaluation.every": every,
        "evaluation.crop": 0,
        "evaluation.batches": batches,
        "evaluation.refresh_batches": 50,
        "report.batches": batches,
        "report.bits.photographs": 1000,
        "report.security.covers.crop": crop,
        "report.security.covers.tiles": 1,
        "report.security.splits.count": 1,
        "report.security.splits.validation": 0.1,
        "report.security.splits.test": 0.4,
        f"{srnet}.batch_size": 16,
        f"{srnet}.steps": 500_000,
        f"{srnet}.method.width": 1.0,
        f"{srnet}.method.optimizer": SRNET_PAPER,
        f"{srnet}.evaluation.every": 5000,
        f"{srnet}.checkpoint.every": 5000,
        "checkpoint.every": every,
    }


XUNET_PAPER = dict(
    name="sgd", learning_rate=1e-3, momentum=0.9, factor=0.9, every=5000.0, unit="steps"
)
YEDROUDJNET_PAPER = dict(
    name="sgd",
    learning_rate=0.01,
    momentum=0.95,
    weight_decay=1e-4,
    factor=0.1,
    milestones=(62.5, 125.0, 187.5),
)
SRNET_PAPER = dict(
    name="adamax",
    learning_rate=1e-3,
    weight_decay=2e-4,
    decayed="convolutions",
    factor=0.1,
    milestones=(400_000.0,),
    unit="steps",
)
DENGNET_PAPER = dict(
    name="sgd",
    learning_rate=0.01,
    momentum=0.9,
    weight_decay=5e-4,
    factor=0.1,
    milestones=(80.0, 140.0, 180.0),
)

ATTACKERS_PAPER = dict(
    xunet=attacker("xunet", batch_size=32, steps=120_000, optimizer=XUNET_PAPER),
    yedroudjnet=attacker(
        "yedroudjnet", batch_size=16, epochs=250.0, refresh=50, optimizer=YEDROUDJNET_PAPER
    ),
    srnet=attacker("srnet", batch_size=16, steps=500_000, every=5000, optimizer=SRNET_PAPER),
    dengnet=attacker("dengnet", batch_size=16, epochs=200.0, refresh=313, optimizer=DENGNET_PAPER),
)
"""The networks of the asymmetric-cost paper, as it trains them."""

COST_SECURITY_PAPER = {
    "report.security.covers.source": "folder:bossbase-bows2",
    "report.security.covers.crop": 256,
    "report.security.covers.tiles": 1,
    "report.security.covers.preprocess": ("resize:256",),
    "report.security.covers.limit": 10_000,
    "report.security.steganalyzers": ("srm", "xunet", "yedroudjnet", "srnet", "dengnet"),
    "report.security.splits.count": 1,
    "report.security.splits.validation": 0.1,
    "report.security.splits.test": 0.4,
    "report.security.networks": ATTACKERS_PAPER,
    "report.security.coded": True,
}
"""10,000 of BOSSBase and BOWS2 in one folder, divided into 5,000, 1,000 and 4,000, under the
paper's five steganalyzers, with real STC.
"""


def cover_maker(size: int, *, covers: dict[str, Any]) -> ConfigDict:
    """A system that makes covers, but for its `method`, on small views of colour photographs.

    Args:
      size: side of the pictures made.
      covers: the settings of its report in which they differ from `report.covers` here: for how
        long steganalyzers are trained afterwards, and how.
    """
    c = head(batch_size=16, steps=300)
    # Small views of whole scenes, as faces are small views of whole heads.
    c.data = pictures(
        size,
        source="embedded:colour",
        colour=True,
        preprocess=(f"resize:{size * 3 // 2}",),
        augment=("random_flip",),
        held_out_crop="random",
    )
    c.evaluation = evaluation(100, batches=4)
    # On how many covers steganalyzers are trained afterwards, against which embeddings; how many
    # further steps the generator gets for S3; and the file of an Inception network for FID.
    c.report = report(
        16,
        covers=dict(
            pictures=1024,
            test_pictures=512,
            schemes=("lsb-matching",),
            tuning_steps=40,
            weights="",
            # Work directories of runs that have a column in Tables 1 and 2 beside this one.
            beside=(),
            **covers,
        ),
    )
    c.checkpoint = checkpoint(100, milestones=3)
    return c


COVERS_TINY = {
    "batch_size": 8,
    "steps": 4,
    "method.size": 16,
    "method.width": 0.125,
    "data.crop": 16,
    "evaluation.every": 4,
    "evaluation.batches": 1,
    "report.batches": 2,
    "report.covers.pictures": 16,
    "report.covers.test_pictures": 8,
    "report.covers.steps": 2,
    "report.covers.tuning_steps": 2,
    "checkpoint.every": 4,
}

COVERS_PAPER = {
    **AT_SCALE,
    "batch_size": 64,
    "steps": 0,
    "epochs": 7.0,
    "method.size": 64,
    "method.width": 1.0,
    # 182,637 of its 202,599 pictures, the paper's 90 %.
    "data.source": "tfds:celeb_a@train+validation,test",
    "data.preprocess": ("centre_crop:108", "resize:64"),
    "data.crop": 64,
    "evaluation.every": 2000,
    "evaluation.batches": 10,
    "report.batches": 50,
    "report.covers.pictures": 50_000,
    "report.covers.test_pictures": 10_000,
    "report.covers.steps": 6000,
    "report.covers.tuning_steps": 9000,
    "checkpoint.every": 1000,
    "checkpoint.milestones": 7,
}
"""CelebA at 64x64, for 7 epochs."""


def symmetric_costs(name: str, **fields: Any) -> ConfigDict:
    """A learner of symmetric costs on 64x64 crops of the bundled photographs, thin and shallow.

    Args:
      name: of the method.
      **fields: of its section, in place of these or beside them.
    """
    c = head(batch_size=8)
    adam = dict(name="adam", learning_rate=1e-3)
    method = dict(
        name=name,
        payload=0.4,
        # (payload, steps) of each stage; and the steps before them, of a learned simulator and of
        # steganalyzers that learn to find what the generator starts with.
        curriculum=((1.0, 300), (0.4, 100)),
        staircase_steps=0,
        warm_up_steps=400,
        # A cost that the generator first learns, in so many steps; and how often the steganalyzers'
        # steps and those of the costs are gone through.
        imitated="",
        imitation_steps=0,
        rounds=1,
        generator="unet",
        output="halved",
        # Equal probabilities that carry the first payload; the papers' output starts about 0.
        uniform_start=True,
        width=0.25,
        depth=4,
        dropout=0.0,
        simulator="staircase",
        tes_activation="sigmoid",
        shown="",
        guidance="reward",
        reward="centred",
        guidance_weight=61.0,
        payload_weight=1e4,
        networks=("xunet6",),
        steganalyzer_width=1.0,
        learns="all",
        guides="all",
        steadiness=1,
        # Runs whose networks these begin from.
        d1_from="",
        d2_from="",
        d3_from="",
        generator_from="",
        # Of the JPEG files that the pictures become, 1 to 100; 0 for pixels.
        jpeg_quality=0,
        generator_optimizer=adam,
        steganalyzer_optimizer=adam,
    )
    c.method = {**method, **fields}
    c.data = pictures(64)
    c.evaluation = evaluation(100, batches=4, refresh=20, steganalysis="")
    c.report = report(16, security=cost_security())
    c.checkpoint = checkpoint(100, best="")
    return c


SYMMETRIC_COSTS_TINY = {
    "evaluation.refresh_batches": 2,
    **SECURITY_TINY,
    "batch_size": 4,
    "method.curriculum": ((0.4, 4),),
    "method.warm_up_steps": 4,
    "method.depth": 3,
    "method.steganalyzer_width": 0.25,
    "data.crop": 32,
    "evaluation.every": 4,
    "evaluation.batches": 1,
    "report.batches": 2,
    "checkpoint.every": 4,
}

SYMMETRIC_COSTS_LAPTOP = {
    "log_every": 10,
    "method.curriculum": ((0.4, 6000),),
    "method.warm_up_steps": 50,
    "method.steganalyzer_optimizer": dict(name="adam", learning_rate=1e-4),
    "method.width": 0.5,
    "method.depth": 7,
    "method.generator_optimizer": dict(
        name="adam", learning_rate=1e-3, factor=0.3, milestones=(4500.0,), unit="steps"
    ),
    "data.source": "folder:photographs",
    "data.crop": 128,
    "data.preprocess": ("grey", "shrink:1.5"),
    "data.train_share": 0.85,
    "evaluation.every": 500,
    "evaluation.batches": 40,
    "report.batches": 40,
    "checkpoint.every": 250,
}
"""At most two hours on two cores, on a folder of photographs shrunk by 1.5."""

SYMMETRIC_COSTS_PAPER = {
    **AT_SCALE,
    **COST_SECURITY_PAPER,
    "batch_size": 25,
    "method.curriculum": (),
    "method.warm_up_steps": 0,
    "method.uniform_start": False,
    "method.width": 1.0,
    "method.depth": 8,
    "method.dropout": 0.5,
    "method.reward": "raw",
    "method.guidance_weight": 6.1,
    "method.payload_weight": 430.0,
    "method.generator_optimizer": dict(name="adam", learning_rate=1e-4),
    "method.steganalyzer_optimizer": dict(name="adam", learning_rate=1e-4),
    "data.source": "folder:szubase",
    "data.train_share": 0.99,
    "data.preprocess": ("resize:256",),
    "data.crop": 256,
    "evaluation.every": 5000,
    "evaluation.batches": 20,
    "report.batches": 100,
    "checkpoint.every": 1000,
    "checkpoint.milestones": 4,
}
"""256x256 pictures of SZUBase, the papers' constants."""

DECEIVED_LAPTOP = {
    "steps": 100,
    "method.network_from": "xunet-hill@1",
    "method.optimizer": dict(name="adam", learning_rate=1e-5),
    "data.source": "folder:photographs",
    "data.crop": 128,
    "data.preprocess": ("grey", "shrink:1.5"),
    "data.train_share": 0.85,
    "evaluation.every": 50,
    "evaluation.batches": 20,
    "evaluation.refresh_batches": 40,
    "report.batches": 8,
    "checkpoint.every": 50,
}
"""The Xu-Net that ships, a little further, as the steganalyzer to be deceived."""


def on_bases(paper: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Presets of an adjuster for each initial scheme and payload of the asymmetric-cost paper's
    Table 1 beside HILL at .4 bpp.

    Args:
      paper: the changes of its preset for HILL at .4 bpp.
    """
    presets = {}
    for base, title in (("hill", "HILL"), ("wow", "WOW"), ("suniward", "S-UNIWARD")):
        for payload, ending in ((0.4, ""), (0.2, "_02")):
            line = f"Table 1: {title} as initial scheme, {payload} bpp"
            changes = {**paper, "method.scheme": base, "method.payload": payload}
            presets[f"{base}{ending}"] = (line, changes)
    del presets["hill"]  # It is the paper preset.
    return presets


DECEIVED_PAPER = {
    **AT_SCALE,
    **COST_SECURITY_PAPER,
    "steps": 0,
    "epochs": 200.0,
    "method.network": "dengnet",
    "method.optimizer": DENGNET_PAPER,
    "data.source": "folder:bossbase",
    "data.crop": 256,
    "data.preprocess": ("resize:256",),
    "evaluation.every": 1000,
    "evaluation.batches": 50,
    "evaluation.refresh_batches": 313,
    "report.batches": 312,
    "checkpoint.every": 1000,
}
"""Changes that train, at the paper's scale, the steganalyzer that is to be deceived."""


def deceiver(name: str, **fields) -> ConfigDict:
    """A way to deceive a steganalyzer, which is Xu-Net on 64x64 crops of the bundled photographs.

    Args:
      name: of the method.
      **fields: its own.
    """
    # As many stegos come with the covers.
    c = head(batch_size=16, steps=1200)
    c.method = dict(
        name=name,
        scheme="hill",
        payload=0.4,
        factor=2.0,
        network="xunet",
        network_from="",
        curriculum=(),
        width=1.0,
        optimizer=dict(name="sgd", learning_rate=1e-3, momentum=0.9),
        **fields,
    )
    c.data = pictures(64, train_share=0.5)
    c.evaluation = evaluation(300, batches=8, refresh=20)
    c.report = report(32, security=cost_security())
    c.checkpoint = checkpoint(300, best="accuracy")
    return c
