"""Entropy-coded data of a JPEG file from coefficients, as libjpeg writes them.

A scan becomes items in the order of the stream: a symbol, and bits that follow it. From them come
the frequencies that a table is optimised for, and the bits. Sequential scans are made some thousand
blocks at a time, which keeps the arrays small.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from stegojax.domains.jpeg_codec import blocks, huffman
from stegojax.domains.jpeg_codec.huffman import NO_SYMBOL
from stegojax.domains.jpeg_codec.markers import NATURAL, Frame, Scan
from stegojax.errors import InputError

_CHUNK = 1 << 15
_LONGEST_RUN = 0x7FFF
_MOST_CORRECTIONS = 937
"""libjpeg ends a run of blocks when more correction bits than this wait for its end."""


class Items(NamedTuple):
    """What a scan writes, in order; arrays of one length.

    block:  the block in the order of the scan; of a run of blocks the last one.
    table:  place of the Huffman table, -1 for bits alone.
    symbol: 0..255, or `NO_SYMBOL`.
    extra:  the bits that follow.
    size:   how many.
    """

    block: np.ndarray
    table: np.ndarray
    symbol: np.ndarray
    extra: np.ndarray
    size: np.ndarray


_KINDS = (np.int32, np.int16, np.int16, np.int32, np.int8)


def _merge(*lists: tuple) -> Items:
    """Puts items in order that come as (order within the scan, block, table, symbol, extra, size).

    Each list is in order; of equal ones the earlier list's goes first.
    """
    order = np.argsort(np.concatenate([item[0] for item in lists]), kind="stable")
    fields = []
    for at, kind in enumerate(_KINDS, 1):
        parts = [np.broadcast_to(item[at], len(item[0])).astype(kind) for item in lists]
        fields.append(np.concatenate(parts)[order])
    return Items(*fields)


def _magnitude_bits(values):
    """Size and bits of coefficients as T.81 codes them; the values are not 0 where it matters."""
    size = np.frexp(abs(values).astype(np.float32))[1]
    return size, np.where(values < 0, values + (1 << size) - 1, values)


def items(pictured: list[np.ndarray], frame: Frame, scan: Scan) -> Iterator[Items]:
    """What a scan writes.

    Args:
      pictured: per component int16 `[rows, columns, 64]` with padding, coefficients at 8 u + v.
      frame: the picture.
      scan: the scan.

    Yields:
      Its items, chunk by chunk.
    """
    if scan.first == 0 and scan.high:
        coded = blocks.gather([b[..., 0] for b in pictured], frame, scan)
        number = np.arange(len(coded))
        yield _merge((number, number, -1, NO_SYMBOL, coded >> scan.low & 1, 1))
    elif scan.first == 0:
        yield from _from_dc(pictured, frame, scan)
    elif scan.high:
        yield _refining(pictured, frame, scan)
    else:
        yield _first_ac(pictured, frame, scan)


def _each(frame, scan):
    """Blocks in a restart interval."""
    if not scan.restart:
        return blocks.count(frame, scan)
    return scan.restart * len(blocks.owners(frame, scan))


def _differences(dc, frame, scan):
    """DC coefficients less that of the component's block before."""
    owners = np.array(blocks.owners(frame, scan))
    per_mcu = dc.reshape(-1, len(owners))
    result = np.empty(per_mcu.shape, np.int32)
    mcus = _each(frame, scan) // len(owners)
    for owner in range(len(scan.components)):
        of_owner = owners == owner
        values = per_mcu[:, of_owner].astype(np.int32)
        differences = np.diff(values.reshape(-1), prepend=0).reshape(values.shape)
        differences[::mcus, 0] = values[::mcus, 0]
        result[:, of_owner] = differences
    return result.reshape(-1)


