"""S-UNIWARD: universal wavelet relative distortion, spatial domain (Holub, Fridrich and Denemark,
EURASIP 2014).

The cost of a change is the sum of the relative changes it makes to the wavelet coefficients. Planes
are `[..., H, W]` of whole numbers, of any size from 1 x 1.
"""

from __future__ import annotations

import jax

from stegojax.costs import wavelets
from stegojax.costs.plane import check_plane, finite
from stegojax.types import Array, Costs


def suniward(plane: Array) -> Costs:
    """S-UNIWARD costs in the additive approximation, with the stabilising constant sigma = 1.

    Holub, Fridrich and Denemark, "Universal distortion function for steganography in an arbitrary
    domain", EURASIP Journal on Information Security 2014:1.

    Args:
      plane: the cover, `[..., H, W]`, float32 whole numbers.

    Returns:
      Costs, equal for +1 and -1; no surroundings are wet, a flat area
      costs most.

    Raises:
      InputError: the plane holds no whole numbers.
    """
    check_plane(plane)
    return _suniward(plane)


@jax.jit
def _suniward(plane):
    sensitivities = [1 / (abs(residual) + 1) for residual in wavelets.residuals(plane)]
    rho = wavelets.gather(*sensitivities, combine=lambda a, b, c: a + b + c)
    return finite(rho, rho)
