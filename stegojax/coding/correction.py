"""Polar codes that bring bits through a noisy channel without an error (Arikan 2009; list decoding:
Tal and Vardy 2015).

A message M is spread over N elements, each of which arrives as a real number whose sign says a bit
and whose size says how surely. The elements are cut into blocks of equal length, at most 2^16, each
filled up to a power of two with known zeros. Of the bits before the polar transform the most
reliable ones carry the message and the others are zero. How reliable they are is computed for a
channel with Gaussian log-likelihood ratios that just carries this message (density evolution in its
Gaussian approximation: Trifonov 2012), so that sender and receiver know the code from N and M
alone. The decoder is that of `polar`.

A network's outputs are no calibrated probabilities: `calibrate` counts how often signs are wrong
among the surest sixteenth of the values, the next, and so on, and `likelihoods` turns values into
log-likelihood ratios by these counts. Bits are uint8 {0, 1}; a positive value says 1, a positive
log-likelihood ratio 0.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from stegojax.coding import polar

GRADES = 16
"""Values are sorted by how sure they are, into so many parts of equal size."""

_BLOCK = 1 << 16
_LEAST_BLOCK_BITS = 512
_LIST_SIZE = 8
_KNOWN = 1e4
_STEP = 16
_LARGEST_MEAN = 400.0
# How many bits short of the channel's capacity C a block of n elements stays: _GAP n^.7 sqrt(4 C (1
# - C)), and a small share for blocks that are no power of two; fitted to decoding trials on
# Gaussian channels.
_GAP, _EXPONENT, _SHARE = 1.5, 0.7, 0.97


class _Layout(NamedTuple):
    """Blocks, log2 of their length, elements in use in each, and message bits of each."""

    blocks: int
    log_length: int
    used: int
    carried: int


def _layout(elements: int, message_length: int) -> _Layout:
    """How elements are cut for a message: a short one takes few blocks, since more elements would
    not make it safer.
    """
    blocks = max(1, min(-(-elements // _BLOCK), message_length // _LEAST_BLOCK_BITS))
    used = min(elements // blocks, _BLOCK)
    carried = -(-message_length // blocks)
    if not 0 < carried <= used:
        raise ValueError(f"{message_length} bits do not go into {elements} elements")
    return _Layout(blocks, (used - 1).bit_length(), used, carried)


@functools.cache
def _gaussian() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of log-likelihood ratios with mean m and variance 2 m: grid of m, log(1 - E tanh(L / 2)), and
    capacity in bits.
    """
    mean = np.concatenate([np.linspace(0, 1, 1001)[:-1], np.geomspace(1, _LARGEST_MEAN, 3000)])
    x = np.linspace(-10, 10, 2001)
    weight = np.exp(-x * x / 2)
    weight /= weight.sum()
    llr = mean[:, None] + np.sqrt(2 * mean)[:, None] * x
    # 1 - tanh(L / 2) = 2 / (1 + exp L), which does not cancel.
    blur = (2 * weight / (1 + np.exp(np.minimum(llr, 700)))).sum(axis=1)
    capacity = 1 - (weight * np.logaddexp(0, -llr)).sum(axis=1) / np.log(2)
    return mean, np.log(blur), capacity


@functools.lru_cache(maxsize=64)
def message_positions(log_length: int, used: int, message_length: int) -> np.ndarray:
    """Which bits before the transform carry the message.

    Args:
      log_length: log2 of the block length.
      used: elements of the block that are sent; the others are known zeros.
      message_length: number of message bits, 1..used.

    Returns:
      `[message_length]` positions in increasing order.
    """
    grid, blur, capacity = _gaussian()
    needed = (message_length + used**_EXPONENT) / used
    means = np.full((1, 1 << log_length), _LARGEST_MEAN)
    means[0, :used] = np.interp(min(max(needed, 0.01), 0.995), capacity, grid)
    for _ in range(log_length):
        a, b = np.split(means, 2, axis=1)
        log_a, log_b = np.interp(a, grid, blur), np.interp(b, grid, blur)
        # Of a sum of bits, tanh is the product: 1 - (1 - p)(1 - q) = p + q - p q.
        both = np.logaddexp(log_a, log_b)
        both = both + np.log1p(-np.exp(log_a + log_b - both))
        means = np.stack(
            [np.interp(-both, -blur, grid), np.minimum(a + b, _LARGEST_MEAN)], axis=1
        ).reshape(2 * len(means), -1)
    # Elements that are not sent are zeros if and only if the bits from there on are. Rounded, so
    # that machines that differ in the last place agree on the order.
    reliability = np.round(means.ravel()[:used], 6)
    order = np.lexsort((np.arange(used), reliability))
    positions = np.sort(order[used - message_length :])
    positions.flags.writeable = False
    return positions


