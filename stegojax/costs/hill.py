"""HILL: high-pass, low-pass, low-pass (Li, Wang, Huang and Li, ICIP 2014).

A pixel is cheap to change where its surroundings are rough. Planes are `[..., H, W]` of any size
from 1 x 1.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from stegojax.costs import filters
from stegojax.costs.filters import COLUMNS, ROWS
from stegojax.costs.plane import check_plane, finite
from stegojax.types import WET_COST, Array, Costs

_SECOND_DIFFERENCE = (1.0, -2.0, 1.0)


def hill(plane: Array) -> Costs:
    """HILL costs: the mean over 15 x 15 of the inverse mean over 3 x 3 of the magnitude of the
    Ker-Boehme residual.

    Li, Wang, Huang and Li, "A new cost function for spatial image steganography", ICIP 2014, with
    the kernel [-1 2 -1; 2 -4 2; -1 2 -1] unscaled and 1e-10 added before the inversion, as in the
    first MATLAB release. Where all of 21 x 21 pixels is flat the cost is 1e10, which is wet.

    Args:
      plane: the cover, `[..., H, W]`, float32 whole numbers.

    Returns:
      Costs, equal for +1 and -1.

    Raises:
      InputError: the plane holds no whole numbers.
    """
    check_plane(plane)
    return _hill(plane)


@jax.jit
def _hill(plane):
    # The magnitude of the residual does not see the kernel's sign, so two second differences do.
    padded = filters.mirror(plane, 3)
    residual = filters.correlate(
        filters.correlate(padded, _SECOND_DIFFERENCE, COLUMNS), _SECOND_DIFFERENCE, ROWS
    )
    height, width = plane.shape[-2:]
    # Sums of nine integers: exact in float32. The released code takes the means of the padded
    # plane's own borders.
    roughness = filters.box_sum(jnp.abs(residual)[..., 1 : height + 3, 1 : width + 3], 3)
    inverse = jnp.where(roughness > 0, 9 / jnp.maximum(roughness, 1), WET_COST)
    rho = filters.box_sum(filters.mirror(inverse, 7), 15) / 225
    return finite(rho, rho)