def _from_dc(pictured, frame, scan):
    """A first scan that begins with DC coefficients."""
    dc = blocks.gather([b[..., 0] for b in pictured], frame, scan) >> scan.low
    differences = _differences(dc, frame, scan)
    owners = np.array(blocks.owners(frame, scan))
    coded = blocks.gather(pictured, frame, scan) if scan.last else None
    chunk = _CHUNK // len(owners) * len(owners)
    for at in range(0, len(dc), chunk):
        values = differences[at : at + chunk]
        number = np.arange(len(values))
        owner = owners[number % len(owners)]
        size, extra = _magnitude_bits(values)
        dc_table = np.array(scan.dc_tables)[owner]
        dc_items = (number << 7, number + at, dc_table, size, extra, size)
        if not scan.last:
            yield _merge(dc_items)
            continue
        ac_table = np.array(scan.ac_tables)[owner]
        band = coded[at : at + chunk, NATURAL[1:]]
        place, coefficients = _nonzero(band)
        block, k = place // 63, place % 63 + 1
        zeros = k - 1 - np.where(np.diff(block, prepend=-1), 0, np.append(0, k[:-1]))
        skipped, of_block = _skips(block, k, zeros >> 4)
        size, extra = _magnitude_bits(coefficients)
        full = np.zeros(len(values), bool)
        full[block[k == 63]] = True
        short = np.flatnonzero(~full)
        yield _merge(
            dc_items,
            (skipped, of_block + at, ac_table[of_block], 0xF0, 0, 0),
            (block << 7 | k, block + at, ac_table[block], (zeros & 15) << 4 | size, extra, size),
            (short << 7 | 64, short + at, ac_table[short], 0, 0, 0),
        )


def _nonzero(band):
    flat = band.reshape(-1)
    place = np.flatnonzero(flat)
    return place, flat[place].astype(np.int32)


def _skips(block, k, amount):
    """Order and block of the symbols that stand for 16 zeros, before the coefficients at k."""
    at = np.flatnonzero(amount)
    at = np.repeat(at, amount[at])
    return block[at] << 7 | k[at], block[at]


def _runs(tail, has, each):
    """Runs of blocks that end in zeros: last block, and how many blocks.

    Args:
      tail: whether a block ends in zeros.
      has: whether a block has symbols of its own, which end the run before it.
      each: blocks in an interval.
    """
    number = np.flatnonzero(tail)
    if not len(number):
        return number, number
    begins = has[number] | (number % each == 0) | (np.diff(number, prepend=-2) > 1)
    start = np.flatnonzero(begins)
    length = np.diff(np.append(start, len(number)))
    return number[start] + length - 1, length


def _run_items(last, length, waiting, table):
    """Items of runs, cut as libjpeg cuts them: `waiting` are the correction bits of each block."""
    last, length = _cut(last, length, np.append(0, np.cumsum(waiting)))
    bits = np.frexp(length.astype(np.float64))[1] - 1
    return (last << 7 | 126, last, table, bits << 4, length - (1 << bits), bits)


def _cut(last, length, waiting_before):
    """Ends runs where they are too long, or too many correction bits wait for their end."""
    start = last - length + 1
    waits = waiting_before[last + 1] - waiting_before[start]
    long = (length > _LONGEST_RUN) | (waits > _MOST_CORRECTIONS)
    if not long.any():
        return last, length
    starts, ends = [start[~long]], [last[~long]]
    for begin, end in zip(start[long].tolist(), last[long].tolist()):
        while begin <= end:
            most = waiting_before[begin] + _MOST_CORRECTIONS
            full = int(np.searchsorted(waiting_before, most, side="right")) - 1
            until = min(end, begin + _LONGEST_RUN - 1, full)
            starts.append([begin]), ends.append([until])
            begin = until + 1
    start, last = np.sort(np.concatenate(starts)), np.sort(np.concatenate(ends))
    return last, last - start + 1


