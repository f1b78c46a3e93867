"""nsF5 as a cost: non-zero AC coefficients may lose 1 in magnitude, all at one price (Fridrich,
Pevny and Kodovsky, MM&Sec 2007; adaptive to nothing).
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from stegojax.costs import dct
from stegojax.costs.plane import finite
from stegojax.types import WET_COST, Array, Costs

_AC = np.arange(64).reshape(8, 8) > 0


def nsf5(coefficients: Array, quantisation: Array) -> Costs:
    """The costs of F5's changes with wet paper codes.

    Fridrich, Pevny and Kodovsky, "Statistically undetectable JPEG steganography: dead ends,
    challenges, and opportunities", ACM MM&Sec 2007. With an optimal code these costs change the
    share beta of the non-zero AC coefficients at which the binary entropy of beta is the payload.

    Args:
      coefficients: a component's quantised coefficients, `[..., H, W]`, whole numbers.
      quantisation: `[8, 8]`; not used.

    Returns:
      Costs of 1 towards 0, wet elsewhere.

    Raises:
      ValueError: the shapes do not fit.
    """
    dct.check_coefficients(coefficients, quantisation)
    plane = jnp.asarray(coefficients)
    ac = dct.repeated(_AC, plane)
    plus = jnp.where(ac & (plane < 0), 1.0, WET_COST)
    minus = jnp.where(ac & (plane > 0), 1.0, WET_COST)
    return finite(plus, minus)
