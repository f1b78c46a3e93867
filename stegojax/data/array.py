"""Pictures in one NumPy file, with a list of who is in which part.

`PICTURES.npy` holds uint8 `[N, H, W, C]`, C = 1 or 3; `PICTURES.json` beside it says which are for
training and which are held out: `{"train": [0, 2], "held_out": [1]}`. A picture is in one part
alone.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence

import numpy as np

from stegojax import files
from stegojax.data.cover_stego import open_array, places_of
from stegojax.errors import InputError


class Array:
    """The pictures of one part of a NumPy file, as a random-access sequence.

    Args:
      path: the NumPy file.
      split: "train" or "held_out".

    Raises:
      InputError: a file is missing or is none of this kind, or the part is empty.
    """

    def __init__(self, path: str, split: str):
        self._path = pathlib.Path(path).expanduser()
        self._pictures = open_array(str(self._path), dimensions=4)
        if self._pictures.shape[-1] not in (1, 3):
            raise InputError(
                f"{path} holds {list(self._pictures.shape)}; pictures have 1 or 3 channels"
            )
        parts = self._path.with_suffix(".json")
        self._places = places_of(str(parts), split)
        if not self._places or not 0 <= min(self._places) <= max(self._places) < len(
            self._pictures
        ):
            raise InputError(
                f"{parts} lists pictures that {path} does not have, or none, in the part {split}; "
                "make it again"
            )
        self._split = split
        self.names = [f"{path} picture {place}" for place in self._places]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> np.ndarray:
        return np.asarray(self._pictures[self._places[index]])

    def __repr__(self) -> str:
        return f"Array({self._path}, {len(self)} pictures)"

    def __reduce__(self):
        # A worker process opens the file itself: a mapped file would travel to it as a copy of all
        # its pixels.
        return Array, (str(self._path), self._split)

    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of every picture."""
        return [self._pictures.shape[1:3]] * len(self)

    def files(self) -> Sequence[pathlib.Path]:
        """The file, for the search for overlaps between sources."""
        return [self._path]


def write(path: pathlib.Path, parts: dict[str, np.ndarray]) -> None:
    """Writes pictures and the list of their parts where `Array` finds them.

    Args:
      path: the NumPy file; the list goes beside it.
      parts: name of a part -> pictures `[n, H, W, C]` of one size, whole numbers 0..255.
    """
    pictures = np.concatenate([np.asarray(each).astype(np.uint8) for each in parts.values()])
    ends = np.cumsum([0, *map(len, parts.values())])
    places = {
        name: list(range(int(first), int(last)))
        for name, first, last in zip(parts, ends, ends[1:], strict=False)
    }
    files.write(path, lambda file: np.save(file, pictures), overwrite=True)
    files.write_bytes(path.with_suffix(".json"), json.dumps(places).encode())
