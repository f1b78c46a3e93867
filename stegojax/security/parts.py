"""Work on all covers in parts that are saved as they are finished, so that it goes on after a
kill.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable

import numpy as np
import tqdm

from stegojax import files

SIZE = 16
"""Pictures in a part."""


def collect(
    folder: pathlib.Path, count: int, make: Callable[[np.ndarray], np.ndarray], *, title: str
) -> np.ndarray:
    """Makes an array row by row, in parts.

    Args:
      folder: where the parts are kept; those that are there are not made again.
      count: rows.
      make: numbers of rows `[n]` -> rows `[n, ...]`.
      title: what the progress bar says.

    Returns:
      `[count, ...]`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    starts = range(0, count, SIZE)
    for start in tqdm.tqdm(starts, title, unit=f"x{SIZE}", file=sys.stderr, leave=False):
        path = folder / f"{start:07d}.npy"
        if not path.exists():
            save(path, make(np.arange(start, min(start + SIZE, count))))
        rows.append(np.load(path))
    return np.concatenate(rows)


def remove(folder: pathlib.Path) -> None:
    """Removes the parts, once they are saved together.

    Args:
      folder: as for `collect`.
    """
    for path in folder.glob("*.npy"):
        path.unlink()
    folder.rmdir()


def save(path: pathlib.Path, array: np.ndarray) -> None:
    """Writes a NumPy file, whole or not at all.

    Args:
      path: the file, which is replaced where it exists.
      array: what goes into it.
    """
    files.write(path, lambda file: np.save(file, array), overwrite=True)
