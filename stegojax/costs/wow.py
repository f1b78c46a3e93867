"""WOW: wavelet obtained weights (Holub and Fridrich, WIFS 2012).

A pixel is cheap to change only where the picture is hard to predict in all of three directions.
Planes are `[..., H, W]` of whole numbers, of any size from 1 x 1.
"""

from __future__ import annotations

import jax

from stegojax.costs import wavelets
from stegojax.costs.plane import check_plane, finite
from stegojax.types import Array, Costs


def wow(plane: Array) -> Costs:
    """WOW costs: the sum over three directional filters of one over the suitability of the pixel.

    Holub and Fridrich, "Designing steganographic distortion using directional filters", WIFS 2012,
    with the reciprocal Hoelder norm p = -1. A pixel without any residual in one direction (a flat
    area) is wet.

    Args:
      plane: the cover, `[..., H, W]`, float32 whole numbers.

    Returns:
      Costs, equal for +1 and -1.

    Raises:
      InputError: the plane holds no whole numbers.
    """
    check_plane(plane)
    return _wow(plane)


@jax.jit
def _wow(plane):
    magnitudes = [abs(residual) for residual in wavelets.residuals(plane)]
    rho = wavelets.gather(*magnitudes, combine=lambda a, b, c: 1 / a + 1 / b + 1 / c)
    return finite(rho, rho)
