"""JPEG files: every quantised DCT coefficient of every component is an element, DC and zeros too.

A cover has one plane per component, `[8 rows, 8 columns]`: coefficient (u, v) of block (i, j) at
[8 i + u, 8 j + v], u the vertical frequency. What its costs depend on besides is the quantisation
table. All bytes of a file but the entropy-coded data, and Huffman tables that its encoder had made
for them, stay as they are.
"""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
from typing import BinaryIO, NamedTuple

import jax
import numpy as np

from stegojax.costs import dct
from stegojax.costs.ebs import ebs
from stegojax.costs.jmipod import jmipod
from stegojax.costs.juniward import juniward
from stegojax.costs.nsf5 import nsf5
from stegojax.costs.uerd import uerd
from stegojax.domains import jpeg_codec
from stegojax.errors import InputError
from stegojax.recipes import (
    RECIPES,
    Recipe,
    Visit,
    block_parts,
    block_quarters,
    continue_blocks,
    keep_boundaries,
)
from stegojax.types import Cover, Domain, Words

COSTS = {"juniward": juniward, "uerd": uerd, "jmipod": jmipod, "ebs": ebs, "nsf5": nsf5}
"""Costs of coefficients by name: `(plane [..., H, W], quantisation [8, 8]) -> Costs`."""

JPEG_RECIPES = {
    "plain": RECIPES["plain"],
    "bbc": Recipe(
        4, block_quarters, tuple(Visit(lattice, continue_blocks) for lattice in range(4))
    ),
    "bbm": Recipe(
        3,
        block_parts,
        tuple(Visit(lattice, keep_boundaries) for lattice in range(3)),
        weighted=True,
    ),
}

ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif")

_LARGEST = 1023
"""Larger coefficients have no symbol in the standard's Huffman tables."""

_ALL_DC = frozenset(range(12))
_ALL_AC = frozenset({0x00, 0xF0, *(16 * run + size for run in range(16) for size in range(1, 11))})


class Rest(NamedTuple):
    """All of a file that is not a coefficient.

    coded:   of the codec.
    digest:  SHA-256 of the whole file.
    marks:   what its segments hold besides the picture: "mpf", "c2pa".
    """

    coded: jpeg_codec.Rest
    digest: bytes
    marks: frozenset[str]


def read(path: str | os.PathLike) -> tuple[Cover, Rest]:
    """Reads a JPEG file.

    Args:
      path: the file.

    Returns:
      Its coefficients, and the rest of it.

    Raises:
      InputError: the file is missing, damaged, or no JPEG file of a kind that is read.
    """
    try:
        content = pathlib.Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read ({reason})") from error
    if content[:3] != b"\xff\xd8\xff":
        raise InputError(
            f"{path}: is not a JPEG file, and a .jpg stego is made of a JPEG cover alone; name the "
            "stego .png, or take a JPEG cover"
        )
    try:
        return decode(content)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def decode(content: bytes) -> tuple[Cover, Rest]:
    """The cover that the content of a JPEG file is.

    Args:
      content: the whole file.

    Returns:
      Its coefficients, and the rest of it.

    Raises:
      InputError: as `jpeg_codec.decode`. The message is for after the file's name.
    """
    planes, tables, coded = jpeg_codec.decode(content, rewritable=False)
    side = tuple((table.astype(np.int32),) for table in tables)
    rest = Rest(coded, hashlib.sha256(content).digest(), _marks(coded))
    return Cover(planes, _frozen(planes, coded), side), rest


def _frozen(planes: tuple[np.ndarray, ...], coded: jpeg_codec.Rest) -> tuple[np.ndarray, ...]:
    """Coefficients that must not change; empty where all may."""
    frozen = tuple(abs(plane.astype(np.int32)) >= _LARGEST for plane in planes)
    if not _whole(coded) and coded.imitable:
        lacking = jpeg_codec.single_changes(planes, coded.layout)
        frozen = tuple(large | more for large, more in zip(frozen, lacking))
    return frozen if any(mask.any() for mask in frozen) else ()


def _marks(coded: jpeg_codec.Rest) -> frozenset[str]:
    """What a file's segments hold that depends on its other bytes."""
    found = set()
    for piece in coded.layout.pieces:
        if isinstance(piece, bytes):
            if re.search(rb"\xff\xe2..MPF\x00", piece, re.DOTALL):
                found.add("mpf")
            if re.search(rb"\xff\xeb..JP.{0,60}?(jumb|c2pa)", piece, re.DOTALL):
                found.add("c2pa")
    return frozenset(found)


def check(path: str | os.PathLike, cover: Cover, rest: Rest) -> None:
    """Refuses a cover whose file could not be written as its encoder would have written it.

    Args:
      path: the name of the file to write.
      cover: the coefficients as they were read.
      rest: of the file.

    Raises:
      InputError: the name is that of another kind of file, the unchanged cover would not give its
        file back, or its other pictures are found by its length.
    """
    if pathlib.Path(path).suffix.lower() not in ENDINGS:
        raise InputError(
            f"{path}: is not the name of a JPEG file, which this stego would be; let it end in .jpg"
        )
    if "mpf" in rest.marks:
        raise InputError(
            f"{path}: cannot be made of this cover: it holds several pictures (MPF, Ultra HDR), "
            "which are found by the length of the first; save the first alone, or take another"
        )
    imitated = rest.coded.imitable
    if imitated:
        content = jpeg_codec.encode(cover.planes, rest.coded)
        imitated = hashlib.sha256(content).digest() == rest.digest
    if not imitated:
        raise InputError(
            f"{path}: cannot be made of this cover: it comes from an encoder that cannot be "
            "imitated, so a stego would stand out; take another cover, or name the stego .png"
        )


