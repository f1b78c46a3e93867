"""Huffman tables of JPEG files (ITU-T T.81, annexes C, F and K), and the best one for given counts.

A symbol is a byte. In every table here symbol 256 is "no symbol": nothing is written for it.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np

from stegojax.errors import InputError

NO_SYMBOL = 256
"""Stands where bits are written without a symbol before them."""

LONGEST = 16
"""The greatest length of a code, in bits."""


class Table(NamedTuple):
    """A Huffman table as a file holds it.

    counts:  16 bytes, the number of codes of each length 1..16.
    symbols: the symbols by length of their code.
    """

    counts: bytes
    symbols: bytes


def check(table: Table) -> None:
    """Refuses a table that is none.

    Args:
      table: as read from a file.

    Raises:
      InputError: it has more codes than their lengths allow, or gives a symbol twice.
    """
    room = sum(count << (LONGEST - length) for length, count in enumerate(table.counts, 1))
    if room > 1 << LONGEST or len(set(table.symbols)) < len(table.symbols):
        raise InputError("is damaged: one of its Huffman tables is impossible")


def _lengths(table: Table) -> np.ndarray:
    return np.repeat(np.arange(1, LONGEST + 1), np.frombuffer(table.counts, np.uint8))


def lookup(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """What the next 16 bits of a stream begin with.

    Args:
      table: a checked table.

    Returns:
      For every value of the 16 bits, `[65536]` each: the symbol (`NO_SYMBOL` where no code fits),
      and the length of its code.
    """
    lengths = _lengths(table)
    shares = 1 << (LONGEST - lengths)
    symbols = np.full(1 << LONGEST, NO_SYMBOL, np.int32)
    sizes = np.zeros(1 << LONGEST, np.int32)
    used = int(shares.sum())
    symbols[:used] = np.repeat(np.frombuffer(table.symbols, np.uint8), shares)
    sizes[:used] = np.repeat(lengths, shares)
    return symbols, sizes


def codes(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """The code of every symbol.

    Args:
      table: a checked table.

    Returns:
      Codes and their lengths in bits, `[257]` each; length 0 where a symbol has no code.
    """
    lengths = _lengths(table)
    shares = 1 << (LONGEST - lengths)
    starts = np.cumsum(shares) - shares
    code, size = np.zeros(257, np.int64), np.zeros(257, np.int64)
    symbols = np.frombuffer(table.symbols, np.uint8)
    code[symbols] = starts >> (LONGEST - lengths)
    size[symbols] = lengths
    return code, size


def optimum(frequencies: np.ndarray) -> Table:
    """The table that libjpeg's optimisation makes for a picture (T.81, figures K.1 to K.4).

    Args:
      frequencies: how often each symbol occurs, `[256]`.

    Returns:
      The table; ties are broken as libjpeg breaks them.
    """
    # The pseudo-symbol takes one code of the greatest length, so that no code is all ones.
    heap = [(int(n), -symbol) for symbol, n in enumerate(frequencies) if n] + [(1, -NO_SYMBOL)]
    heapq.heapify(heap)
    members = {-negative: [-negative] for _, negative in heap}
    depth = np.zeros(NO_SYMBOL + 1, np.int64)
    while len(heap) > 1:
        least, first = heapq.heappop(heap)
        next_least, second = heapq.heappop(heap)
        members[-first] += members.pop(-second)
        depth[members[-first]] += 1
        heapq.heappush(heap, (least + next_least, first))
    counts = np.bincount(depth, minlength=LONGEST + 1)
    counts[0] = 0
    _shorten(counts)
    counts[np.flatnonzero(counts)[-1]] -= 1
    symbols = sorted(np.flatnonzero(depth[:NO_SYMBOL]), key=lambda symbol: (depth[symbol], symbol))
    return Table(bytes(counts[1 : LONGEST + 1].tolist()), bytes(symbols))


def _shorten(counts: np.ndarray) -> None:
    """Brings the numbers of codes of each length to lengths of at most 16 (T.81, figure K.3)."""
    for length in range(len(counts) - 1, LONGEST, -1):
        while counts[length] > 0:
            shorter = length - 2
            while counts[shorter] == 0:
                shorter -= 1
            counts[length] -= 2
            counts[length - 1] += 1
            counts[shorter + 1] += 2
            counts[shorter] -= 1
