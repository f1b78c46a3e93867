"""WOW: wavelet obtained weights (Holub and Fridrich, WIFS 2012).

A pixel is cheap to change only where the picture is hard to predict in all of three directions.
Planes are `[..., H, W]` of pixels 0..255, of any size from 1 x 1.
"""

from __future__ import annotations

import jax

from stegojax.costs import wavelets
from stegojax.costs.saturation import check_cover, forbid_saturated
from stegojax.types import Array, Costs


def wow(plane: Array) -> Costs:
    """WOW costs: the sum over three directional filters of one over the suitability of the pixel.

    Holub and Fridrich, "Designing steganographic distortion using directional filters", WIFS 2012,
    with the reciprocal Hoelder norm p = -1. A pixel without any residual in one direction (a flat
    area) is wet.

    Args:
      plane: the cover, `[..., H, W]`, float32, integers 0..255.

    Returns:
      Costs, equal for +1 and -1 but for saturated pixels.

    Raises:
      InputError: the plane is not a cover.
    """
    check_cover(plane)
    return _wow(plane)


@jax.jit
def _wow(plane):
    magnitudes = [abs(residual) for residual in wavelets.residuals(plane)]
    rho = wavelets.gather(*magnitudes, combine=lambda a, b, c: 1 / a + 1 / b + 1 / c)
    return forbid_saturated(plane, rho, rho)
