"""Steganalyzers that are an ensemble on features, and their files.

FOLDER/ensemble.npz         the ensemble
FOLDER/steganalyzer.json    the features that it takes, and what it was trained on
"""

from __future__ import annotations

import io
import json
import pathlib
import zipfile

import jax
import numpy as np

from stegojax import batches, files
from stegojax.errors import InputError
from stegojax.security import parts
from stegojax.steganalysis import ensemble
from stegojax.steganalysis.features import FEATURES

ARRAYS_NAME = "ensemble.npz"
NOTES_NAME = "steganalyzer.json"
_OLDER_NOTES_NAME = "detector.json"


def features_of(
    planes: np.ndarray,
    folder: pathlib.Path,
    name: str,
    *,
    label: str,
    tables: np.ndarray | None = None,
) -> np.ndarray:
    """The features of many planes, made once and kept in parts.

    Args:
      planes: `[N, H, W]`, which may be mapped from a file: pixels, uint8, or coefficients, int16.
      folder: where the parts are kept.
      name: in `FEATURES`.
      label: of the planes, for messages.
      tables: of coefficients, their quantisation, `[N, 8, 8]`.

    Returns:
      `[N, D]`.

    Raises:
      InputError: the planes are too small, or a feature is not finite.
    """
    compute, smallest, _ = FEATURES[name]
    if min(planes.shape[1:]) < smallest:
        raise InputError(
            f"{name} needs larger pictures than {planes.shape[2]}x{planes.shape[1]}; raise "
            "covers.crop"
        )
    size = min(parts.SIZE, len(planes))
    if tables is None:
        compiled = jax.jit(compute)

        def make(numbers):
            return batches.apply(compiled, np.asarray(planes[numbers], np.float32), size=size)
    else:

        def make(numbers):
            rows = np.asarray(planes[numbers], np.int32), tables[numbers]
            return batches.apply(lambda given: compute(*given), rows, size=size)

    rows = parts.collect(folder, len(planes), make, title=f"{name} of {label}")
    if not np.isfinite(rows).all():
        raise InputError(
            f"{name} of {label}: a feature is not finite; remove {folder} and run the command again"
        )
    return rows


def save(
    folder: pathlib.Path, trained: ensemble.Ensemble, *, features: str, trained_on: str
) -> None:
    """Saves an ensemble, and what it is for.

    Args:
      folder: an existing folder.
      trained: from `ensemble.fit`.
      features: a name in `FEATURES`.
      trained_on: what it learned to detect, for people.
    """
    buffer = io.BytesIO()
    arrays = trained._asdict()
    arrays["trials"] = np.asarray(trained.trials, np.float64).reshape(-1, 3)
    np.savez(buffer, **arrays)
    files.write_bytes(folder / ARRAYS_NAME, buffer.getvalue())
    notes = {"features": features, "trained on": trained_on}
    files.write_bytes(folder / NOTES_NAME, json.dumps(notes).encode())


def load(folder: pathlib.Path) -> tuple[ensemble.Ensemble, str, str]:
    """What `save` saved.

    Args:
      folder: where.

    Returns:
      The ensemble, the name of its features, and what it was trained on.

    Raises:
      InputError: the folder does not hold it, or it is damaged.
    """
    older = folder / _OLDER_NOTES_NAME
    notes = older if older.exists() else folder / NOTES_NAME
    try:
        said = json.loads(notes.read_text())
        with np.load(folder / ARRAYS_NAME) as saved:
            arrays = dict(saved)
        trials = tuple(
            ensemble.Trial(int(size), int(count), float(error))
            for size, count, error in arrays.pop("trials")
        )
        features = int(arrays["features"])
        trained = ensemble.Ensemble(**{**arrays, "features": features}, trials=trials)
        return trained, said["features"], said["trained on"]
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{folder} does not hold a whole trained ensemble ({error}); train it again"
        ) from error
