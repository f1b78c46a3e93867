"""HUGO with bounding distortion (Filler and Fridrich, WIFS 2010), in its additive approximation.

The costs count how a change moves the differences of neighbouring pixels, along four orientations,
weighted by how common such differences are. +1 and -1 cost differently. Planes are `[..., H, W]` of
any size from 1 x 1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from stegojax.costs import filters
from stegojax.costs.plane import check_plane, finite
from stegojax.types import Array, Costs

_ORIENTATIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
_REACH = 3


def hugo(plane: Array) -> Costs:
    """HUGO-BD costs: the weights, before and after the change, of all triples of differences that
    the change touches.

    Filler and Fridrich, "Gibbs construction in steganography", IEEE TIFS 5(4) 2010, with sigma =
    gamma = 1 and the weight 1 / (sigma + ||d||_2)^gamma; what papers since call HUGO, not the 2010
    scheme with T = 90 and model correction.

    Args:
      plane: the cover, `[..., H, W]`, float32 whole numbers.

    Returns:
      Costs, different for +1 and -1.

    Raises:
      InputError: the plane holds no whole numbers.
    """
    check_plane(plane)
    return _hugo(plane)


@jax.jit
def _hugo(plane):
    padded = filters.mirror(plane, _REACH)
    height, width = plane.shape[-2:]

    def neighbour(down, right):
        return padded[
            ..., _REACH + down : _REACH + down + height, _REACH + right : _REACH + right + width
        ]

    def weight(squares):
        # Sums of three squares of differences of pixels stay below 2^18: exact in float32.
        return 1 / (1 + jnp.sqrt(sum(squares)))

    plus = minus = jnp.zeros_like(plane)
    for down, right in _ORIENTATIONS:
        line = [neighbour(k * down, k * right) for k in range(-_REACH, _REACH + 1)]
        # The pixel is the fourth on its line: it ends the third difference and begins the fourth.
        differences = [a - b for a, b in zip(line, line[1:])]
        squares = [d * d for d in differences]
        raised = [
            *squares[:2],
            jnp.square(differences[2] - 1),
            jnp.square(differences[3] + 1),
            *squares[4:],
        ]
        lowered = [
            *squares[:2],
            jnp.square(differences[2] + 1),
            jnp.square(differences[3] - 1),
            *squares[4:],
        ]
        cover = sum(weight(squares[k : k + 3]) for k in range(4))
        plus = plus + cover + sum(weight(raised[k : k + 3]) for k in range(4))
        minus = minus + cover + sum(weight(lowered[k : k + 3]) for k in range(4))
    return finite(plus, minus)