def save(file: BinaryIO, cover: Cover, rest: Rest, *, path: str | os.PathLike) -> None:
    """Writes coefficients to a binary file.

    Args:
      file: where to.
      cover: the coefficients.
      rest: of the file that they come from.
      path: not used.

    Raises:
      InputError: a coefficient has no symbol in the file's Huffman tables.
      ValueError: the planes do not fit the file.
    """
    del path
    file.write(jpeg_codec.encode(cover.planes, rest.coded))


def notes(rest: Rest) -> tuple[str, ...]:
    """What a person should know about a cover.

    Args:
      rest: of the cover's file.

    Returns:
      One sentence each, without a full stop.
    """
    if (rest.coded.layout.quantisation[0] <= 2).all():
        return (
            "this JPEG file has a quality of 99 or 100, where changes of coefficients are easy to "
            "detect by their rounding errors; take a cover of lower quality",
        )
    return ()


def objections(rest: Rest) -> tuple[str, ...]:
    """Why hiding in a cover is refused unless a person insists.

    Args:
      rest: of the cover's file.

    Returns:
      One sentence each, without a full stop.
    """
    if "c2pa" in rest.marks:
        return ("carries a signature of its content (C2PA), which the stego would not satisfy",)
    return ()


def size(cover: Cover, rest: Rest) -> tuple[int, int]:
    """How large a picture is.

    Args:
      cover: not used.
      rest: of the file.

    Returns:
      Height and width in pixels, as they are stored.
    """
    del cover
    return rest.coded.layout.frame.height, rest.coded.layout.frame.width


def nonzero(cover: Cover) -> int:
    """How many AC coefficients of a cover are not 0: what payloads in "bpnzac" are relative to.

    Args:
      cover: the coefficients.

    Returns:
      Their number.
    """
    return sum(
        int(np.count_nonzero(plane) - np.count_nonzero(plane[::8, ::8])) for plane in cover.planes
    )


def unwritable(cover: Cover, stego: Cover, rest: Rest) -> tuple[np.ndarray, ...]:
    """Changes that need symbols which the file's Huffman tables lack.

    Args:
      cover: the coefficients as they were read.
      stego: the changed ones.
      rest: of the file.

    Returns:
      bool per plane, True for elements that must not change; empty where all can be written.
    """
    if _whole(rest.coded):
        return ()
    lacking = jpeg_codec.absent(stego.planes, rest.coded)
    changed = [mark & (p != q) for mark, p, q in zip(lacking, cover.planes, stego.planes)]
    return tuple(changed) if any(mark.any() for mark in changed) else ()


def _whole(coded: jpeg_codec.Rest) -> bool:
    """Whether every Huffman table in use holds every symbol, or is made anew."""
    layout = coded.layout
    for scan in layout.scans:
        for places, needed in ((scan.dc_tables, _ALL_DC), (scan.ac_tables, _ALL_AC)):
            for place in places:
                if place >= 0 and not coded.optimised[place]:
                    if not needed <= set(layout.tables[place].symbols):
                        return False
    return True


def kept(rest: Rest, written: Rest) -> bool:
    """Whether a stego's file has all bytes of its cover's but those that must differ.

    Args:
      rest: of the cover's file.
      written: of the stego's.

    Returns:
      Whether it has.
    """
    return _verbatim(rest.coded) == _verbatim(written.coded)


def _verbatim(coded):
    """The pieces of a file, without scans, and without tables that are made anew."""
    remade = {place for place, best in enumerate(coded.optimised) if best}
    return [
        piece.selectors
        if isinstance(piece, jpeg_codec.TableSegment) and remade.intersection(piece.tables)
        else piece
        for piece in coded.layout.pieces
    ]


def pixels(cover: Cover) -> np.ndarray:
    """The first component as libjpeg decompresses it: luminance, in most files.

    Args:
      cover: the coefficients.

    Returns:
      `[H, W, 1]`, whole blocks, 0..255.
    """
    return np.asarray(_decompressed(cover.planes[0], cover.side[0][0]))[..., None]


_decompressed = jax.jit(dct.integer_pixels)


def places(masks: tuple[np.ndarray, ...]) -> np.ndarray:
    """The blocks of the first component that elements lie in.

    Args:
      masks: bool per plane.

    Returns:
      bool `[H, W]`, whole blocks; a block of a component with fewer stands for several.
    """
    shape = tuple(side // 8 for side in masks[0].shape)
    blocks = np.zeros(shape, bool)
    for mask in masks:
        rows, columns = (side // 8 for side in mask.shape)
        own = mask.reshape(rows, 8, columns, 8).any((1, 3))
        i, j = (np.arange(most) * few // most for most, few in zip(shape, own.shape))
        blocks |= own[i][:, j]
    return np.repeat(np.repeat(blocks, 8, 0), 8, 1)


JPEG = Domain(
    lowest=-_LARGEST - 1,
    highest=_LARGEST,
    scheme="juniward",
    reserved=16384,
    words=Words("coefficients", "bits a non-zero AC coefficient", "bpnzac"),
    endings=ENDINGS,
    read=read,
    check=check,
    save=save,
    notes=notes,
    objections=objections,
    size=size,
    weight=nonzero,
    unwritable=unwritable,
    kept=kept,
    pixels=pixels,
    places=places,
    costs=COSTS,
    recipes=JPEG_RECIPES,
)
