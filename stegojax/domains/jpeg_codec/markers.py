"""The markers of a JPEG file: what its segments say, and where the entropy-coded data lie.

A file is taken apart into pieces that give it back when they are joined: bytes that are never
looked at again, segments of Huffman tables, and scans.
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

import numpy as np

from stegojax.domains.jpeg_codec import huffman
from stegojax.errors import InputError

MAX_COEFFICIENTS = 1 << 28
"""Pictures with more coefficients are refused: what a few bytes claim must not fill the memory."""

MAX_SCANS = 500
"""Files with more scans are refused."""

MAX_BYTES = 1 << 28
"""Longer files are refused: positions are counted in bits, in 32-bit numbers."""

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI, _DNL = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD, 0xDC
_FRAMES = {0xC0, 0xC1, 0xC2}
_REFUSED_FRAMES = {0xC3: "lossless", 0xC5: "hierarchical", 0xC6: "hierarchical"} | {
    0xC7: "hierarchical",
    0xC9: "arithmetic-coded",
    0xCA: "arithmetic-coded",
    0xCB: "arithmetic-coded",
    0xCC: "arithmetic-coded",
    0xCD: "hierarchical",
    0xCE: "hierarchical",
    0xCF: "hierarchical",
    0xDE: "hierarchical",
    0xDF: "hierarchical",
}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}

_DIAGONALS = sorted(
    ((u, v) for u in range(8) for v in range(8)),
    key=lambda at: (at[0] + at[1], at[0] if (at[0] + at[1]) % 2 else at[1]),
)
NATURAL = np.array([8 * u + v for u, v in _DIAGONALS])
"""Where the k-th coefficient of the zigzag lies in a block, 8 u + v."""


class Component(NamedTuple):
    """A component of the picture.

    identifier:   its number in the file.
    horizontal:   sampling factor along the rows; blocks per MCU.
    vertical:     sampling factor down the columns.
    quantisation: number of its quantisation table.
    rows:         blocks down the picture.
    columns:      blocks along the rows.
    padded:       rows and columns with the blocks that fill the last MCUs.
    """

    identifier: int
    horizontal: int
    vertical: int
    quantisation: int
    rows: int
    columns: int
    padded: tuple[int, int]


class Frame(NamedTuple):
    """The picture as its start-of-frame segment describes it.

    progressive: whether the coefficients come in several scans.
    height:      in pixels.
    width:       in pixels.
    components:  one to four.
    """

    progressive: bool
    height: int
    width: int
    components: tuple[Component, ...]


class Scan(NamedTuple):
    """One pass over some components.

    components: their places in `Frame.components`.
    dc_tables:  for each, the place of its DC table in `Layout.tables`, -1 where none is in force.
    ac_tables:  likewise, of its AC table.
    first:      first coefficient of the zigzag.
    last:       last coefficient of the zigzag.
    high:       bit position of the pass that this one refines; 0 in a first pass.
    low:        bit position that the coefficients are given to.
    restart:    MCUs per restart interval; 0 for one interval.
    start:      where the entropy-coded data begin in the file.
    end:        where they end.
    """

    components: tuple[int, ...]
    dc_tables: tuple[int, ...]
    ac_tables: tuple[int, ...]
    first: int
    last: int
    high: int
    low: int
    restart: int
    start: int
    end: int


class TableSegment(NamedTuple):
    """A segment that defines Huffman tables.

    raw:      the segment as it is in the file, from the marker on.
    selector: for each table, the byte that says its kind and number.
    tables:   for each, its place in `Layout.tables`.
    """

    raw: bytes
    selectors: tuple[int, ...]
    tables: tuple[int, ...]


class Layout(NamedTuple):
    """A file taken apart.

    pieces: in the order of the file: bytes, `TableSegment`, or the place of a scan in `scans`.
    frame:  what the picture is.
    scans:  its scans.
    tables: every Huffman table that the file defines.
    quantisation: of each component, uint16 `[8, 8]`, row u and column v.
    """

    pieces: tuple[bytes | TableSegment | int, ...]
    frame: Frame
    scans: tuple[Scan, ...]
    tables: tuple[huffman.Table, ...]
    quantisation: tuple[np.ndarray, ...]


def damaged(what: str) -> InputError:
    """The error of a file that breaks the rules of the format.

    Args:
      what: breaks them.

    Returns:
      The error, to be raised.
    """
    return InputError(f"is damaged: {what}; open it in a picture editor and save it anew")


def parse(content: bytes) -> Layout:
    """Takes a JPEG file apart.

    Args:
      content: the whole file.

    Returns:
      Its parts.

    Raises:
      InputError: it is no JPEG file, of a kind that is not read, damaged, or ends early.
    """
    if content[:3] != b"\xff\xd8\xff":
        raise InputError("is not a JPEG file")
    if len(content) > MAX_BYTES:
        raise InputError(f"is larger than {MAX_BYTES >> 20} MiB; take a smaller picture")
    return _Parser(content).layout()


class _Parser:
    """Reads the segments one after the other and holds what is in force."""

    def __init__(self, content):
        self.content = content
        self.at = self.kept = 0
        self.pieces, self.scans, self.tables = [], [], []
        self.in_force = {}
        self.steps = {}
        self.latched = {}
        self.restart = 0
        self.frame = None
        octets = np.frombuffer(content, np.uint8)
        marks = np.flatnonzero(octets[:-1] == 0xFF)
        after = octets[marks + 1]
        self.ends = marks[(after != 0) & ((after < 0xD0) | (after > 0xD7))]

    def layout(self):
        self.at = 2
        handlers = {
            _DQT: self.quantisation,
            _DHT: self.huffman,
            _DRI: self.restarts,
            _SOS: self.scan,
        }
        while (marker := self.marker()) != _EOI:
            if marker in _WITHOUT_LENGTH or marker in (_SOI, _DNL):
                raise damaged(f"marker 0x{marker:02X} is out of place")
            if marker in _REFUSED_FRAMES:
                raise InputError(
                    f"is a JPEG file of a rare kind ({_REFUSED_FRAMES[marker]}) that is not read; "
                    "save it as an ordinary JPEG file first"
                )
            start = self.at
            payload = self.segment()
            if marker in _FRAMES:
                self.start_of_frame(marker, payload)
            elif marker in handlers:
                handlers[marker](payload, start)
        if not self.scans:
            raise damaged("it holds no picture")
        self.keep(len(self.content))
        if len(self.latched) < len(self.frame.components):
            raise damaged("a component of the picture is missing")
        return Layout(
            tuple(self.pieces),
            self.frame,
            tuple(self.scans),
            tuple(self.tables),
            tuple(self.latched[index] for index in range(len(self.frame.components))),
        )

    def keep(self, end):
        """Adds the bytes since the last piece as a piece."""
        if end > self.kept:
            self.pieces.append(self.content[self.kept : end])
        self.kept = end

    def marker(self):
        if self.at + 1 < len(self.content) and self.content[self.at] != 0xFF:
            raise damaged(f"there is no marker at byte {self.at}")
        while self.at < len(self.content) and self.content[self.at] == 0xFF:
            self.at += 1
        if self.at >= len(self.content):
            raise InputError("ends early: it was cut off; take a whole file")
        self.at += 1
        return self.content[self.at - 1]

    def segment(self):
        length = int.from_bytes(self.content[self.at : self.at + 2], "big")
        if self.at + max(length, 2) > len(self.content):
            raise InputError("ends early: it was cut off; take a whole file")
        if length < 2:
            raise damaged(f"the segment at byte {self.at} has no length")
        self.at += length
        return self.content[self.at - length + 2 : self.at]

    def start_of_frame(self, marker, payload):
        if self.frame is not None:
            raise damaged("it describes two pictures in one")
        if len(payload) < 6:
            raise damaged("the description of its picture is cut short")
        precision, height, width, number = struct.unpack(">BHHB", payload[:6])
        if precision != 8:
            raise InputError(
                f"holds samples of {precision} bits; only JPEG files of 8 bits are read"
            )
        if not height or not width:
            raise damaged("it does not say how large its picture is")
        if not 1 <= number <= 4 or len(payload) != 6 + 3 * number:
            raise damaged(f"it claims {number} components")
        described = [payload[6 + 3 * i : 9 + 3 * i] for i in range(number)]
        factors = [(factor & 15, factor >> 4) for _, factor, _ in described]
        if any(not 1 <= factor <= 4 for pair in factors for factor in pair):
            raise damaged("its sampling factors are impossible")
        if len({identifier for identifier, _, _ in described}) < number:
            raise damaged("two of its components have one number")
        most = [max(pair[axis] for pair in factors) for axis in (0, 1)]
        mcus = [-(-size // (8 * of)) for size, of in zip((height, width), most)]
        components = []
        for (identifier, _, table), pair in zip(described, factors):
            blocks = [
                math.ceil(math.ceil(size * own / of) / 8)
                for size, own, of in zip((height, width), pair, most)
            ]
            padded = (mcus[0] * pair[0], mcus[1] * pair[1])
            components.append(Component(identifier, pair[1], pair[0], table, *blocks, padded))
        claimed = sum(64 * rows * columns for rows, columns in (c.padded for c in components))
        if claimed > min(MAX_COEFFICIENTS, 64 * 64 * len(self.content)):
            raise InputError(
                f"claims to be {width} x {height} pixels large, which is more than is read; "
                "take a smaller picture"
            )
        self.frame = Frame(marker == 0xC2, height, width, tuple(components))

    def quantisation(self, payload, _):
        while payload:
            size = 2 if payload[0] >> 4 else 1
            if payload[0] >> 4 > 1 or payload[0] & 15 > 3 or len(payload) < 1 + 64 * size:
                raise damaged("one of its quantisation tables is impossible")
            steps = np.zeros(64, np.uint16)
            steps[NATURAL] = np.frombuffer(payload[1 : 1 + 64 * size], f">u{size}")
            self.steps[payload[0] & 15] = steps.reshape(8, 8)
            payload = payload[1 + 64 * size :]

    def huffman(self, payload, start):
        self.keep(start - 2)
        selectors, places = [], []
        while payload:
            size = 17 + sum(payload[1:17])
            if payload[0] >> 4 > 1 or payload[0] & 15 > 3 or size > min(len(payload), 17 + 256):
                raise damaged("one of its Huffman tables is impossible")
            table = huffman.Table(payload[1:17], payload[17:size])
            huffman.check(table)
            self.in_force[payload[0]] = len(self.tables)
            selectors.append(payload[0])
            places.append(len(self.tables))
            self.tables.append(table)
            payload = payload[size:]
        raw = self.content[start - 2 : self.at]
        self.pieces.append(TableSegment(raw, tuple(selectors), tuple(places)))
        self.kept = self.at

    def restarts(self, payload, _):
        if len(payload) != 2:
            raise damaged("its restart interval is impossible")
        self.restart = int.from_bytes(payload, "big")

    def scan(self, payload, _):
        if self.frame is None:
            raise damaged("a scan comes before the description of the picture")
        if len(self.scans) == MAX_SCANS:
            raise damaged(f"it has more than {MAX_SCANS} scans")
        number = payload[0] if payload else 0
        if not 1 <= number <= len(self.frame.components) or len(payload) != 4 + 2 * number:
            raise damaged("the header of a scan is impossible")
        places = {component.identifier: i for i, component in enumerate(self.frame.components)}
        chosen = [payload[1 + 2 * i : 3 + 2 * i] for i in range(number)]
        if any(identifier not in places for identifier, _ in chosen):
            raise damaged("a scan is of a component that the picture lacks")
        components = tuple(places[identifier] for identifier, _ in chosen)
        if list(components) != sorted(set(components)):
            raise damaged("the components of a scan are out of order")
        for index in components:
            selected = self.frame.components[index].quantisation
            if index not in self.latched and selected not in self.steps:
                raise damaged("a quantisation table is missing")
            self.latched.setdefault(index, self.steps.get(selected))
        first, last, bits = payload[-3:]
        end = int(np.searchsorted(self.ends, self.at))
        if end == len(self.ends):
            raise InputError("ends early: it was cut off; take a whole file")
        self.keep(self.at)
        self.scans.append(
            Scan(
                components,
                tuple(self.in_force.get(tables >> 4, -1) for _, tables in chosen),
                tuple(self.in_force.get(0x10 | tables & 15, -1) for _, tables in chosen),
                first,
                last,
                bits >> 4,
                bits & 15,
                self.restart,
                self.at,
                int(self.ends[end]),
            )
        )
        self.pieces.append(len(self.scans) - 1)
        self.at = self.kept = int(self.ends[end])
