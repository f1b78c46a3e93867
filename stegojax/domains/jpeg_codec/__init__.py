"""JPEG files as quantised DCT coefficients, and back: every byte but the entropy-coded data and
re-optimised Huffman tables stays as it was.

Files are baseline, extended sequential or progressive, of 8 bits, with one to four components of
any sampling. A *plane* holds the coefficients of a component's real blocks, int16
`[8 rows, 8 columns]`: coefficient (u, v) of block (i, j) at [8 i + u, 8 j + v], u the vertical
frequency. Coefficients are written as libjpeg writes them; a file whose data come out differently
is refused when it is read, so that what is written always looks like the work of its encoder.

A Huffman table that was the best one for the file's coefficients is made anew for the new ones, as
the encoder would have done; any other is kept.
"""

from __future__ import annotations

import os
import pathlib
from typing import NamedTuple

import numpy as np

from stegojax.domains.jpeg_codec import blocks, decoding, encoding, huffman, markers
from stegojax.domains.jpeg_codec.markers import Layout, TableSegment
from stegojax.domains.jpeg_codec.single import single_changes as single_changes
from stegojax.errors import InputError


class Rest(NamedTuple):
    """All of a file that is not a coefficient.

    layout:    the parts of the file.
    optimised: for each Huffman table whether it was the best one for its file.
    dummies:   per component, int32 `[blocks, 64]`: the blocks that only fill the last MCUs, with DC
      coefficients as differences to the block before.
    fills:     per scan, the bit that fills the last byte of each restart interval.
    imitable:  whether changed coefficients can be written with this file's kind of tables.
    """

    layout: Layout
    optimised: tuple[bool, ...]
    dummies: tuple[np.ndarray, ...]
    fills: tuple[np.ndarray, ...]
    imitable: bool = True


class Coefficients(NamedTuple):
    """A JPEG file.

    planes:       int16 `[H_i, W_i]`, one per component, multiples of 8.
    quantisation: uint16 `[8, 8]` per component, the step of each coefficient.
    rest:         what is needed to write the file.
    """

    planes: tuple[np.ndarray, ...]
    quantisation: tuple[np.ndarray, ...]
    rest: Rest


def read(path: str | os.PathLike, *, rewritable: bool = True) -> Coefficients:
    """Reads a JPEG file.

    Args:
      path: the file.
      rewritable: as `decode`.

    Returns:
      Its coefficients, and the rest of it.

    Raises:
      InputError: as `decode`, or the file cannot be read.
    """
    try:
        content = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        return decode(content, rewritable=rewritable)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def decode(content: bytes, *, rewritable: bool = True) -> Coefficients:
    """The coefficients of a JPEG file.

    Args:
      content: the whole file.
      rewritable: whether a file is refused that would not come back byte by byte. Needed before
        anything is written; whoever only looks at coefficients can do without.

    Returns:
      Its coefficients, and the rest of it.

    Raises:
      InputError: it is no JPEG file, of a kind that is not read, damaged, or cannot be written as
        it was. The message is for after the file's name.
    """
    layout = markers.parse(content)
    decoded = decoding.decode(content, layout)
    components = list(zip(decoded.pictured, layout.frame.components))
    optimised = tuple(
        bool(used.any()) and huffman.optimum(used) == table
        for used, table in zip(decoded.used, layout.tables)
    )
    rest = Rest(
        layout,
        optimised,
        tuple(blocks.dummies_of(*component) for component in components),
        decoded.fills,
        _imitable(layout, optimised, decoded.used),
    )
    planes = tuple(blocks.plane_of(*component) for component in components)
    if rewritable and not _comes_back(content, decoded, rest):
        raise InputError(
            "was written by an encoder that cannot be imitated, so a stego would stand out; "
            "take another picture"
        )
    return Coefficients(planes, layout.quantisation, rest)


def _imitable(layout, optimised, used):
    """Tables of progressive files must be the best ones: others lack what changes need."""
    usual = [best or not symbols.any() for best, symbols in zip(optimised, used)]
    return not layout.frame.progressive or all(usual)


