"""Runs that have learned costs, in the layout of the asymmetric-cost paper: how long they take
(Table 2), and how well they are found beside what they started from (Table 1).
"""

from __future__ import annotations

import pathlib
import re
import time
from typing import Any

import ml_collections
import numpy as np

from stegojax import embed, envelope, run, security, train
from stegojax.coding import ternary
from stegojax.data import pipeline
from stegojax.domains import JPEG, PIXELS
from stegojax.methods.asymmetric import LEARNED
from stegojax.methods.medium import of_quality
from stegojax.protocols.quality import model_name
from stegojax.tables import markdown
from stegojax.types import Cover

_TIMED = 3


def times(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """The two times of the paper's Table 2, on this machine.

    Args:
      config: of the run.
      workdir: of the run.
      loaded: the run.

    Returns:
      The table; and "times": "training_hours" and "seconds_per_stego".
    """
    hours = training_hours(config)
    seconds = seconds_per_stego(config, loaded)
    text = "Times (Table 2), training projected from a few steps:\n\n" + markdown(
        ["Method", "Training (h)", "Generating a stego (s)"],
        [[model_name(config), f"{hours:.3g}", f"{seconds:.3f}"]],
    )
    return text, {"times": {"training_hours": hours, "seconds_per_stego": seconds}}


def training_hours(config: ml_collections.ConfigDict) -> float:
    """How long a training takes on this machine: a few steps of every stage, times its length.

    Args:
      config: of the run.

    Returns:
      Hours.
    """
    sizes = run.lengths(config)
    made = run.method(config, sizes, restored=True)
    stages = run.stages(made, sizes)
    seconds = [
        min(train.timed(config, made, steps=_TIMED, stage=n).steps) for n in range(len(stages))
    ]
    return sum(stage.steps * each for stage, each in zip(stages, seconds, strict=True)) / 3600


def seconds_per_stego(config: ml_collections.ConfigDict, loaded: run.Loaded) -> float:
    """How long a stego takes, pixels to pixels: costs, adjustment and syndrome-trellis coding of
    constraint height 10 for 256x256 covers in a batch of 8.

    Args:
      config: of the run.
      loaded: the run.

    Returns:
      Seconds, the fastest of a few batches.
    """
    named, section = run.entry(config)
    scheme = named.scheme(loaded.state, section, name=config.method.name, load=run.trained)
    photographs = pipeline.make(
        dict(kind="pictures", source="embedded", crop=256, held_out_crop="centre"),
        split="held_out",
        batch_size=1,
        seed=0,
    )
    with photographs as loader:
        pictures = [batch["cover"][0, ..., 0] for batch in loader]
    covers = np.stack([np.roll(pictures[i % len(pictures)], 7 * i, axis=0) for i in range(8)])
    rng = np.random.default_rng(0)
    medium = of_quality(config.method.get("jpeg_quality", 0))
    planes = np.asarray(medium.elements(covers[..., None]), np.int16)
    wholes = [Cover((plane,), side=(medium.side,) if medium.side else ()) for plane in planes]
    orders = [rng.permutation(covers[0].size) for _ in covers]
    bits = int(np.min(medium.bits(planes, config.method.payload)))
    messages = rng.integers(0, 2, (len(covers), bits)).astype(np.uint8)
    code, spent = ternary.stc_code(), []

    def make(version, rows):
        return embed.embed_with(
            [orders[row] for row in rows],
            [wholes[row] for row in rows],
            messages[rows],
            scheme=version,
            code=code,
            domain=medium.domain,
            grain=envelope.GRAIN,
        )

    for _ in range(1 + _TIMED):
        begin = time.perf_counter()
        embed.until_accepted(make, len(covers), scheme=scheme)
        spent.append(time.perf_counter() - begin)
    return min(spent[1:]) / len(covers)


def detection(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """The security protocol on a run that embeds by costs, on its initial scheme, and on that with
    CMD (of JPEG files, BBC), in WORKDIR/security.

    Args:
      config: of the run; `report.security` holds the protocol's sections, and "coded" in it whether
        stegos are made by STC in place of the simulator.
      workdir: of the run.
      loaded: the run.

    Returns:
      The protocol's tables; no figures, which lie in WORKDIR/security.
    """
    if not config.report.get("security", None):
        return "", {}
    base, payload = config.method.get("scheme", config.method.name), config.method.payload
    domain = JPEG if config.method.get("jpeg_quality", 0) else PIXELS
    recipe, row = ("bbc", "BBC") if domain is JPEG else ("cmd", "CMD")
    column = re.sub(r"[^\w.-]+", "_", base)
    code = "+stc" if config.report.security.get("coded", False) else ""
    after = f"run:{workdir}{code}@{payload:g}"
    own = f"{column}/Proposed={after}"
    if base in domain.costs:
        schemes = (base, f"{base}-{recipe}", own)
        if code:
            coded = f"{base}/{row}={base}-{recipe}{code}"
            schemes = (f"{base}/Baseline={base}{code}", coded, own)
    elif "scheme" not in config.method:
        rows = f"{column}/Baseline={after}", f"{column}/{row}={recipe}:{after}"
        known = "hill" if domain is PIXELS else domain.scheme
        schemes = (f"{known}/Baseline={known}{code}", *rows)
    else:
        # What another run has learned, or this one in its first stage.
        other = after if base == LEARNED else f"{base}{code}@{payload:g}"
        learned = f"{column}/{row}={recipe}:{other}"
        schemes = (f"{column}/Baseline=plain:{other}", learned, own)
    tables = security.of_a_run(config, workdir, schemes=schemes, payload=payload)
    return f"Detection (Table 1):\n\n{tables}", {}
