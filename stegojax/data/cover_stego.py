"""Covers with their stegos, pair by pair: two folders of picture files, or two arrays with a list
that says who is in which part.

A pair is uint8 `[H, W, 2]`: the cover's grey plane and the stego's; of arrays, which may hold what
JPEG files decompress to, unrounded, it may be float32. Folders pair by file name without its
ending.
"""

from __future__ import annotations

import collections
import json
import pathlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from stegojax import images
from stegojax.data import preprocess
from stegojax.data.folder import Folder, split_of
from stegojax.errors import InputError


class Pairs(Protocol):
    """What both kinds offer; reading a broken picture raises `InputError`."""

    names: Sequence[str]

    def __len__(self) -> int:
        """The number of pairs."""

    def __getitem__(self, index: int) -> np.ndarray:
        """Pair number `index`, uint8 `[H, W, 2]`."""

    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of every pair."""


def open_pairs(
    covers: str, stegos: str, *, part: str, parts: str = "", train_share: float = 0.9
) -> Pairs:
    """Opens two folders or two arrays.

    Args:
      covers: a folder, or a NumPy file `[N, H, W]`, uint8 or float32.
      stegos: likewise; stego n is of cover n.
      part: "train" or "validation" or "test".
      parts: for arrays, a JSON file `{"train": [numbers], "validation": [...], "test": [...]}`; of
        folders a hash of the name decides, as for single folders, and what is not for training is
        for both validation and test.
      train_share: of folders, the share for training.

    Returns:
      The pairs of that part.

    Raises:
      InputError: a file or class is missing, sizes differ, or the part is empty.
    """
    for field, path in (("covers", covers), ("stegos", stegos)):
        if not path:
            raise InputError(
                f"data.{field} names nothing; set data.covers and data.stegos to two folders of "
                "pictures with the "
                "same names, or to two NumPy files and data.parts to their split"
            )
    if parts:
        return Arrays(covers, stegos, parts, part)
    return Folders(covers, stegos, part, train_share)


class Folders:
    """Two folders of picture files. See `open_pairs`."""

    def __init__(self, covers: str, stegos: str, part: str, train_share: float):
        self._covers, self._stegos = match(covers, stegos)
        side = "train" if part == "train" else "held_out"
        self.names = [
            name for name in self._covers if split_of(name, train_share=train_share) == side
        ]
        if not self.names:
            raise InputError(
                f"{covers}: none of its {len(self._covers)} pictures is for {part} with "
                f"train_share={train_share}; "
                "change data.train_share or add pictures"
            )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> np.ndarray:
        name = self.names[index]
        return np.concatenate(
            [
                preprocess.to_grey(images.read(files[name]).pixels)
                for files in (self._covers, self._stegos)
            ],
            2,
        )

    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of every pair; a stego of another size than its cover is an error."""
        found = []
        for name in self.names:
            sizes = [images.size_of(files[name]) for files in (self._covers, self._stegos)]
            if sizes[0] != sizes[1]:
                raise InputError(
                    f"{self._stegos[name]} is {sizes[1][1]}x{sizes[1][0]} and its cover "
                    f"{sizes[0][1]}x{sizes[0][0]}; "
                    "a stego has the size of its cover"
                )
            found.append(sizes[0])
        return found


