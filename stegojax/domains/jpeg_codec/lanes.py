"""Reading Huffman codes from many places of a stream at once.

Where a code begins is known only when the one before it has been read. But a reader that starts at
a wrong place soon falls into step with the right one (Klein and Wiseman, "Parallel Huffman decoding
with applications to JPEG files", The Computer Journal 46(5), 2003). So the stream is cut into
lanes; in each a reader starts some way before it and takes what it has found at the lane's start
for the truth. All readers advance together, one code per step, as NumPy arrays. Where a lane's end
is not where the next one began, that lane is read again, code by code.

A stream is words `uint32 [bytes]`, the 32 bits from every byte on. A reader is a position in bits
and a state, 128 c + k: which block of the MCU, and which coefficient comes next.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

LANE = 4096
"""Length of a lane in bits: long enough to make starting before it cheap."""

START_BEFORE = 1536
"""How many bits before its lane a reader starts. Readers of photographs fall into step within some
hundred bits, nearly always.
"""

TOGETHER = 2048
"""Readers that advance together: enough to hide NumPy's overhead, few enough for the cache."""

_BATCH = 32
_STATES = 128

# Fields of an entry: what to do with a code and the bits that follow it.
_ADVANCE = 31
_STEP_AT, _STEP = 5, 127
_SYMBOL_AT, _SYMBOL = 12, 255
_LENGTH_AT, _LENGTH = 20, 31
_BAD = 1 << 25


class Machine(NamedTuple):
    """How states follow one another, and what codes mean in them.

    entries:   int32 `[slots * 65536]`, by slot and the next 16 bits.
    base:      `[states]`, where the entries of a state's slot begin.
    following: `[states]`, the state after a step beyond the block goes to the next block's first.
    start:     the state at the start of an interval.
    """

    entries: np.ndarray
    base: np.ndarray
    following: np.ndarray
    start: int


class Symbols(NamedTuple):
    """Symbols in the order of the stream, arrays of one length.

    position:    where the code begins, in bits.
    interval:    which restart interval it is in.
    coefficient: the coefficient that came next, k.
    slot:        the slot of the table it was read with.
    symbol:      the symbol.
    length:      bits of the code.
    advance:     bits of the code and what follows it.
    step:        by how many coefficients it goes on; beyond the last one at the end of a block.
    bad:         whether no code fits, or it means nothing.
    """

    position: np.ndarray
    interval: np.ndarray
    coefficient: np.ndarray
    slot: np.ndarray
    symbol: np.ndarray
    length: np.ndarray
    advance: np.ndarray
    step: np.ndarray
    bad: np.ndarray


