"""A folder of picture files as a data set: PNG, PGM/PPM, TIFF, BMP and JPEG, grey or colour, 8 bits
a channel.

Files are found recursively, hidden ones left out. Which side of the split a file is on follows from
a hash of its name relative to the folder alone, so adding or removing files never moves another
file across. Pictures are uint8 `[H, W, C]`, C = 1 or 3, turned upright where EXIF says so, without
their alpha channel.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from absl import logging

from stegojax import images
from stegojax.errors import InputError

_END_MARKS = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9", ".jpeg": b"\xff\xd9"}


class Folder:
    """The readable pictures of one split of a folder, as a random-access sequence.

    Every header is read at the start, and what looks cut off is decoded; a warning names what
    cannot be used and is left out.

    Args:
      path: the folder.
      split: "train", "held_out", or "all".
      train_share: the share of the files that the hash sends to training, between 0 and 1.

    Raises:
      InputError: there is no such folder, no picture in it, no usable picture, or none in this
        split.
    """

    def __init__(self, path: str | os.PathLike, split: str, *, train_share: float = 0.9):
        self.root = pathlib.Path(path).expanduser()
        if not self.root.is_dir():
            raise InputError(f"{path}: no such folder; check the path in the data source")
        found = _pictures_below(self.root)
        if not found:
            raise InputError(
                f"{path}: no picture in this folder; it needs files ending in "
                f"{', '.join(images.READABLE)}"
            )
        chosen = [
            name
            for name in found
            if split == "all" or split_of(name, train_share=train_share) == split
        ]
        if not chosen:
            raise InputError(
                f"{path}: none of its {len(found)} pictures falls into the split {split} with "
                "train_share = "
                f"{train_share}; change data.train_share or add pictures"
            )
        self.names, self._sizes, broken = [], [], 0
        for name in chosen:
            try:
                size = images.size_of(self.root / name)
                if not _looks_whole(self.root / name, size):
                    images.read(self.root / name)
                self._sizes.append(size)
                self.names.append(name)
            except InputError as error:
                broken += 1
                logging.warning("left out: %s", error)
        if not self.names:
            raise InputError(
                f"{path}: all {len(chosen)} pictures of the split {split} are broken or unusable, "
                "as the warnings "
                "say; replace them or name another folder"
            )
        if broken:
            logging.warning("%s: %d of %d pictures left out", path, broken, len(chosen))

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> np.ndarray:
        return images.read(self.root / self.names[index]).pixels

    def __repr__(self) -> str:
        return f"Folder({self.root}, {len(self)} pictures)"

    def sizes(self) -> Sequence[tuple[int, int]]:
        """Height and width of every picture."""
        return self._sizes

    def files(self) -> Sequence[pathlib.Path]:
        """The files, for the search for overlaps between sources."""
        return [self.root / name for name in self.names]


def split_of(name: str, *, train_share: float) -> str:
    """The side of the split that a file name belongs to, whatever other files there are.

    Args:
      name: the file's path relative to its data set's folder, with forward slashes.
      train_share: the expected share of training files.

    Returns:
      "train" or "held_out".

    Raises:
      InputError: the share is not between 0 and 1.
    """
    if not 0 <= train_share <= 1:
        raise InputError(f"data.train_share must lie between 0 and 1, got {train_share}")
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
    return "train" if int.from_bytes(digest[:8], "big") < train_share * 2**64 else "held_out"


def _looks_whole(path: pathlib.Path, size: tuple[int, int]) -> bool:
    """Whether a file surely has all its bytes: by its end mark or its length; of a TIFF neither
    tells.
    """
    ending, length = path.suffix.lower(), path.stat().st_size
    if ending in _END_MARKS:
        with open(path, "rb") as file:
            file.seek(max(0, length - len(_END_MARKS[ending])))
            return file.read() == _END_MARKS[ending]
    return ending not in (".tif", ".tiff") and length >= size[0] * size[1] * (
        1 if ending == ".pgm" else 3
    )


def _pictures_below(root: pathlib.Path) -> list[str]:
    names = []
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        names += [
            pathlib.Path(folder, name).relative_to(root).as_posix()
            for name in files
            if not name.startswith(".") and name.lower().endswith(images.READABLE)
        ]
    return sorted(names)
