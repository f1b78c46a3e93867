"""Judging picture files with a trained steganalyzer: a network's run, or an ensemble that the
security protocol trained.

A score is between 0 and 1, higher for what looks like a stego. It is a probability only for
pictures drawn as in training: from the same cameras and processing, half of them stegos of the same
scheme at the same payload. Of other pictures it says little.
"""

from __future__ import annotations

import csv
import io
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import flax.errors
import jax
import jax.numpy as jnp
import numpy as np

from stegojax import domains, files, images, run
from stegojax.costs import dct
from stegojax.errors import InputError
from stegojax.methods import METHODS
from stegojax.security import ensembles
from stegojax.steganalysis import ensemble

REPORT = "detection"
"""What is reported of runs that detect, and of no others (`methods.Entry.reports`)."""


class Steganalyzer(NamedTuple):
    """A trained steganalyzer.

    score:      what `read` gives -> `[N]` in 0..1.
    trained_on: what it was trained on, in words.
    read:       a file's path -> what is judged of it: a picture's channels, float32 `[N, H, W]`; or
                a JPEG file's luminance, coefficients with their quantisation or pixels unrounded.
    """

    score: Callable[[Any], np.ndarray]
    trained_on: str
    read: Callable[[str], Any]


class Judgement(NamedTuple):
    """One picture's score, or why there is none.

    path:  of the file.
    score: 0..1, the mean over the colour channels, each judged as a plane; None where the picture
           could not be judged.
    error: why, "" where it could.
    """

    path: str
    score: float | None
    error: str


def load(folder: str | pathlib.Path) -> Steganalyzer:
    """Opens a trained steganalyzer.

    Args:
      folder: the work directory of a steganalyzer's run, or a folder of the security protocol's
        `steganalyzers/SCHEME/NAME/SPLIT`.

    Returns:
      The steganalyzer.

    Raises:
      InputError: the folder holds no trained steganalyzer.
    """
    folder = pathlib.Path(folder)
    if (folder / ensembles.ARRAYS_NAME).exists():
        return _ensemble(folder)
    loaded = run.load(folder)
    if REPORT not in run.entry(loaded.config)[0].reports:
        detecting = ", ".join(name for name, entry in METHODS.items() if REPORT in entry.reports)
        raise InputError(
            f"{folder} is a run of {loaded.config.method.name}, which detects nothing; name a run "
            f"of {detecting}, or a steganalyzer that the security protocol trained"
        )
    return _network(loaded)


def _ensemble(folder: pathlib.Path) -> Steganalyzer:
    trained, features, trained_on = ensembles.load(folder)
    compute, _, domain = ensembles.FEATURES[features]
    of_pixels = domains.DOMAINS[domain] is domains.PIXELS

    def votes(given):
        rows = (jnp.asarray(given),) if of_pixels else given
        return (1 + ensemble.votes(trained, np.asarray(compute(*rows)))) / 2

    read = _channels if of_pixels else _luminance
    return Steganalyzer(votes, f"{features} and an ensemble, on {trained_on}", read)


def _channels(path: str) -> np.ndarray:
    return np.moveaxis(images.read(path).pixels, -1, 0).astype(np.float32)


def _luminance(path: str) -> tuple[np.ndarray, np.ndarray]:
    cover, _ = domains.JPEG.read(path)
    return cover.planes[0][None], cover.side[0][0][None]


def _decompressed(path: str) -> np.ndarray:
    cover, rest = domains.JPEG.read(path)
    height, width = domains.JPEG.size(cover, rest)
    pixels = dct.unrounded_pixels(cover.planes[0], cover.side[0][0])
    return np.asarray(pixels, np.float32)[None, :height, :width]


def _network(loaded: run.Loaded) -> Steganalyzer:
    section, data = loaded.config.method, loaded.config.data

    @jax.jit
    def predict(planes):
        batch = {"stego": planes[..., None]}
        return loaded.method.predict(loaded.state, batch, jax.random.key(0))["stego_score"]

    def probability(planes):
        try:
            return np.asarray(predict(jnp.asarray(planes)))
        except flax.errors.ScopeParamShapeError as error:
            raise InputError(
                f"is {planes.shape[2]}x{planes.shape[1]}, and {section.network} judges pictures "
                f"of the size it was trained at alone ({data.crop})"
            ) from error

    # Ready-made stegos have a file or a folder, others a scheme.
    of_pixels = not section.get("jpeg_quality", 0)
    domain = domains.PIXELS if of_pixels else domains.JPEG
    what = pathlib.Path(data.get("stegos", "")).stem
    what = what or f"{section.scheme} at {section.payload:g} {domain.words.unit}"
    read = _channels if of_pixels else _decompressed
    return Steganalyzer(probability, f"{section.network}, on {what}", read)


def judge(steganalyzer: Steganalyzer, paths: Sequence[str]) -> Iterator[Judgement]:
    """Scores picture files one after another.

    Args:
      steganalyzer: from `load`.
      paths: the files.

    Yields:
      One judgement each, in order; a file that cannot be judged has its error and does not end the
      others.
    """
    for path in paths:
        try:
            score = float(np.mean(steganalyzer.score(steganalyzer.read(path))))
            if not np.isfinite(score):
                raise InputError("the score is not a number")
            yield Judgement(str(path), score, "")
        except (InputError, OSError) as error:
            text = str(error) if str(path) in str(error) else f"{path}: {error}"
            yield Judgement(str(path), None, text)


def write_csv(
    path: str | pathlib.Path, judgements: Sequence[Judgement], *, overwrite: bool = False
) -> None:
    """Writes judgements as a CSV file with the columns path, score, error.

    Args:
      path: the file.
      judgements: from `judge`.
      overwrite: whether an existing file may be replaced.

    Raises:
      InputError: it exists or cannot be written.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(Judgement._fields)
    writer.writerows(
        (found.path, "" if found.score is None else f"{found.score:.6f}", found.error)
        for found in judgements
    )
    files.write(path, lambda file: file.write(buffer.getvalue().encode()), overwrite=overwrite)