def room(elements: int, information: float) -> int:
    """How many message bits come through with little doubt.

    Args:
      elements: N.
      information: bits that one element tells on average, 0..1 (`information`).

    Returns:
      The number of bits, at least 0; five sixths of the channel's capacity or more for large N.
    """
    blocks = max(1, -(-elements // _BLOCK))
    used = elements // blocks
    gap = _GAP * used**_EXPONENT * (4 * information * (1 - information)) ** 0.5
    return max(0, blocks * int(_SHARE * (used * information - gap)))


def encode(message_M: np.ndarray, *, elements: int) -> np.ndarray:
    """The bits to send.

    Args:
      message_M: `[M]` uint8, at least one bit.
      elements: N.

    Returns:
      `[N]` uint8; elements that the code leaves unused are 0.

    Raises:
      ValueError: there are more bits than elements.
    """
    blocks, log_length, used, carried = _layout(elements, message_M.size)
    u = np.zeros((blocks, 1 << log_length), np.uint8)
    padded = np.pad(message_M, (0, blocks * carried - message_M.size))
    u[:, message_positions(log_length, used, carried)] = padded.reshape(blocks, carried)
    sent = np.zeros(elements, np.uint8)
    sent[: blocks * used] = polar.transform(u)[:, :used].ravel()
    return sent


def decode(llr_N: np.ndarray, *, message_length: int) -> np.ndarray:
    """The likeliest message found.

    Args:
      llr_N: `[N]` log of the probability that 0 was sent over that of 1.
      message_length: M.

    Returns:
      `[M]` uint8. Whether it is right is for a checksum to say.

    Raises:
      ValueError: there are more bits than elements.
    """
    blocks, log_length, used, carried = _layout(llr_N.size, message_length)
    size = 1 << log_length
    llr = np.full((blocks, size), _KNOWN, np.float32)
    llr[:, :used] = llr_N[: blocks * used].reshape(blocks, used)
    positions = message_positions(log_length, used, carried)
    frozen = np.ones(size, bool)
    frozen[positions] = False
    words = polar.likeliest(llr, np.zeros((blocks, size), np.uint8), frozen, list_size=_LIST_SIZE)
    return polar.transform(words)[:, positions].ravel()[:message_length]


def calibrate(values_N: np.ndarray, bits_N: np.ndarray) -> np.ndarray:
    """How much to trust values, from values whose bits are known.

    Args:
      values_N: `[N]`, positive for 1.
      bits_N: `[N]` the bits that were sent.

    Returns:
      `[GRADES]` uint8: sixteenths of the log-likelihood ratio in each grade, the least sure first.
    """
    grades, wrong = _grades(values_N), (values_N > 0) != (bits_N > 0)
    count = np.bincount(grades, minlength=GRADES)
    # Half an error and half a right bit more: an empty or a faultless grade is not certain.
    share = (np.bincount(grades[wrong], minlength=GRADES) + 0.5) / (count + 1)
    return np.clip(np.round(_STEP * np.log((1 - share) / share)), 0, 255).astype(np.uint8)


def likelihoods(values_N: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Log-likelihood ratios of received values.

    Args:
      values_N: `[N]`, positive for 1.
      trust: from `calibrate`.

    Returns:
      `[N]` float32, positive for 0.
    """
    size = trust.astype(np.float32)[_grades(values_N)] / _STEP
    return np.where(values_N > 0, -size, size)


def information(trust: np.ndarray) -> float:
    """What one element tells on average, in bits: the capacity of the channel that `calibrate`
    describes.

    Args:
      trust: from `calibrate`.

    Returns:
      0..1.
    """
    wrong = 1 / (1 + np.exp(trust.astype(np.float64) / _STEP))
    return float(1 + np.mean(wrong * np.log2(wrong) + (1 - wrong) * np.log2(1 - wrong)))


def _grades(values_N: np.ndarray) -> np.ndarray:
    """Which part of the values, sorted by size, each belongs to: ranks do not care for the scale of
    a network's outputs.
    """
    grades = np.empty(values_N.size, np.int64)
    grades[np.argsort(np.abs(values_N), kind="stable")] = (
        np.arange(values_N.size) * GRADES // max(values_N.size, 1)
    )
    return grades
