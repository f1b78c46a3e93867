"""What `stegojax detect` says where no run is named: whether a picture looks like a stego to the
steganalyzers that come with the package, at false-alarm rates that were measured on covers that
nobody was trained on; or that it cannot tell, where the picture is unlike those covers.

The window in the middle of a picture is judged, plane by plane. A steganalyzer's scores of the
planes are averaged and standardised by the held-out covers'; the lowest over the steganalyzers, so
that the one in doubt decides, is compared with the thresholds. Grey and colour pictures have
thresholds of their own.

Two tests say whether a picture is like the training covers: how far its features are from theirs
(`steganalysis.familiarity`), and the votes of an ensemble that has learned to tell these covers and
their stegos from the same photographs processed otherwise.

A panel is a model (see `zoo`) with "experiment": "verdicts" in its config.json, whose weights are
the two ensembles and what the training covers are like.
"""

from __future__ import annotations

import csv
import functools
import io
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stegojax import files, images, run
from stegojax.data import preprocess
from stegojax.data.sources import open_source
from stegojax.errors import InputError
from stegojax.methods import network as networks
from stegojax.methods import steganalyzer
from stegojax.security import ensembles
from stegojax.steganalysis import ensemble, familiarity
from stegojax.zoo import shelves, weights

PANEL = "verdicts"
"""The name of the model that judges where none is named, and the `experiment` of its config."""

STEGO, CLEAR, UNKNOWN = "stego", "no sign", "cannot tell"
KINDS = ("grey", "colour")
ENSEMBLE_ARRAYS = ("subspaces", "weights", "thresholds")
"""Of an ensemble, those that are kept, in the order of its fields."""
RATES = (0.01, 0.05)
"""False-alarm rates at which thresholds are set."""


class Calibration(NamedTuple):
    """Scores of held-out covers of one kind.

    means:      of each steganalyzer's scores.
    spreads:    their standard deviations.
    thresholds: of the lowest standardised score, by false-alarm rate.
    """

    means: tuple[float, ...]
    spreads: tuple[float, ...]
    thresholds: Mapping[float, float]


class Panel(NamedTuple):
    """Steganalyzers that judge together.

    sources:      of each steganalyzer: what it is and was trained on, in words.
    measure:      planes `[N, S, S]` -> scores `[N, steganalyzers]`, and how unlike the training
                  covers they are, `[N, 2]`: the distance, and the votes for other processing.
    limits:       the most of either at which a verdict is given.
    window:       S, the side of the window that is judged.
    calibrations: by kind.
    """

    sources: tuple[str, ...]
    measure: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    limits: tuple[float, float]
    window: int
    calibrations: Mapping[str, Calibration]


class Verdict(NamedTuple):
    """What is said of one picture.

    path:    of the file.
    verdict: `STEGO`, `CLEAR` or `UNKNOWN`; "" where the file could not be read.
    why:     in words.
    scores:  of the steganalyzers, standardised by held-out covers'; empty where nothing was judged.
    error:   why the file could not be read, "" where it could.
    """

    path: str
    verdict: str
    why: str
    scores: tuple[float, ...] = ()
    error: str = ""


def load(place: str | os.PathLike = PANEL) -> Panel:
    """Opens a panel.

    Args:
      place: the name of a model, or its folder.

    Returns:
      The panel.

    Raises:
      InputError: there is none, or it is damaged.
    """
    folder = shelves.locate(place).folder
    arrays = weights.read_arrays(folder)[1]
    try:
        config = json.loads((folder / shelves.CONFIG_NAME).read_text(encoding="utf-8"))
        count = int(config["feature count"])
        familiar = familiarity.Familiar(
            *(
                arrays[f"familiar/{name}"].astype(np.float64)
                for name in familiarity.Familiar._fields
            )
        )
        return Panel(
            tuple(config["sources"]),
            measure(
                config["features"],
                _ensemble(arrays, "stego", count),
                run.load(config["network"]),
                familiar,
                _ensemble(arrays, "foreign", count),
            ),
            tuple(map(float, config["limits"])),
            int(config["window"]),
            {kind: _calibration(config["calibrations"][kind]) for kind in KINDS},
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder} is no panel of steganalyzers ({error})") from error


