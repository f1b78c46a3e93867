"""Subtractive pixel adjacency: the 686 second-order SPAM features of a plane (Pevny, Bas, Fridrich,
TIFS 2010).

Takes planes `[B, H, W]`, float32, integers 0..255, at least 4 x 4. Features are relative
frequencies of three consecutive
differences of neighbours, truncated to -3..3: 343 averaged over the directions along rows and
  columns, then 343 over the
diagonal ones. They are joint frequencies, as in the authors' released extractor; the paper's text
has conditional ones.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.errors import InputError
from stegojax.steganalysis import cooccurrence
from stegojax.steganalysis.planes import check_planes
from stegojax.types import Array

SMALLEST = 4
"""Least height and width: three differences take four pixels."""

SIZE = 686
"""Features of a plane."""

_TRUNCATION = 3
_DIRECTIONS = ((0, 1), (1, 0)), ((1, 1), (1, -1))


def features(planes: Array, *, at_once: int = 1) -> Array:
    """The SPAM features of every plane (Pevny, Bas, Fridrich, TIFS 2010; second order, T = 3).

    Args:
      planes: pixels `[B, H, W]`, float32, integers 0..255, at least 4 x 4.
      at_once: planes that are worked on together. One needs about 25 bytes of memory per pixel; a
        GPU is kept busier by more.

    Returns:
      Features `[B, 686]`, float32; each half sums to 1, and the first difference of a triple is its
      leading digit.

    Raises:
      InputError: these are not planes, or `at_once` is not positive.
    """
    check_planes(planes, smallest=SMALLEST)
    if at_once < 1:
        raise InputError(f"at least one plane is worked on at a time; got at_once={at_once}")
    return _mapped(planes, min(at_once, planes.shape[0]))


@functools.partial(jax.jit, static_argnums=1)
def _mapped(planes, at_once):
    return lax.map(_of_plane, planes, batch_size=at_once)


def _of_plane(plane):
    halves = [
        sum(_table(plane, direction) for direction in directions) / 4 for directions in _DIRECTIONS
    ]
    return jnp.concatenate([half.reshape(-1) for half in halves])


def _table(plane, direction):
    """Frequencies `[7, 7, 7]` of triples in a direction plus those in the opposite one.

    Seen from the other end, a triple of differences is reversed and changes its sign.
    """
    height, width = plane.shape
    down, right = direction
    pixels = plane.astype(jnp.int16)
    row, column = np.mgrid[:height, :width]
    inside = (row + down < height) & (column + right < width) & (column + right >= 0)
    difference = pixels - jnp.roll(pixels, (-down, -right), (0, 1))
    thresholds = np.arange(1 - _TRUNCATION, _TRUNCATION + 1)[None]
    levels = cooccurrence.level_words(difference[None], thresholds, inside)[0]
    counts = cooccurrence.count_tuples(
        levels, down * width + right, order=3, width=width, here=plane[0, 0] >= 0
    )
    frequencies = counts.reshape(7, 7, 7) / ((height - 3 * down) * (width - 3 * abs(right)))
    return frequencies + frequencies[::-1, ::-1, ::-1].transpose(2, 1, 0)