class Arrays:
    """Two NumPy files. See `open_pairs`."""

    def __init__(self, covers: str, stegos: str, parts: str, part: str):
        self._planes = [
            open_array(path, dtypes=(np.uint8, np.float32)) for path in (covers, stegos)
        ]
        kinds = [(planes.shape, planes.dtype) for planes in self._planes]
        if kinds[0] != kinds[1]:
            held = [f"{dtype} {shape}" for shape, dtype in kinds]
            raise InputError(
                f"{covers} holds {held[0]} and {stegos} {held[1]}; a stego for every cover is "
                "needed, of its size and kind"
            )
        self._places = places_of(parts, part)
        if not self._places or max(self._places) >= len(self._planes[0]) or min(self._places) < 0:
            raise InputError(
                f"{parts} lists pictures that {covers} does not have, or none, in the part "
                f"{part}; make it again"
            )
        self._arguments = covers, stegos, parts, part
        self.names = [f"{covers} picture {place}" for place in self._places]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> np.ndarray:
        return np.stack([planes[self._places[index]] for planes in self._planes], axis=-1)

    def __reduce__(self):
        # A worker process opens the files itself: a mapped file would travel to it as a copy of all
        # its pixels.
        return Arrays, self._arguments

    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of every pair."""
        return [self._planes[0].shape[1:3]] * len(self)


def match(covers: str, stegos: str) -> tuple[dict[str, pathlib.Path], dict[str, pathlib.Path]]:
    """The files of two folders by the name that a cover and its stego share, in order of the names.

    Args:
      covers, stegos: folders.

    Returns:
      Name without ending -> file, for both.

    Raises:
      InputError: a folder is missing or empty, two files of it share a name, or a cover has no
        stego or the other way round.
    """
    found = []
    for path in (covers, stegos):
        files: dict[str, pathlib.Path] = {}
        for file in Folder(path, "all").files():
            name = file.relative_to(pathlib.Path(path).expanduser()).with_suffix("").as_posix()
            if name in files:
                raise InputError(
                    f"{files[name]} and {file} have the same name; pairs are found by it, so "
                    "rename one"
                )
            files[name] = file
        found.append(files)
    for one, other, here, there in ((*found, covers, stegos), (*found[::-1], stegos, covers)):
        alone = sorted(set(one) - set(other))
        if alone:
            more = f" and {len(alone) - 1} more" if len(alone) > 1 else ""
            raise InputError(
                f"{there}: holds no {alone[0]}{more}, which {here} has; every cover needs a stego "
                "of its name"
            )
    return tuple({name: files[name] for name in sorted(files)} for files in found)


def places_of(path: str, part: str) -> list[int]:
    """The places of one part of a split; a picture in two parts would be learned by heart and then
    judged.

    Args:
      path: a JSON file `{"train": [numbers], ...}`.
      part: one of its names.

    Returns:
      The numbers.

    Raises:
      InputError: the file is no such list, lacks the part, or lists a picture twice.
    """
    try:
        listed = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as a JSON file ({error}); make the split again"
        ) from error
    if not isinstance(listed, dict) or not all(
        isinstance(places, list) and all(type(place) is int for place in places)
        for places in listed.values()
    ):
        raise InputError(
            f"{path} is not a split; it must be like "
            f'{{"train": [0, 2], "validation": [1], "test": [3]}}'
        )
    if part not in listed:
        raise InputError(f"{path} does not list the part {part}; make the split again")
    everywhere = [place for places in listed.values() for place in places]
    twice = sorted(place for place, times in collections.Counter(everywhere).items() if times > 1)
    if twice:
        raise InputError(
            f"{path} lists picture {twice[0]} more than once; a picture is in one part alone, so "
            "make the split again"
        )
    return listed[part]


def open_array(
    path: str, *, dimensions: int = 3, dtypes: Sequence[type] = (np.uint8,)
) -> np.ndarray:
    """Opens a NumPy file of pictures, without reading it whole.

    Args:
      path: the file.
      dimensions: 3 for planes `[N, H, W]`, 4 for pictures `[N, H, W, C]`.
      dtypes: that it may hold.

    Returns:
      The array, mapped.

    Raises:
      InputError: the file is missing or holds something else.
    """
    try:
        planes = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise InputError(
            f"{path} cannot be read as a NumPy file ({error}); make it again"
        ) from error
    if not isinstance(planes, np.ndarray):
        raise InputError(
            f"{path} holds several arrays; a file of one is needed, as numpy.save writes it"
        )
    if planes.dtype not in dtypes or planes.ndim != dimensions or not len(planes):
        wanted = "[N, H, W]" if dimensions == 3 else "[N, H, W, C]"
        names = " or ".join(np.dtype(each).name for each in dtypes)
        raise InputError(f"{path} holds {planes.dtype} {planes.shape}; {names} {wanted} is needed")
    return planes
