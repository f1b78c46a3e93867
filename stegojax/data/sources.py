"""Picture sources by name, and the check that two of them have no picture in common.

A source is a sequence of uint8 `[H, W, C]` pictures with stable `names`, and `sizes()` where sizes
are known without decoding.
"""

from __future__ import annotations

import collections
import hashlib
import pathlib
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from stegojax.data.array import Array
from stegojax.data.embedded import Embedded
from stegojax.data.folder import Folder
from stegojax.data.tfds_source import TfdsSource
from stegojax.errors import InputError


class Source(Protocol):
    """What every source offers; reading a broken picture raises `InputError`."""

    names: Sequence[str]

    def __len__(self) -> int:
        """The number of pictures."""

    def __getitem__(self, index: int) -> np.ndarray:
        """Picture number `index`, uint8 `[H, W, C]`."""

    def sizes(self) -> Sequence[tuple[int, int]] | None:
        """Height and width of every picture, or None where only decoding would tell."""


class Chosen:
    """Some pictures of a source, as a source.

    Args:
      source: all of them.
      places: which, ascending.
    """

    def __init__(self, source: Source, places: Sequence[int]):
        self._source, self._places = source, list(places)
        self.names = [source.names[place] for place in self._places]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._source[self._places[index]]

    def __repr__(self) -> str:
        return f"{len(self)} of {self._source!r}"

    def sizes(self) -> Sequence[tuple[int, int]] | None:
        """Height and width of every picture."""
        sizes = self._source.sizes()
        return None if sizes is None else [sizes[place] for place in self._places]


SPLITS = ("train", "held_out", "test")


def open_source(
    text: str, split: str, *, data_dir: str = "", train_share: float = 0.9, test_share: float = 0.0
) -> Source:
    """Opens the source that a config names.

    Args:
      text: `embedded`, `embedded:colour`, `embedded:grey`, `folder:PATH`, `array:PICTURES.npy`
        (see `data.array`), or `tfds:NAME[@TRAIN_SPLIT,HELD_OUT_SPLIT]`.
      split: "train", "held_out" or "test".
      data_dir: the folder of TFDS data sets; "" for TFDS' own default.
      train_share: the share of a folder, or of a TFDS data set with one split only, that is for
        training.
      test_share: the share of the other pictures that are for testing alone, by a hash of their
        names, and not held out; with 0 all of them are both.

    Returns:
      The source.

    Raises:
      InputError: the text names no source, or the source cannot be opened.
    """
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
    if not 0 <= test_share < 1:
        raise InputError(f"data.test_share must be at least 0 and below 1, got {test_share}")
    side = "train" if split == "train" else "held_out"
    source = _of_two_sides(text, side, data_dir=data_dir, train_share=train_share)
    if split == "train" or not test_share:
        return source
    places = [
        place
        for place, name in enumerate(source.names)
        if (_for_testing(name) < test_share) == (split == "test")
    ]
    if not places:
        raise InputError(
            f"{text}: none of the {len(source)} pictures that are not for training falls into the "
            f"split {split} with test_share = {test_share}; change data.test_share or add pictures"
        )
    return Chosen(source, places)


def _for_testing(name: str) -> float:
    """Where a picture's name falls from 0 to 1, apart from where the training's share has it."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[8:16], "big") / 2**64


def _of_two_sides(text: str, split: str, *, data_dir: str, train_share: float) -> Source:
    kind, _, rest = text.partition(":")
    if kind == "embedded":
        return Embedded(split, kind=rest)
    if kind == "folder" and rest:
        return Folder(rest, split, train_share=train_share)
    if kind == "array" and rest:
        return Array(rest, split)
    if kind == "tfds" and rest:
        return TfdsSource(rest, split, data_dir=data_dir, train_share=train_share)
    raise InputError(
        f"unknown data source {text!r}; use embedded, folder:PATH, array:PICTURES.npy or tfds:NAME"
    )


def check_disjoint(covers: Source, secrets: Source) -> None:
    """Checks that no picture is both a cover and a secret.

    Files are the same where they resolve to one path or hold the same bytes (only files of equal
    size are read, and of those first the beginnings); TFDS splits where they share records of one
    file.

    Args:
      covers: one source.
      secrets: the other.

    Raises:
      InputError: they overlap; the message names what they share.
    """
    if isinstance(covers, TfdsSource) and isinstance(secrets, TfdsSource):
        shared = [
            f"{one[0]} records {max(one[1], other[1])}..{min(one[2], other[2]) - 1}"
            for one in covers.ranges
            for other in secrets.ranges
            if one[0] == other[0] and max(one[1], other[1]) < min(one[2], other[2])
        ]
    elif isinstance(covers, TfdsSource) or isinstance(secrets, TfdsSource):
        shared = []
    else:
        shared = _same_files(covers.files(), secrets.files())
    if shared:
        more = f" and {len(shared) - 3} more" if len(shared) > 3 else ""
        raise InputError(
            f"cover and secret sources share pictures: {', '.join(shared[:3])}{more}; take them "
            "out of one, or "
            'leave data.secret_source "" to draw pairs from one source'
        )


def _same_files(covers: Iterable[pathlib.Path], secrets: Iterable[pathlib.Path]) -> list[str]:
    secret_paths = collections.defaultdict(list)
    by_size = collections.defaultdict(list)
    for path in secrets:
        secret_paths[path.resolve()].append(path)
        by_size[path.stat().st_size].append(path)
    shared, beginnings, contents = [], {}, {}
    for path in covers:
        if path.resolve() in secret_paths:
            shared.append(str(path))
            continue
        for other in by_size.get(path.stat().st_size, ()):
            same_beginning = _digest(path, beginnings, 4096) == _digest(other, beginnings, 4096)
            if same_beginning and _digest(path, contents, -1) == _digest(other, contents, -1):
                shared.append(f"{path} = {other}")
                break
    return shared


def _digest(path: pathlib.Path, known: dict[pathlib.Path, bytes], length: int) -> bytes:
    if path not in known:
        with open(path, "rb") as file:
            known[path] = hashlib.sha256(file.read(length)).digest()
    return known[path]
