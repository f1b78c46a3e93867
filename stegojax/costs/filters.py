"""Mirrored borders and one-dimensional correlations, from which all cost functions are composed.

Every two-dimensional kernel of the five schemes is a product of two vectors. A correlation is a sum
of shifted copies: XLA turns that into one vectorised loop, on the CPU ten to a hundred times as
fast as its convolution operator, and it adds in float32 whatever the device's matrix units would
rather do. Planes are `[..., H, W]`.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax

from stegojax.types import Array

ROWS = -1
"""The axis along which a row runs, from left to right."""
COLUMNS = -2
"""The axis along which a column runs, from top to bottom."""


def mirror(plane: Array, margin: int) -> Array:
    """Extends a plane by `margin` pixels on every side, mirrored with the edge pixel repeated
    (MATLAB's "symmetric").

    Args:
      plane: `[..., H, W]`.
      margin: pixels on every side.

    Returns:
      `[..., H + 2 margin, W + 2 margin]`.
    """
    for axis in (COLUMNS, ROWS):
        widths = [(0, 0)] * plane.ndim
        widths[axis] = (margin, margin)
        # The same for a lone pixel, whose reflections of reflections XLA's simplifier trips over.
        plane = jnp.pad(plane, widths, mode="symmetric" if plane.shape[axis] > 1 else "edge")
    return plane


def correlate(plane: Array, taps: Sequence[float], axis: int) -> Array:
    """Correlates a plane with a vector along one axis, without borders.

    Args:
      plane: `[..., H, W]`.
      taps: the vector.
      axis: `ROWS` or `COLUMNS`.

    Returns:
      The plane, `len(taps) - 1` shorter along the axis.
    """
    length = plane.shape[axis] - len(taps) + 1
    shifted = (lax.slice_in_dim(plane, i, i + length, axis=axis) for i in range(len(taps)))
    return sum((tap * part for tap, part in zip(taps, shifted)), jnp.zeros((), plane.dtype))


def convolve(plane: Array, taps: Sequence[float], axis: int) -> Array:
    """Convolves a plane with a vector along one axis, without borders.

    Args:
      plane: `[..., H, W]`.
      taps: the vector.
      axis: `ROWS` or `COLUMNS`.

    Returns:
      The plane, `len(taps) - 1` shorter along the axis.
    """
    return correlate(plane, tuple(reversed(taps)), axis)


def box_sum(plane: Array, width: int) -> Array:
    """Sums over every square window, without borders.

    Args:
      plane: `[..., H, W]`.
      width: of the window, pixels.

    Returns:
      The sums, both axes `width - 1` shorter.
    """
    ones = (1.0,) * width
    return correlate(correlate(plane, ones, COLUMNS), ones, ROWS)
