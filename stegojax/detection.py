"""Judging picture files with a trained steganalyzer: a network's run, or an ensemble that the
security protocol trained.

A score is between 0 and 1, higher for what looks like a stego. It is a probability only for
  pictures drawn as in training: from
the same cameras and processing, half of them stegos of the same scheme at the same payload. Of
other pictures it says little.
"""

from __future__ import annotations

import csv
import io
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import flax.errors
import jax
import jax.numpy as jnp
import numpy as np

from stegojax import files, images, run, security
from stegojax.errors import InputError
from stegojax.methods import steganalyzer
from stegojax.steganalysis import ensemble


class Detector(NamedTuple):
    """A trained steganalyzer.

    score:      grey planes `[N, H, W]` float32 -> `[N]` in 0..1.
    trained_on: what it was trained on, in words.
    """

    score: Callable[[np.ndarray], np.ndarray]
    trained_on: str


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


def load(folder: str | pathlib.Path) -> Detector:
    """Opens a trained detector.

    Args:
      folder: the work directory of a steganalyzer's run, or a folder of the security protocol's
        `detectors/SCHEME/NAME/SPLIT`.

    Returns:
      The detector.

    Raises:
      InputError: the folder holds no trained detector.
    """
    folder = pathlib.Path(folder)
    if (folder / "ensemble.npz").exists():
        trained, features, trained_on = security.load_ensemble(folder)
        compute = security.FEATURES[features]

        def votes(planes):
            return (1 + ensemble.votes(trained, np.asarray(compute(jnp.asarray(planes))))) / 2

        return Detector(votes, f"{features} and an ensemble, on {trained_on}")
    loaded = run.load(folder)
    section = loaded.config.method
    if "detection" not in run.entry(loaded.config)[0].reports:
        raise InputError(
            f"{folder} is a run of {section.name}, which detects nothing; name a run of a "
            "steganalyzer "
            f"({', '.join(steganalyzer.NETWORKS)}) or a detector that the security protocol trained"
        )
    predict = jax.jit(
        lambda planes: loaded.method.predict(
            loaded.state, {"stego": planes[..., None]}, jax.random.key(0)
        )
    )
    data = loaded.config.data
    how = (
        f"{section.scheme} at {section.payload:g} bpp"
        if data.kind != "cover_stego"
        else pathlib.Path(data.stegos).stem
    )

    def probability(planes):
        try:
            return np.asarray(predict(jnp.asarray(planes))["stego_score"])
        except flax.errors.ScopeParamShapeError as error:
            raise InputError(
                f"is {planes.shape[2]}x{planes.shape[1]}, and {section.network} judges pictures "
                "of the size it was "
                f"trained at alone ({data.crop})"
            ) from error

    return Detector(probability, f"{section.network}, on {how}")


def judge(detector: Detector, paths: Sequence[str]) -> Iterator[Judgement]:
    """Scores picture files one after another.

    Args:
      detector: from `load`.
      paths: the files.

    Yields:
      One judgement each, in order; a file that cannot be judged has its error and does not end the
      others.
    """
    for path in paths:
        try:
            planes = np.moveaxis(images.read(path).pixels, -1, 0).astype(np.float32)
            score = float(np.mean(detector.score(planes)))
            if not np.isfinite(score):
                raise InputError("the detector's score is not a number")
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