def measure(
    features: str,
    stego: ensemble.Ensemble,
    network: run.Loaded,
    familiar: familiarity.Familiar,
    foreign: ensemble.Ensemble,
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """All that is measured of planes.

    Args:
      features: that ensembles and distance take, a name in `security.FEATURES`.
      stego: the ensemble that votes for stegos.
      network: a steganalyzer's run.
      familiar: what the training covers are like.
      foreign: the ensemble that votes for other processing.

    Returns:
      `planes [N, S, S] -> scores [N, 2], unlike [N, 2]`: the votes and the network's margins; the
      distances and the votes for other processing.
    """
    compute, margin = jax.jit(ensembles.FEATURES[features].compute), margins(network)

    def measured(planes):
        given = jnp.asarray(planes, jnp.float32)
        rows = np.asarray(compute(given))
        scores = [ensemble.votes(stego, rows), np.asarray(margin(given), np.float64)]
        unlike = [familiarity.distance(familiar, rows), ensemble.votes(foreign, rows)]
        return np.stack(scores, axis=1), np.stack(unlike, axis=1)

    return measured


def margins(network: run.Loaded) -> Callable[[np.ndarray], jax.Array]:
    """How much more a network's logits say "stego" than "cover".

    Args:
      network: a steganalyzer's run.

    Returns:
      `planes [N, S, S] float32 -> [N]`.
    """
    section, name = network.config.method, steganalyzer.NAME
    module = steganalyzer.build(section.network, width=section.width)

    @jax.jit
    def margin(planes):
        params, stats = network.state.params[name], network.state.batch_stats[name]
        logits = networks.apply(module, params, stats, planes[..., None])
        return logits[:, steganalyzer.STEGO] - logits[:, steganalyzer.COVER]

    return margin


def calibrate(covers: np.ndarray, *, rates: Sequence[float] = RATES) -> Calibration:
    """Thresholds that held-out covers pass at given rates.

    Args:
      covers: `[N, steganalyzers]`, the scores of covers of one kind.
      rates: shares of covers above the thresholds.

    Returns:
      The calibration.
    """
    means, spreads = covers.mean(axis=0), covers.std(axis=0)
    together = np.min((covers - means) / spreads, axis=1)
    quantiles = {rate: float(np.quantile(together, 1 - rate, method="higher")) for rate in rates}
    return Calibration(tuple(means), tuple(spreads), quantiles)


def standardised(calibration: Calibration, scores: np.ndarray) -> np.ndarray:
    """Scores in the held-out covers' standard deviations above their mean.

    Args:
      calibration: of the kind of picture.
      scores: `[..., steganalyzers]`.

    Returns:
      Same shape.
    """
    return (scores - np.asarray(calibration.means)) / np.asarray(calibration.spreads)


def planes_of(pixels: np.ndarray, window: int) -> np.ndarray | None:
    """The planes that are judged of a picture.

    Args:
      pixels: uint8 `[H, W, C]`.
      window: S.

    Returns:
      float32 `[1 or 3, S, S]`, one where all channels are equal; None where it is smaller.
    """
    if min(pixels.shape[:2]) < window:
        return None
    cut = np.moveaxis(preprocess.centre_crop(pixels, (window, window)), -1, 0)
    return (cut[:1] if (cut == cut[:1]).all() else cut).astype(np.float32)


def judge(panel: Panel, paths: Sequence[str]) -> Iterator[Verdict]:
    """Judges picture files one after another.

    Args:
      panel: from `load`.
      paths: the files.

    Yields:
      One verdict each, in order; a file that cannot be read has its error and does not end the
      others.
    """
    for path in paths:
        try:
            yield _judged(panel, str(path))
        except (InputError, OSError) as error:
            text = str(error) if str(path) in str(error) else f"{path}: {error}"
            yield Verdict(str(path), "", "", error=text)


def embedded_figures(panel: Panel) -> dict[str, float]:
    """What a panel says of some of the bundled photographs, to check a copy by.

    Args:
      panel: any.

    Returns:
      The means of the distances and of every steganalyzer's scores.
    """
    source = open_source("embedded", "held_out")
    cut = [planes_of(preprocess.to_grey(source[number]), panel.window) for number in range(2)]
    planes = np.concatenate([each for each in cut if each is not None])
    scores, unlike = panel.measure(planes)
    return {
        "distance": float(unlike[:, 0].mean()),
        "votes for other processing": float(unlike[:, 1].mean()),
        **{
            f"score of steganalyzer {number}": float(each)
            for number, each in enumerate(scores.mean(axis=0), 1)
        },
    }


def _judged(panel: Panel, path: str) -> Verdict:
    picture = images.read(path)
    unknown = functools.partial(Verdict, path, UNKNOWN)
    if picture.lossy:
        return unknown(
            f"a {picture.lossy} file, and the covers of the training were not compressed again"
        )
    planes = planes_of(picture.pixels, panel.window)
    if planes is None:
        height, width = picture.pixels.shape[:2]
        return unknown(f"{width}x{height}, and {panel.window}x{panel.window} are needed")
    measured, unlike = panel.measure(planes)
    # One strange channel is enough.
    excess = unlike.max(axis=0) - panel.limits
    if not (excess <= 0).all():
        which = "in noise and texture" if excess[0] > 0 else "in how it was processed"
        number = int(excess[0] <= 0)
        return unknown(
            f"unlike the covers of the training {which}: {unlike.max(axis=0)[number]:.2f}, where "
            f"{panel.limits[number]:.2f} is the most"
        )
    calibration = panel.calibrations[KINDS[len(planes) > 1]]
    scores = standardised(calibration, measured.mean(axis=0))
    together = float(scores.min())
    passed = [rate for rate, least in calibration.thresholds.items() if together > least]
    said = tuple(float(score) for score in scores)
    if not passed:
        return Verdict(path, CLEAR, f"under the {max(RATES):.0%} threshold", said)
    return Verdict(path, STEGO, f"{min(passed):.0%} of covers look as much like one", said)


def line(panel: Panel, verdict: Verdict) -> str:
    """A verdict in one line.

    Args:
      panel: that gave it.
      verdict: of a file that could be read.

    Returns:
      The file, the verdict and why.
    """
    names = [source.split(",")[0] for source in panel.sources]
    scores = ", ".join(f"{name} {score:+.1f}" for name, score in zip(names, verdict.scores))
    return f"{verdict.path}: {verdict.verdict} ({verdict.why}{'; ' + scores if scores else ''})"


def write_csv(
    path: str | pathlib.Path, panel: Panel, verdicts: Sequence[Verdict], *, overwrite: bool = False
) -> None:
    """Writes verdicts as a CSV file: path, verdict, why, a column for each steganalyzer, error.

    Args:
      path: the file.
      panel: that gave them.
      verdicts: from `judge`.
      overwrite: whether an existing file may be replaced.

    Raises:
      InputError: it exists or cannot be written.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["path", "verdict", "why", *panel.sources, "error"])
    for each in verdicts:
        scores = [f"{score:.4f}" for score in each.scores] or [""] * len(panel.sources)
        writer.writerow([each.path, each.verdict, each.why, *scores, each.error])
    files.write(path, lambda file: file.write(buffer.getvalue().encode()), overwrite=overwrite)


def _ensemble(arrays: Mapping[str, np.ndarray], name: str, features: int) -> ensemble.Ensemble:
    parts = (arrays[f"{name}/{part}"] for part in ENSEMBLE_ARRAYS)
    return ensemble.Ensemble(*parts, oob_errors=np.zeros(0), trials=(), features=features)


def _calibration(section: Mapping[str, Any]) -> Calibration:
    thresholds = {float(rate): float(value) for rate, value in section["thresholds"].items()}
    return Calibration(tuple(section["means"]), tuple(section["spreads"]), thresholds)