def _first_ac(pictured, frame, scan):
    """A first scan of AC coefficients (T.81, G.1.2.2)."""
    (table,) = scan.ac_tables
    order = NATURAL[scan.first : scan.last + 1]
    coded = blocks.gather(pictured, frame, scan)[:, order]
    coded = np.where(coded < 0, -(-coded >> scan.low), coded >> scan.low)
    width = len(order)
    place, coefficients = _nonzero(coded)
    block, k = place // width, place % width
    zeros = k - np.where(np.diff(block, prepend=-1), 0, np.append(-1, k[:-1]) + 1)
    size, extra = _magnitude_bits(coefficients)
    has = np.zeros(len(coded), bool)
    has[block] = True
    runs = _runs(coded[:, -1] == 0, has, _each(frame, scan))
    skipped, of_block = _skips(block, k, zeros >> 4)
    return _merge(
        (skipped, of_block, table, 0xF0, 0, 0),
        (block << 7 | k, block, table, (zeros & 15) << 4 | size, extra, size),
        _run_items(*runs, np.zeros(len(coded), int), table),
    )


def _refining(pictured, frame, scan):
    """A refining scan of AC coefficients (T.81, G.1.2.3).

    The bits of known coefficients wait for the next symbol: of their block, or of the run of blocks
    that theirs belongs to.
    """
    (table,) = scan.ac_tables
    order = NATURAL[scan.first : scan.last + 1]
    coded = blocks.gather(pictured, frame, scan)[:, order]
    width = len(order)
    place, values = _nonzero(np.where(coded < 0, -(-coded >> scan.low), coded >> scan.low))
    block, k = place // width, place % width
    key = block << 7 | k
    new, known = abs(values) == 1, abs(values) > 1
    last_new = np.full(len(coded), -1)
    last_new[block[new]] = k[new]

    # Zeros are counted from the block's start or its last new coefficient; 16 of them are written
    # at the next coefficient that is not 0, as long as a new one is still to come.
    number = np.arange(len(place))
    zeros = place - number
    opens = np.diff(block, prepend=-1) != 0
    restarts = opens | np.append(False, new[:-1])[: len(new)]
    origin = np.where(opens, zeros - k, np.append(0, zeros[:-1])[: len(zeros)])
    run = zeros - origin[np.maximum.accumulate(np.where(restarts, number, 0))]
    sixteens = np.where(k <= last_new[block], run >> 4, 0)
    earlier = np.where(restarts, 0, np.append(0, sixteens[:-1])[: len(sixteens)])
    skipped, of_block = _skips(block, k, sixteens - earlier)

    runs = _runs(last_new != width - 1, last_new >= 0, _each(frame, scan))
    waiting = np.bincount(block[known & (k > last_new[block])], minlength=len(coded))
    symbols = (
        (skipped, of_block, table, 0xF0, 0, 0),
        (key[new], block[new], table, (run[new] & 15) << 4 | 1, values[new] > 0, 1),
        _run_items(*runs, waiting, table),
    )
    keys = np.sort(np.concatenate([item[0] for item in symbols]))
    owner = np.searchsorted(keys, key[known], side="right")
    return _merge(
        (2 * np.arange(len(keys)), *_merge(*symbols)),
        (2 * owner + 1, block[known], -1, NO_SYMBOL, abs(values[known]) & 1, 1),
    )


class Codes(NamedTuple):
    """Codes of a file's Huffman tables; row -1 is for bits alone.

    code: int64 `[tables + 1, 257]`.
    size: bits of each, 0 where there is none.
    """

    code: np.ndarray
    size: np.ndarray


def codes(tables: tuple[huffman.Table, ...]) -> Codes:
    """The codes of all tables of a file.

    Args:
      tables: in their order.

    Returns:
      The codes.
    """
    none = (np.zeros(257, np.int64),) * 2
    code, size = zip(*(huffman.codes(table) for table in tables), none)
    return Codes(np.stack(code), np.stack(size))


