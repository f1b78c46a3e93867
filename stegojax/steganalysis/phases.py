"""Histograms of a filtered JPEG picture by the place in the grid of blocks, for DCTR and GFR.

A residual is the magnitude of a filtered, unrounded picture in steps, rounded and cut off at 4. Its
values are counted apart for each of the 64 places that a window can have in the grid; places that
mirror each other are pooled, which leaves 25 groups of 5 bins.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.types import Array

TRUNCATION = 4
GROUPS, BINS = 25, TRUNCATION + 1
_OUTSIDE = TRUNCATION + 1
_BITS = 12
"""Of a count in one row of windows, where it fits."""
_TIE = 5e-6
"""So near to a half, a fraction counts as one: coefficients make exact halves, and rounding errors
must not decide over them."""


def _pooled() -> np.ndarray:
    """Which of the places belong to each group, `[25, 64]`."""
    member = np.zeros((5, 5, 8, 8))
    for i in range(5):
        for j in range(5):
            for row in {i, 8 - i} - {8}:
                for column in {j, 8 - j} - {8}:
                    member[i, j, row, column] = 1
    return member.reshape(GROUPS, 64)


_POOLED = _pooled()


def quantised(residuals: Array) -> Array:
    """Residuals in steps, rounded half away from 0 and cut off.

    Args:
      residuals: filtered pixels over the step, any shape.

    Returns:
      uint8, 0..4.
    """
    return jnp.minimum(jnp.floor(abs(residuals) + (0.5 + _TIE)), TRUNCATION).astype(jnp.uint8)


def histograms(pixels: Array, filtered: Callable[[Array], Array]) -> Array:
    """Histograms of all filters of a picture.

    Args:
      pixels: `[H, W]`, multiples of 8, at least 16.
      filtered: `(rows [H / 8, 8, W]) -> uint8 [H / 8, K, W - 7]`: the quantised residuals of K
        filters of 8 x 8, given for each row of windows the eight rows of pixels that it covers.

    Returns:
      `[K, 25, 5]`, the relative frequencies of the values 0..4 in each group of places.
    """
    height, width = pixels.shape
    down = height // 8
    below = jnp.pad(pixels, ((0, 8), (0, 0)))

    def of_row(phase):
        rows = lax.dynamic_slice_in_dim(below, phase, height).reshape(down, 8, width)
        values = filtered(rows)
        # Of windows that begin in a later row than the first, the last would end outside.
        inside = (jnp.arange(down) < down - (phase > 0))[:, None, None]
        values = jnp.where(inside, values, _OUTSIDE)
        values = jnp.pad(values, ((0, 0), (0, 0), (0, 7)), constant_values=_OUTSIDE)
        values = values.reshape(down, values.shape[1], width // 8, 8)
        return jnp.stack(_counted(values), -1)

    counts = lax.map(of_row, jnp.arange(8))
    counts = jnp.moveaxis(counts, 0, 1).reshape(counts.shape[1], 64, BINS).astype(jnp.float32)
    member = jnp.asarray(_POOLED, jnp.float32)
    pooled = jnp.einsum("gp,kpb->kgb", member, counts, precision="highest")
    return pooled / pooled.sum(-1, keepdims=True)


def _counted(values: Array) -> list[Array]:
    """How often each value occurs in `[rows, K, columns, 8]`: int32 `[K, 8]` each."""
    most = (1 << _BITS) - 1
    if values.shape[2] > most:
        return [jnp.sum(values == value, (0, 2), dtype=jnp.int32) for value in range(BINS)]
    # All values of a row are counted at once, each in bits of its own.
    packed = jnp.sum(jnp.left_shift(jnp.int64(1), jnp.int64(_BITS) * values), 2)
    return [jnp.sum(packed >> (_BITS * value) & most, 0, dtype=jnp.int32) for value in range(BINS)]
