"""Co-occurrences of quantised residuals, counted on bits.

A residual that takes V values is held as V + 1 *levels*, one bit per pixel: is the value at least
the smallest (true wherever there is a value), at least the second, .., more than the largest (false
everywhere). 32 pixels share a uint32 word. How often a tuple of values stands side by side is then
the number of ones in the AND of shifted words, and the minimum and the maximum of several residuals
are the AND and the OR of their levels.

Bit b of a word belongs to row b * h + y of the plane, h = ceil(H / 32): the words of a plane are h
rows of W, followed by `REACH` more rows that repeat the beginning of the next band, flattened to L
= (h + REACH) * W. So a neighbour in any direction is the same bit at a fixed distance. A tuple that
would run over the border of the plane, or from the end of one row into the
next, has to meet a pixel without a value: the column that the direction leaves through must have
  none.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.types import Array

REACH = 3
"""How many rows down a tuple may extend from its first element."""

_CHUNK = 2048
"""About so many words are combined at a time: the 25 or 49 pairs of values, 4 bytes a word, then
stay in a core's cache.
"""


def level_words(values: Array, thresholds: np.ndarray, inside: np.ndarray) -> Array:
    """Packs residuals under one or several quantisers into words.

    Args:
      values: residuals `[R, H, W]`, of an integer type.
      thresholds: `[Q, V - 1]`, the smallest residual of every quantised value but the smallest, in
        increasing order.
      inside: `[H, W]` of bool, the pixels that have a residual.

    Returns:
      uint32 levels `[R * Q, V + 1, L]`, the quantisers of one residual in a row.
    """
    count, height, width = values.shape
    rows = -(-height // 32)
    below = ((0, 32 * rows - height), (0, 0))
    bands = jnp.pad(values, ((0, 0), *below)).reshape(count, 32, 1, rows * width)
    least = jnp.asarray(thresholds, values.dtype).reshape(1, -1, 1)
    reached = jnp.zeros((1, 1, 1), jnp.uint32)
    somewhere = np.zeros(rows * width, np.uint32)
    usable = np.pad(inside, below).reshape(32, -1).astype(np.uint32)
    for band in range(32):
        reached |= (bands[:, band] >= least).astype(jnp.uint32) << band
        somewhere |= usable[band] << np.uint32(band)
    somewhere = jnp.broadcast_to(somewhere, (count * len(thresholds), 1, rows * width))
    reached = reached.reshape(len(somewhere), -1, rows * width) & somewhere
    words = jnp.concatenate([somewhere, reached, jnp.zeros_like(somewhere)], 1).reshape(
        *reached.shape[:1], -1, rows, width
    )
    reach = [words[..., y % rows, :] >> (y // rows) for y in range(rows, rows + REACH)]
    return jnp.concatenate([words, jnp.stack(reach, -2)], -2).reshape(*words.shape[:2], -1)


def _chunk_size(words: int) -> int:
    """The divisor of `words` that is closest to `_CHUNK` in proportion: chunks must not reach into
    the repeated rows.
    """
    divisors = np.flatnonzero(words % np.arange(1, words + 1) == 0) + 1
    return int(divisors[np.argmin(np.abs(np.log(divisors / _CHUNK)))])


def count_tuples(levels: Array, step: int, *, order: int, width: int, here: Array) -> Array:
    """Counts how often every tuple of values stands on consecutive pixels of a direction.

    Args:
      levels: words `[V + 1, L]`.
      step: distance of neighbours in the flattened plane: 1 right, W down, W + 1 and W - 1 along
        the diagonals.
      order: pixels in a tuple, 3 or 4.
      width: W.
      here: a scalar that is true and is not known when this is compiled. XLA would work out the
        pairs of values anew wherever they are used; a branch on this scalar keeps them in memory,
        which on a CPU is half as fast again.

    Returns:
      int32 counts `[V**order]`; the first pixel's value is the leading digit.
    """
    size, words = levels.shape[0] - 1, levels.shape[1] - REACH * width
    chunk = _chunk_size(words)
    chunks = words // chunk

    def pairs_of(levels):
        values = levels[:-1] & ~levels[1:]
        return (values[:, None, :-step] & values[None, :, step:]).reshape(size**2, -1)

    pairs = lax.cond(
        here,
        pairs_of,
        lambda levels: jnp.zeros((size**2, levels.shape[1] - step), jnp.uint32),
        levels,
    )
    last = pairs if order == 4 else levels[:-1] & ~levels[1:]
    first = jnp.swapaxes(pairs[:, :words].reshape(-1, chunks, chunk), 0, 1)
    last = jnp.moveaxis(last[:, 2 * step : 2 * step + words].reshape(-1, size, chunks, chunk), 2, 0)
    ones = [
        lax.population_count(first[:, None] & last[:, :, None, digit]).astype(jnp.int32)
        for digit in range(size)
    ]
    zeros = [jnp.zeros((), jnp.int32)] * size
    counts = lax.reduce(ones, zeros, lambda one, other: [a + b for a, b in zip(one, other)], (3,))
    counts = jnp.sum(jnp.stack(counts, -1), 0)
    return jnp.swapaxes(counts, 0, 1).reshape(-1)