def count(used: np.ndarray, chunk: Items) -> None:
    """Counts the symbols of items.

    Args:
      used: `[tables, 256]`, how often every symbol was used; counted on in place.
      chunk: the items.
    """
    with_symbol = chunk.symbol != NO_SYMBOL
    index = chunk.table[with_symbol].astype(np.int64) * 256 + chunk.symbol[with_symbol]
    used += np.bincount(index, minlength=used.size).reshape(used.shape)


def without_code(chunk: Items, coding: Codes) -> np.ndarray:
    """Which items have a symbol that their table lacks.

    Args:
      chunk: the items.
      coding: the file's codes.

    Returns:
      bool, one per item.
    """
    return (coding.size[chunk.table, chunk.symbol] == 0) & (chunk.symbol != NO_SYMBOL)


def encode(
    pictured: list[np.ndarray], frame: Frame, scan: Scan, coding: Codes, fills: np.ndarray
) -> bytes:
    """The entropy-coded data of a scan.

    Args:
      pictured: per component int16 `[rows, columns, 64]` with padding.
      frame: the picture.
      scan: the scan.
      coding: the file's codes.
      fills: the bit that fills the last byte of each interval.

    Returns:
      The bytes between the scan's header and the next marker.

    Raises:
      InputError: a symbol has no code.
    """
    each = _each(frame, scan)
    ends = np.zeros(len(fills), np.int64)
    parts, left, position, interval = [], 0, 0, 0
    for chunk in items(pictured, frame, scan):
        if without_code(chunk, coding).any():
            raise InputError("its Huffman tables lack a symbol that the changes need")
        size = coding.size[chunk.table, chunk.symbol] + chunk.size
        value = coding.code[chunk.table, chunk.symbol] << chunk.size | chunk.extra
        at = chunk.block // each
        first = np.flatnonzero(np.diff(at, prepend=-1))
        if at[0] != interval:
            position = -(-position // 8) * 8
        lengths = np.add.reduceat(size, first)
        lengths[0] += position % 8
        starts = np.cumsum(-(-lengths // 8) * 8) - (-(-lengths // 8) * 8) + position // 8 * 8
        ends[at[first]] = starts + lengths
        before = np.cumsum(size) - size
        starts[0] = position
        offset = before + np.repeat(starts - before[first], np.diff(np.append(first, len(at))))
        base = 32 * sum(map(len, parts))
        packed = _pack(offset - base, value, size)
        packed[0] |= left
        position, interval = int(ends[at[-1]]), int(at[-1])
        whole = (position - base) // 32
        left = packed[whole]
        parts.append(packed[:whole])
    octets = np.concatenate([*parts, np.array([left], np.uint32)]).astype(">u4").view(np.uint8)
    partly = (ends % 8 > 0) & (fills > 0)
    octets[ends[partly] // 8] |= ((1 << 8 - ends[partly] % 8) - 1).astype(np.uint8)
    edges = np.append(0, -(-ends // 8)).tolist()
    stuffed = [
        octets[begin:end].tobytes().replace(b"\xff", b"\xff\x00")
        for begin, end in zip(edges, edges[1:])
    ]
    marked = [part + bytes([0xFF, 0xD0 + i % 8]) for i, part in enumerate(stuffed[:-1])]
    return b"".join([*marked, stuffed[-1]])


def _pack(offset, value, size):
    """Bits of values side by side, as uint32 words; one word more than is full."""
    wide = value.astype(np.uint64) << (64 - (offset & 31) - size).astype(np.uint64)
    word = offset >> 5
    words = int(word[-1]) + 3
    upper = np.bincount(word, weights=(wide >> np.uint64(32)).astype(np.float64), minlength=words)
    over = np.flatnonzero((offset & 31) + size > 32)
    lower = (wide[over] & np.uint64(0xFFFFFFFF)).astype(np.float64)
    upper += np.bincount(word[over] + 1, weights=lower, minlength=words)
    return upper.astype(np.uint32)
