"""Pixels: every sample of every channel of a losslessly written picture is an element, 0..255.

A cover has one plane per channel (grey, or red, green, blue), all of one size. An alpha channel is
no element, and the colours of fully transparent pixels are frozen: nobody sees them.
"""

from __future__ import annotations

import os
from typing import BinaryIO, NamedTuple

import numpy as np

from stegojax import images
from stegojax.costs import COSTS
from stegojax.recipes import RECIPES
from stegojax.types import Cover, Domain, Words


class Rest(NamedTuple):
    """What a picture file holds besides its samples; see `images.Picture`.

    alpha:    uint8 `[H, W]`, or None.
    mode:     Pillow's name of the file's pixel layout.
    format:   Pillow's name of the file format.
    metadata: colour profile, gamma, text and the like.
    lossy:    the name of the lossy compression of the file, "" for none.
    """

    alpha: np.ndarray | None = None
    mode: str = "RGB"
    format: str = "PNG"
    metadata: images.Metadata = images.Metadata()
    lossy: str = ""


def cover_of(picture: images.Picture) -> Cover:
    """The cover that a picture is.

    Args:
      picture: pixels, and the alpha channel where there is one.

    Returns:
      One plane per channel.
    """
    planes = tuple(np.ascontiguousarray(np.moveaxis(picture.pixels, -1, 0)).astype(np.int16))
    if picture.alpha is None or picture.alpha.all():
        return Cover(planes)
    return Cover(planes, frozen=(picture.alpha == 0,) * len(planes))


def picture_of(cover: Cover, rest: Rest = Rest()) -> images.Picture:
    """The picture that a cover or a stego is.

    Args:
      cover: one or three planes of one size, 0..255.
      rest: what belongs to the picture besides.

    Returns:
      The picture.

    Raises:
      ValueError: the planes differ in size, or hold other values.
    """
    values = np.stack(cover.planes, axis=-1)
    pixels = values.astype(np.uint8)
    if (pixels != values).any():
        raise ValueError(f"pixels are whole numbers 0..255; got {values.min()}..{values.max()}")
    return images.Picture(pixels, *rest)


def read(path: str | os.PathLike) -> tuple[Cover, Rest]:
    """Reads a picture file.

    Args:
      path: the file.

    Returns:
      Its samples, and the rest of it.

    Raises:
      InputError: as `images.read`.
    """
    picture = images.read(path)
    return cover_of(picture), Rest(*picture[1:])


def check(path: str | os.PathLike, cover: Cover, rest: Rest) -> None:
    """Refuses a file name whose format cannot hold a picture exactly.

    Args:
      path: the name of the file to write.
      cover: the samples.
      rest: of the picture.

    Raises:
      InputError: the format is lossy or unknown, or has no room for colours or transparency.
    """
    picture = picture_of(cover, rest)
    images.check_format(path, picture.pixels, alpha=picture.alpha)


def save(file: BinaryIO, cover: Cover, rest: Rest, *, path: str | os.PathLike) -> None:
    """Writes a picture to a binary file, losslessly.

    Args:
      file: where to.
      cover: the samples.
      rest: of the picture; it is written as far as the format can hold it.
      path: the name that the file has or shall have: its ending says the format.

    Raises:
      InputError: as `check`.
    """
    picture = picture_of(cover, rest)
    images.save(file, picture.pixels, path=path, like=picture)


def notes(rest: Rest) -> tuple[str, ...]:
    """What a person should know about a cover.

    Args:
      rest: of the cover's file.

    Returns:
      One sentence each, without a full stop.
    """
    said = []
    if rest.mode in ("P", "PA"):
        said.append(
            "the palette is resolved to its colours, and the stego is a grey or full-colour picture"
        )
    if rest.mode == "1":
        said.append(
            "a black-and-white picture is written with grey levels, where changes are easy to "
            "see; take a photograph"
        )
    if rest.lossy:
        said.append(
            f"the pixels come from {rest.lossy}: traces of its compression make changes easier to "
            "detect; better take an original"
            + (", or name the stego .jpg to hide in the JPEG file itself" * (rest.format == "JPEG"))
        )
    return tuple(said)


def size(cover: Cover, rest: Rest) -> tuple[int, int]:
    """How large a picture is.

    Args:
      cover: the samples.
      rest: of the picture.

    Returns:
      Height and width.
    """
    del rest
    return cover.shapes[0]


def places(masks: tuple[np.ndarray, ...]) -> np.ndarray:
    """Where samples lie.

    Args:
      masks: bool per plane.

    Returns:
      bool `[H, W]`, True where a sample of any plane is.
    """
    return np.any(masks, axis=0)


PIXELS = Domain(
    lowest=0,
    highest=255,
    scheme="hill-cmd",
    reserved=4096,
    words=Words("samples", "bits a sample", "bpp"),
    endings=tuple(images.LOSSLESS),
    read=read,
    check=check,
    save=save,
    notes=notes,
    objections=lambda rest: (),
    size=size,
    weight=lambda cover: cover.elements,
    unwritable=lambda cover, stego, rest: (),
    kept=lambda rest, written: True,
    pixels=lambda cover: np.stack(cover.planes, axis=-1),
    places=places,
    costs=COSTS,
    recipes=RECIPES,
)
