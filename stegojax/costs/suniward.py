"""S-UNIWARD: universal wavelet relative distortion, spatial domain (Holub, Fridrich and Denemark,
EURASIP 2014).

The cost of a change is the sum of the relative changes it makes to the wavelet coefficients. Planes
are `[..., H, W]` of pixels 0..255, of any size from 1 x 1.
"""

from __future__ import annotations

import jax

from stegojax.costs import wavelets
from stegojax.costs.saturation import check_cover, forbid_saturated
from stegojax.types import Array, Costs


def suniward(plane: Array) -> Costs:
    """S-UNIWARD costs in the additive approximation, with the stabilising constant sigma = 1.

    Holub, Fridrich and Denemark, "Universal distortion function for steganography in an arbitrary
    domain", EURASIP Journal on Information Security 2014:1.

    Args:
      plane: the cover, `[..., H, W]`, float32, integers 0..255.

    Returns:
      Costs, equal for +1 and -1 but for saturated pixels; no surroundings are wet, a flat area
      costs most.

    Raises:
      InputError: the plane is not a cover.
    """
    check_cover(plane)
    return _suniward(plane)


@jax.jit
def _suniward(plane):
    sensitivities = [1 / (abs(residual) + 1) for residual in wavelets.residuals(plane)]
    rho = wavelets.gather(*sensitivities, combine=lambda a, b, c: a + b + c)
    return forbid_saturated(plane, rho, rho)
