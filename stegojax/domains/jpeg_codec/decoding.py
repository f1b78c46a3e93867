"""Coefficients from the entropy-coded data of a JPEG file (ITU-T T.81, annexes F and G)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stegojax.domains.jpeg_codec import blocks, huffman, lanes
from stegojax.domains.jpeg_codec.markers import NATURAL, Frame, Layout, Scan, damaged

_LARGEST = 15
"""The most bits that a coefficient may have; more do not fit into 16 with their sign."""

_NUMBERS = np.arange(256)
_RUN, _SIZE = _NUMBERS >> 4, _NUMBERS & 15
_BLOCK = 64


class Decoded(NamedTuple):
    """What the entropy-coded data of a file hold.

    pictured: per component int16 `[rows, columns, 64]` with padding, coefficients at 8 u + v.
    used:     `[tables, 256]`, how often each symbol of each Huffman table occurs.
    fills:    per scan uint8 `[intervals]`, the bit that fills the last byte of each interval.
    """

    pictured: list[np.ndarray]
    used: np.ndarray
    fills: tuple[np.ndarray, ...]


def decode(content: bytes, layout: Layout) -> Decoded:
    """Decodes every scan of a file.

    Args:
      content: the whole file.
      layout: its parts.

    Returns:
      Its coefficients, and what is needed to write them as they were written.

    Raises:
      InputError: the file is damaged or ends early.
    """
    frame = layout.frame
    pictured = [np.zeros((*component.padded, 64), np.int16) for component in frame.components]
    known = np.full((len(frame.components), 64), -1)
    used = np.zeros((len(layout.tables), 256), np.int64)
    fills = []
    for scan in layout.scans:
        _check(scan, frame, known)
        stream = _Stream(content, scan, frame)
        reader = _reader(scan, frame)
        reader(stream, scan, layout, pictured, used)
        fills.append(stream.fills())
    if (known != 0).any():
        raise damaged("some of its scans are missing")
    return Decoded(pictured, used, tuple(fills))


def _reader(scan, frame):
    if scan.high == 0:
        return _read_first
    return _refine_dc if scan.first == 0 else _refine_ac


def _check(scan: Scan, frame: Frame, known: np.ndarray) -> None:
    """Refuses scans that do not follow from those before (T.81, G.1.1.1), and notes what is known.

    Args:
      scan: the scan.
      frame: the picture.
      known: `[components, 64]`, the bit position that each coefficient is known to, -1 for none;
        brought up to date.
    """
    whole = (scan.first, scan.last, scan.high, scan.low) == (0, 63, 0, 0)
    band = scan.last == 0 if scan.first == 0 else len(scan.components) == 1
    if frame.progressive:
        possible = scan.first <= scan.last < 64 and band and scan.low <= 13
    else:
        possible = whole
    region = known[list(scan.components), scan.first : scan.last + 1]
    if scan.high:
        possible &= scan.low == scan.high - 1 and bool((region == scan.high).all())
    else:
        possible &= bool((region == -1).all())
    if frame.progressive and scan.first:
        possible &= bool((known[list(scan.components), 0] >= 0).all())
    if not possible:
        raise damaged("one of its scans is impossible")
    known[list(scan.components), scan.first : scan.last + 1] = scan.low


class _Stream:
    """The data of one scan, without stuffed bytes and restart markers.

    words:    as `lanes.words`.
    starts:   where each restart interval begins, in bits.
    ends:     where it ends.
    finished: where its last block ends; filled in by the readers.
    blocks:   how many blocks each interval has.
    """

    def __init__(self, content, scan, frame):
        data = np.frombuffer(content, np.uint8)[scan.start : scan.end]
        marks = np.flatnonzero(data[:-1] == 0xFF)
        after = data[marks + 1]
        restarts = marks[after != 0]
        gone = np.zeros(len(data), bool)
        gone[marks + 1] = True
        gone[restarts] = True
        self.octets = data[~gone]
        lost = np.cumsum(gone)
        edges = np.concatenate([[0], restarts - lost[restarts] + 1, [len(self.octets)]])
        self.starts, self.ends = 8 * edges[:-1], 8 * edges[1:]
        self.words = lanes.words(self.octets)
        total = blocks.count(frame, scan)
        each = scan.restart * len(blocks.owners(frame, scan)) if scan.restart else total
        intervals = -(-total // each)
        numbers = (after[after != 0] - 0xD0).tolist()
        if numbers != [i % 8 for i in range(intervals - 1)]:
            raise damaged("its restart markers do not fit its picture")
        self.each, self.total = each, total
        self.blocks = np.minimum(each, total - each * np.arange(intervals))
        self.finished = np.full(intervals, -1)

    def fills(self):
        """The bit that fills the last byte of each interval, checked: nothing else is left."""
        left = self.ends - self.finished
        if (self.finished < 0).any() or (left < 0).any():
            raise damaged("its data end early")
        if (left > 7).any():
            raise damaged("data are left over after its last block")
        partly = left > 0
        fills = np.ones(len(left), np.uint8)
        fills[partly] = lanes.bits(self.words, self.finished[partly], left[partly]) != 0
        return fills


def _tables(scan, layout, places):
    if min(places) < 0:
        raise damaged("a Huffman table is missing")
    return [layout.tables[place] for place in places]


def _machine(scan, frame, layout):
    """The machine of a first pass, and which table each of its slots is."""
    sequential = not frame.progressive
    takes_dc, takes_ac = scan.first == 0, scan.last > 0
    slots, places = [], []
    number = {}
    for kind, chosen, wanted in (
        ("dc", scan.dc_tables, takes_dc),
        ("ac", scan.ac_tables, takes_ac),
    ):
        for place, table in zip(chosen, _tables(scan, layout, chosen) if wanted else ()):
            if (kind, place) in number:
                continue
            number[kind, place] = len(slots)
            places.append(place)
            symbols, lengths = huffman.lookup(table)
            slots.append(lanes.entries(symbols, lengths, *_meaning(kind, sequential)))
    of_blocks = [
        (
            number["dc", scan.dc_tables[owner]] if takes_dc else 0,
            number["ac", scan.ac_tables[owner]] if takes_ac else 0,
        )
        for owner in blocks.owners(frame, scan)
    ]
    return lanes.machine(slots, of_blocks, scan.first, scan.last), np.array(places)


def _meaning(kind, sequential):
    """Bits that follow each symbol, -1 for symbols without a meaning, and steps."""
    if kind == "dc":
        return np.where(_NUMBERS <= _LARGEST, _NUMBERS, -1), np.ones(256, int)
    end = (_SIZE == 0) & (_RUN < 15)
    steps = np.where(end, _BLOCK, _RUN + 1)
    if sequential:
        return np.where(end & (_RUN > 0), -1, _SIZE), steps
    return np.where(end, _RUN, _SIZE), steps


def _read_first(stream, scan, layout, pictured, used):
    """Reads a scan that gives its coefficients for the first time."""
    frame = layout.frame
    rules, places = _machine(scan, frame, layout)
    only_dc = scan.last == 0
    coded = np.zeros(stream.total if only_dc else (stream.total, 64), np.int16)
    flat = coded.reshape(-1)
    done = np.zeros(len(stream.blocks) + 1, np.int64)
    for symbols in lanes.read(stream.words, stream.starts, stream.ends, rules):
        block, kept = _blocks_of(symbols, stream, scan, done)
        symbols = lanes.Symbols(*(values[kept] for values in symbols))
        block = block[kept]
        if symbols.bad.any():
            raise damaged("its data hold a code that does not exist")
        counted = np.bincount(symbols.slot * 256 + symbols.symbol, minlength=256 * len(places))
        np.add.at(used, places, counted.reshape(-1, 256))
        stream.finished[symbols.interval] = symbols.position + symbols.advance
        dc = symbols.coefficient == 0
        size = np.where(dc, symbols.symbol, symbols.symbol & 15)
        at = symbols.coefficient + symbols.step - 1
        has = np.flatnonzero(size)
        size, at, block = size[has], at[has], block[has]
        if (at > scan.last).any():
            raise damaged("a block has too many coefficients")
        value = lanes.bits(stream.words, symbols.position[has] + symbols.length[has], size)
        value = np.where(value >> (size - 1), value, value + 1 - (1 << size)) << scan.low
        flat[block if only_dc else block * 64 + NATURAL[at]] = value
    if (done[:-1] != stream.blocks).any():
        raise damaged("its data end early")
    _settle(coded, scan, frame, pictured, stream)


def _blocks_of(symbols, stream, scan, done):
    """The block of each symbol in the order of the scan, and which symbols are of the picture.

    `done` has the number of blocks that each interval has so far, and is brought up to date.
    """
    ended = (symbols.coefficient + symbols.step > scan.last) & ~symbols.bad
    amount = ended.astype(np.int64)
    if scan.first > 0:
        run = symbols.symbol >> 4
        runs = np.flatnonzero(ended & (symbols.symbol & 15 == 0) & (run > 0) & (run < 15))
        if len(runs):
            at = symbols.position[runs] + symbols.length[runs]
            run = run[runs]
            amount[runs] = (1 << run) + lanes.bits(stream.words, at, run)
    total = np.cumsum(amount)
    before = total - amount
    first = np.flatnonzero(np.diff(symbols.interval, prepend=-1))
    which = symbols.interval[first]
    lengths = np.diff(np.append(first, len(before)))
    nth = before + np.repeat(done[which] - before[first], lengths)
    kept = nth < stream.blocks[symbols.interval]
    if (kept & (nth + amount > stream.blocks[symbols.interval])).any():
        raise damaged("a run of blocks goes beyond its picture")
    if len(first):
        sums = done[which] + np.add.reduceat(amount, first)
        done[which] = np.minimum(sums, stream.blocks[which])
    return symbols.interval * stream.each + nth, kept


def _settle(coded, scan, frame, pictured, stream):
    """Sums up the DC differences and puts the coefficients in their place."""
    only_dc = scan.last == 0
    if scan.first == 0:
        dc = coded if only_dc else coded[:, 0]
        owners = np.array(blocks.owners(frame, scan))
        per_mcu = dc.reshape(-1, len(owners))
        mcus = stream.each // len(owners)
        for owner in range(len(scan.components)):
            of_owner = owners == owner
            values = per_mcu[:, of_owner].astype(np.int64)
            sums = np.cumsum(values).reshape(values.shape)
            base = np.append(0, sums[mcus - 1 :: mcus, -1])
            sums -= np.repeat(base, mcus)[: len(sums), None]
            if abs(sums).max() > 0x7FFF:
                raise damaged("a coefficient is out of range")
            per_mcu[:, of_owner] = sums
    if only_dc:
        flats = [component[..., 0] for component in pictured]
        blocks.scatter(coded, flats, frame, scan)
    elif scan.first == 0:
        blocks.scatter(coded, pictured, frame, scan)
    else:
        band = NATURAL[scan.first : scan.last + 1]
        component = frame.components[scan.components[0]]
        target = pictured[scan.components[0]][: component.rows, : component.columns]
        target[..., band] = coded.reshape(*target.shape)[..., band]


def _refine_dc(stream, scan, layout, pictured, used):
    """Reads one more bit of every DC coefficient."""
    frame = layout.frame
    each = np.repeat(stream.starts, stream.blocks)
    nth = np.arange(stream.total) % stream.each
    position = each + nth
    stream.finished[:] = stream.starts + stream.blocks
    if (stream.finished > stream.ends).any():
        raise damaged("its data end early")
    bit = stream.octets[position >> 3] >> (7 - (position & 7)).astype(np.uint8) & 1
    flats = [component[..., 0] for component in pictured]
    coded = blocks.gather(flats, frame, scan)
    blocks.scatter(coded | bit.astype(np.int16) << scan.low, flats, frame, scan)


def _refine_ac(stream, scan, layout, pictured, used):
    """Reads one more bit of known coefficients, and coefficients that appear with it.

    The codes lie between the bits of the coefficients that are known, so where one begins follows
    from all before it: they are read one by one. `zeros` are the coefficients that are still 0, as
    positions in the scan; between two of them lie the known ones, so that a run of zeros says at
    once how many bits there are.
    """
    frame = layout.frame
    (place,) = scan.ac_tables
    _tables(scan, layout, scan.ac_tables)
    coded = blocks.gather(pictured, frame, scan)
    order = NATURAL[scan.first : scan.last + 1]
    width = len(order)
    values = coded.take(order, axis=1)
    flat = values.reshape(-1)
    zeros = np.flatnonzero(flat == 0).astype(np.int32)
    per_block = np.append(0, np.cumsum((values == 0).sum(1)))
    known = np.flatnonzero(flat)
    appeared, symbols = _walk_refinement(stream, layout.tables[place], width, zeros, per_block)
    used[place] += np.bincount(symbols, minlength=256)
    new, signs, first_bit, cuts = appeared
    correction = lanes.bits(stream.words, _positions_of(known, first_bit, cuts), np.int64(1))
    one = np.int16(1 << scan.low)
    flat[known] += np.where(flat[known] > 0, one, -one) * correction.astype(np.int16)
    flat[new] = np.where(signs, one, -one)
    coded[:, order] = values
    blocks.scatter(coded, pictured, frame, scan)


def _positions_of(known, first_bit, cuts):
    """Where the correction bit of each known coefficient lies.

    Each stretch of coefficients, up to `cuts`, has its bits from `first_bit` on.
    """
    stretch = np.searchsorted(cuts, known, side="right")
    before = np.searchsorted(known, np.append(0, cuts))
    return first_bit[stretch] + np.arange(len(known)) - before[stretch]


def _walk_refinement(stream, table, width, zeros, per_block):
    """Reads the codes of a refining scan.

    Returns:
      New coefficients' places, whether they are positive, where the bits of each stretch begin and
      where the stretches end; and the symbols.
    """
    meanings, lengths = huffman.lookup(table)
    codes = memoryview(lengths << 9 | meanings)
    words, zero_at, zero_before = map(memoryview, (stream.words, zeros, per_block))
    new, signs, first_bit, cuts, symbols = [], [], [], [], []
    block = 0
    for interval, (position, end) in enumerate(zip(stream.starts.tolist(), stream.ends.tolist())):
        last_block = block + int(stream.blocks[interval])
        while block < last_block:
            at, zero, limit = block * width, zero_before[block], zero_before[block + 1]
            beyond = at + width
            while at < beyond:
                if position >= end:
                    raise damaged("its data end early")
                entry = codes[words[position >> 3] >> (16 - (position & 7)) & 0xFFFF]
                symbol = entry & 511
                position += entry >> 9
                run, size = symbol >> 4, symbol & 15
                if size > 1 or symbol == huffman.NO_SYMBOL:
                    raise damaged("its data hold a code that does not exist")
                symbols.append(symbol)
                if size or run == 15:
                    zero += run
                    if zero >= limit:
                        raise damaged("a block has too many coefficients")
                    stop = zero_at[zero] + 1
                    if size:
                        new.append(stop - 1)
                        signs.append(words[position >> 3] >> (31 - (position & 7)) & 1)
                        position += 1
                    first_bit.append(position)
                    cuts.append(stop)
                    position += stop - at - run - 1
                    zero += 1
                    at = stop
                else:
                    blocks_ended = 1 << run
                    if run:
                        blocks_ended += words[position >> 3] >> (32 - run - (position & 7)) & (
                            blocks_ended - 1
                        )
                        position += run
                    block += blocks_ended - 1
                    if block >= last_block:
                        raise damaged("a run of blocks goes beyond its picture")
                    stop = (block + 1) * width
                    first_bit.append(position)
                    cuts.append(stop)
                    position += stop - at - (zero_before[block + 1] - zero)
                    at = beyond = stop
            block += 1
        stream.finished[interval] = position
    arrays = (np.array(values, np.int64) for values in (new, signs, first_bit, cuts))
    return tuple(arrays), np.array(symbols, np.int64)
