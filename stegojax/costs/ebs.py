"""EBS: entropy block steganography, costs from the entropies of DCT blocks (Wang and Ni, ICASSP
2012).
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.costs import dct
from stegojax.costs.plane import finite
from stegojax.types import WET_COST, Array, Costs

_LEAST = 1e-4
_WET_MODES = np.zeros((8, 8), bool)
_WET_MODES[::4, ::4] = True


def ebs(coefficients: Array, quantisation: Array, *, wet_modes: bool = True) -> Costs:
    """EBS costs: the squared step of a coefficient over the squared entropy of its block.

    Wang and Ni, "An efficient JPEG steganographic scheme based on the block entropy of DCT
    coefficients", ICASSP 2012. The entropy is that of the values of the block's non-zero AC
    coefficients, in nats.

    Args:
      coefficients: a component's quantised coefficients, `[..., H, W]`, whole numbers.
      quantisation: `[8, 8]`, the step of each.
      wet_modes: whether the coefficients (0, 0), (0, 4), (4, 0) and (4, 4) are wet, as published.

    Returns:
      Costs, equal for +1 and -1, `[..., H, W]`; wet in blocks whose entropy is 0.

    Raises:
      ValueError: the shapes do not fit.
    """
    dct.check_coefficients(coefficients, quantisation)
    rho = _ebs(jnp.asarray(coefficients), jnp.asarray(quantisation), wet_modes)
    return finite(rho, rho)


@functools.partial(jax.jit, static_argnums=2)
def _ebs(coefficients, quantisation, wet_modes):
    real = jax.dtypes.canonicalize_dtype(float)
    *lead, height, width = coefficients.shape
    blocks = coefficients.astype(jnp.int32).reshape(*lead, height // 8, 8, width // 8, 8)
    values = jnp.moveaxis(blocks, (-3, -1), (0, 1)).reshape(64, *lead, height // 8, width // 8)
    there = (values != 0).at[0].set(False)

    def alike(of):
        return jnp.sum((values == of[0][None]) & there & of[1][None], 0, dtype=jnp.int32)

    count = lax.map(alike, (values, there))
    total = jnp.maximum(there.sum(0), 1).astype(real)
    share = jnp.maximum(count, 1).astype(real) / total[None]
    entropy = -jnp.sum(there * jnp.log(share), 0) / total
    # Rounding may leave a trace of entropy where all values are equal.
    entropy = jnp.where(entropy > 1e-6, entropy, 0)
    around = jnp.repeat(jnp.repeat(entropy, 8, -2), 8, -1)
    steps = dct.repeated(jnp.square(jnp.asarray(quantisation, real)), coefficients)
    rho = steps / jnp.square(jnp.where(around > 0, around, 1)) + _LEAST
    rho = jnp.where(around > 0, rho, WET_COST)
    if wet_modes:
        rho = jnp.where(dct.repeated(_WET_MODES, coefficients), WET_COST, rho)
    return rho