def _comes_back(content, decoded, rest):
    """Whether every scan is written as it was, and what changes can be written too."""
    layout = rest.layout
    if not rest.imitable:
        return False
    coding = encoding.codes(layout.tables)
    return all(
        encoding.encode(decoded.pictured, layout.frame, scan, coding, fills)
        == content[scan.start : scan.end]
        for scan, fills in zip(layout.scans, rest.fills)
    )


def encode(planes: tuple[np.ndarray, ...], rest: Rest) -> bytes:
    """The JPEG file of coefficients.

    Args:
      planes: as `Coefficients.planes`, of the same shapes.
      rest: of the file that they come from.

    Returns:
      The whole file.

    Raises:
      ValueError: the planes do not fit the file.
      InputError: a coefficient needs a symbol that the file's Huffman tables lack; `absent` says
        which.
    """
    layout = rest.layout
    pictured = _pictured(planes, rest)
    tables = _tables(pictured, rest)
    coding = encoding.codes(tables)
    written = bytearray()
    for piece in layout.pieces:
        if isinstance(piece, TableSegment):
            written += _segment(piece, tables, rest)
        elif isinstance(piece, bytes):
            written += piece
        else:
            scan = layout.scans[piece]
            written += encoding.encode(pictured, layout.frame, scan, coding, rest.fills[piece])
    return bytes(written)


def absent(planes: tuple[np.ndarray, ...], rest: Rest) -> tuple[np.ndarray, ...]:
    """Where coefficients need symbols that the file's Huffman tables lack.

    Args:
      planes: as for `encode`.
      rest: of the file that they come from.

    Returns:
      Per component bool, as the plane: every coefficient of the blocks whose symbols they are. Once
      none of them differs from the file, `encode` accepts the planes.
    """
    layout = rest.layout
    frame = layout.frame
    pictured = _pictured(planes, rest)
    coding = encoding.codes(_tables(pictured, rest))
    marks = [np.zeros(component.padded, bool) for component in frame.components]
    for scan in layout.scans:
        lacking = np.zeros(blocks.count(frame, scan), bool)
        lacking_dc = np.zeros_like(lacking)
        for chunk in encoding.items(pictured, frame, scan):
            missing = encoding.without_code(chunk, coding)
            of_dc = np.isin(chunk.table, scan.dc_tables)
            lacking[chunk.block[missing]] = True
            lacking_dc[chunk.block[missing & of_dc]] = True
        owners = np.array(blocks.owners(frame, scan))
        for owner in range(len(scan.components)):
            at = np.flatnonzero(np.resize(owners, len(lacking)) == owner)
            lacking[at[:-1]] |= lacking_dc[at[1:]]
        of_scan = [np.zeros_like(mark) for mark in marks]
        blocks.scatter(lacking, of_scan, frame, scan)
        for mark, also in zip(marks, of_scan):
            mark |= also
    return tuple(
        np.kron(mark[: component.rows, : component.columns], np.ones((8, 8), bool))
        for mark, component in zip(marks, frame.components)
    )


def _tables(pictured, rest):
    """The file's Huffman tables, those made anew that were the best ones before."""
    layout = rest.layout
    if not any(rest.optimised):
        return layout.tables
    used = np.zeros((len(layout.tables), 256), np.int64)
    for scan in layout.scans:
        if any(rest.optimised[place] for place in {*scan.dc_tables, *scan.ac_tables} - {-1}):
            for chunk in encoding.items(pictured, layout.frame, scan):
                encoding.count(used, chunk)
    return tuple(
        huffman.optimum(counts) if best and counts.any() else table
        for counts, best, table in zip(used, rest.optimised, layout.tables)
    )


def _segment(piece, tables, rest):
    """A segment of Huffman tables, as it was where none of them is made anew."""
    if not any(rest.optimised[place] for place in piece.tables):
        return piece.raw
    payload = b"".join(
        bytes([selector]) + tables[place].counts + tables[place].symbols
        for selector, place in zip(piece.selectors, piece.tables)
    )
    return piece.raw[:2] + (len(payload) + 2).to_bytes(2, "big") + payload


def _pictured(planes, rest):
    components = rest.layout.frame.components
    shapes = [(8 * component.rows, 8 * component.columns) for component in components]
    if [plane.shape for plane in planes] != shapes:
        raise ValueError(f"planes of {shapes} are needed; got {[p.shape for p in planes]}")
    return list(map(blocks.padded, planes, components, rest.dummies))