def entries(
    symbols: np.ndarray, lengths: np.ndarray, extra: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    """The entries of one slot.

    Args:
      symbols: by the next 16 bits, 256 where no code fits.
      lengths: of the codes, likewise.
      extra: bits that follow each of the 256 symbols; -1 for a symbol that means nothing.
      steps: by how many coefficients each symbol goes on.

    Returns:
      int32 `[65536]`.
    """
    extra, steps = np.append(extra, -1), np.append(steps, 0)
    bad = extra[symbols] < 0
    entry = (
        (lengths + extra[symbols])
        | steps[symbols] << _STEP_AT
        | (symbols & _SYMBOL) << _SYMBOL_AT
        | lengths << _LENGTH_AT
    )
    return np.where(bad, 1 | _BAD, entry).astype(np.int32)


def machine(slots: list[np.ndarray], of_blocks: list[tuple[int, int]], first: int, last: int):
    """The machine of a scan.

    Args:
      slots: entries of each slot.
      of_blocks: for each block of the MCU, the slot of coefficient 0 and that of the others.
      first: first coefficient of the scan.
      last: last coefficient of the scan.

    Returns:
      The machine. Blocks that repeat with a shorter period than the MCU are counted in it.
    """
    period = next(
        p
        for p in range(1, len(of_blocks) + 1)
        if len(of_blocks) % p == 0 and of_blocks == of_blocks[:p] * (len(of_blocks) // p)
    )
    coefficient = np.arange(_STATES)
    base, following = [], []
    for block in range(period):
        dc, ac = of_blocks[block]
        base.append(np.where(coefficient == 0, dc, ac) << 16)
        onward = (block + 1) % period * _STATES + first
        following.append(np.where(coefficient > last, onward, block * _STATES + coefficient))
    return Machine(np.concatenate(slots), np.concatenate(base), np.concatenate(following), first)


def words(octets: np.ndarray) -> np.ndarray:
    """The 32 bits from every byte on, ones beyond the end.

    Args:
      octets: uint8 `[bytes]`.

    Returns:
      uint32 `[bytes + 8]`.
    """
    wide = np.concatenate([octets, np.full(11, 255, np.uint8)]).astype(np.uint32)
    return wide[:-3] << 24 | wide[1:-2] << 16 | wide[2:-1] << 8 | wide[3:]


def read(stream: np.ndarray, starts: np.ndarray, ends: np.ndarray, rules: Machine):
    """Reads a stream of restart intervals.

    Args:
      stream: as `words`.
      starts: where each interval begins, in bits.
      ends: where each ends.
      rules: the machine.

    Yields:
      `Symbols`, some thousands at a time. After an interval's last block come symbols without
      meaning, as far as its last byte has room for them.
    """
    cuts = -(-(ends - starts) // LANE)
    interval = np.repeat(np.arange(len(starts)), cuts)
    nth = np.arange(len(interval)) - np.repeat(np.cumsum(cuts) - cuts, cuts)
    begin = starts[interval] + nth * LANE
    end = np.minimum(begin + LANE, ends[interval])
    before = np.maximum(begin - START_BEFORE, starts[interval])
    entry = None
    for at in range(0, len(begin), TOGETHER):
        group = slice(at, at + TOGETHER)
        rows = _walk(
            stream, before[group], np.full(len(begin[group]), rules.start), begin[group], rules
        )
        counts = (rows[0] < begin[group]).sum(0)
        position, state = _at(rows, counts)
        if at and nth[at]:
            position[0], state[0] = entry
        columns = _walk(stream, position, state, end[group], rules)
        counts = (columns[0] < end[group]).sum(0)
        columns, counts = _repair(stream, columns, counts, end[group], nth[group] > 0, rules)
        entry = tuple(exits[-1] for exits in _at(columns, counts))
        yield _symbols(columns, counts, interval[group], rules)


def _walk(stream, position, state, end, rules):
    """Lets all readers advance until each is at or beyond its end; positions, states and entries
    `[steps, readers]`, the last row without entries.
    """
    position, state = position.astype(np.int64), state.astype(np.int64)
    positions, states, entries_read = [], [], []
    octet, code = np.empty_like(position), np.empty_like(position)
    word = np.empty(position.shape, np.uint32)
    shift = np.empty_like(word)
    while (position < end).any():
        batch = np.empty((3, _BATCH, len(position)), np.int32)
        for row in range(_BATCH):
            batch[0, row], batch[1, row] = position, state
            np.right_shift(position, 3, out=octet)
            stream.take(octet, out=word, mode="clip")
            np.bitwise_and(position, 7, out=shift, casting="unsafe")
            np.left_shift(word, shift, out=word)
            np.right_shift(word, 16, out=word)
            rules.base.take(state, out=code, mode="clip")
            np.add(code, word, out=code)
            entry = batch[2, row]
            rules.entries.take(code, out=entry, mode="clip")
            position += entry & _ADVANCE
            state += (entry >> _STEP_AT) & _STEP
            state = rules.following.take(state, mode="clip")
        positions.append(batch[0]), states.append(batch[1]), entries_read.append(batch[2])
    positions.append(position[None].astype(np.int32)), states.append(state[None].astype(np.int32))
    entries_read.append(np.zeros((1, len(position)), np.int32))
    return np.concatenate(positions), np.concatenate(states), np.concatenate(entries_read)


def _at(rows, counts):
    """Positions and states of the readers after `counts` symbols."""
    lanes = np.arange(len(counts))
    return rows[0][counts, lanes].astype(np.int64), rows[1][counts, lanes].astype(np.int64)


def _repair(stream, rows, counts, end, follows, rules):
    """Reads lanes again that did not begin where the one before them ended."""
    position, state = _at(rows, counts)
    wrong = follows[1:] & ((rows[0][0, 1:] != position[:-1]) | (rows[1][0, 1:] != state[:-1]))
    for lane in np.flatnonzero(wrong) + 1:
        while lane < len(counts) and follows[lane]:
            before = (int(position[lane - 1]), int(state[lane - 1]))
            if before == (int(rows[0][0, lane]), int(rows[1][0, lane])):
                break
            walked = _walk_alone(stream, *before, int(end[lane]), rules)
            missing = walked.shape[1] - len(rows[0])
            if missing > 0:
                rows = tuple(np.pad(row, ((0, missing + 256), (0, 0))) for row in rows)
            for row, values in zip(rows, walked):
                row[: len(values), lane] = values
            counts[lane] = walked.shape[1] - 1
            position[lane], state[lane] = walked[0, -1], walked[1, -1]
            lane += 1
    return rows, counts


def _walk_alone(stream, position, state, end, rules):
    """As `_walk`, for one reader; `[3, symbols + 1]`."""
    stream, lookup = memoryview(stream), memoryview(rules.entries)
    base, following = memoryview(rules.base), memoryview(rules.following)
    positions, states, entries_read = [], [], []
    while position < end:
        code = stream[position >> 3] >> (16 - (position & 7)) & 0xFFFF
        entry = lookup[base[state] + code]
        positions.append(position), states.append(state), entries_read.append(entry)
        position += entry & _ADVANCE
        state = following[state + (entry >> _STEP_AT & _STEP)]
    positions.append(position), states.append(state), entries_read.append(0)
    return np.array([positions, states, entries_read], np.int32)


def _symbols(rows, counts, interval, rules):
    """The lanes one after the other."""
    valid = (np.arange(len(rows[0]))[:, None] < counts).T
    position, state, entry = (row.T[valid] for row in rows)
    return Symbols(
        position=position,
        interval=np.repeat(interval, counts),
        coefficient=state & (_STATES - 1),
        slot=rules.base.take(state) >> 16,
        symbol=entry >> _SYMBOL_AT & _SYMBOL,
        length=entry >> _LENGTH_AT & _LENGTH,
        advance=entry & _ADVANCE,
        step=entry >> _STEP_AT & _STEP,
        bad=(entry & _BAD) != 0,
    )


def bits(stream: np.ndarray, position: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Numbers that lie in a stream.

    Args:
      stream: as `words`.
      position: where each begins, in bits.
      size: bits of each, 1..16.

    Returns:
      int32, as many.
    """
    word = stream.take(position >> 3) << (position & 7).astype(np.uint32)
    return (word >> (32 - size).astype(np.uint32)).astype(np.int32)
