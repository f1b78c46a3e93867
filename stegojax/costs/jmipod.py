"""J-MiPOD: minimising the power of the optimal steganalyzer, JPEG domain (Cogranne, Giboulot and
Bas, IH&MMSec 2020).

The variances of pixels, estimated from their surroundings, give those of coefficients, and change
probabilities follow as MiPOD's do. So the costs belong to one payload.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from stegojax.costs import dct, filters
from stegojax.costs.filters import COLUMNS, ROWS
from stegojax.costs.mipod import inverse_probabilities, wiener_residual
from stegojax.costs.plane import finite
from stegojax.types import Array, Costs

DEFAULT_RATE = 0.4
"""Bits per non-zero AC coefficient that costs are made for when no payload is given."""

_LEAST_VARIANCE = 1e-5
_AROUND = np.array([[1, 3, 1], [3, 4, 3], [1, 3, 1]])
_COSINES = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])
_AC = np.arange(64).reshape(8, 8) > 0


def jmipod(
    coefficients: Array, quantisation: Array, *, payload: float | Array | None = None
) -> Costs:
    """J-MiPOD's change probabilities in the form of costs: ln(1/beta - 2), for which lambda is 1 at
    the given payload.

    Cogranne, Giboulot and Bas, "Steganography by minimizing statistical detectability: the cases of
    JPEG and color images", IH&MMSec 2020.

    Args:
      coefficients: a component's quantised coefficients, `[..., H, W]`, whole numbers.
      quantisation: `[8, 8]`, the step of each.
      payload: bits per plane; None takes `DEFAULT_RATE` per non-zero AC coefficient.

    Returns:
      Costs, equal for +1 and -1, `[..., H, W]`.

    Raises:
      ValueError: the shapes do not fit.
    """
    information = fisher_information(coefficients, quantisation)
    plane = jnp.asarray(coefficients)
    if payload is None:
        ac = dct.repeated(_AC, plane)
        payload = DEFAULT_RATE * jnp.sum((plane != 0) & ac, (-2, -1)).astype(jnp.float32)
    return _costs(information, payload)


@jax.jit
def _costs(information, payload):
    with jax.enable_x64(True):
        planes = information.reshape(-1, *information.shape[-2:])
        # An empty plane gets a payload too, of next to nothing.
        nats = jnp.maximum(jnp.asarray(payload, jnp.float64) * np.log(2), 1e-2)
        nats = jnp.broadcast_to(nats, information.shape[:-2]).reshape(-1)
        inverse = jax.vmap(inverse_probabilities)(planes, nats).reshape(information.shape)
        rho = jnp.log(inverse - 2)
        return finite(rho, rho)


def fisher_information(coefficients: Array, quantisation: Array) -> Array:
    """The smoothed Fisher information of every coefficient, 1 / variance^2 averaged over the
    coefficients of its frequency in 3 x 3 blocks.

    Args:
      coefficients: `[..., H, W]`, quantised.
      quantisation: `[8, 8]`, the step of each.

    Returns:
      `[..., H, W]`, float64.

    Raises:
      ValueError: the shapes do not fit.
    """
    dct.check_coefficients(coefficients, quantisation)
    with jax.enable_x64(True):
        return _information(_variances(jnp.asarray(coefficients), jnp.asarray(quantisation)))


@jax.jit
def _variances(coefficients, quantisation):
    """The variance of every coefficient, in squared steps, `[..., H, W]` float64."""
    with jax.enable_x64(True):
        pixels = dct.unrounded_pixels(coefficients, quantisation)
        padded = filters.mirror(wiener_residual(pixels), 1)
        energy = 0
        for down, along in ((1, 2), (2, 1), (2, 2)):
            rows = filters.correlate(padded, _COSINES[along].tolist(), ROWS)
            energy += jnp.square(filters.correlate(rows, _COSINES[down].tolist(), COLUMNS))
        spread = dct.along(energy / 3, dct.BASIS**2, -2)
        spread = dct.along(spread, dct.BASIS**2, -1)
        steps = dct.repeated(jnp.square(jnp.asarray(quantisation, jnp.float64)), spread)
        return jnp.maximum(spread / steps, _LEAST_VARIANCE)


@jax.jit
def _information(variances):
    with jax.enable_x64(True):
        *lead, height, width = variances.shape
        blocks = (1 / jnp.square(variances)).reshape(*lead, height // 8, 8, width // 8, 8)
        widths = [(0, 0)] * len(lead) + [(1, 1), (0, 0), (1, 1), (0, 0)]
        padded = jnp.pad(blocks, widths, mode="edge")
        total = jnp.zeros((*lead, height // 8, 8, width // 8, 8), variances.dtype)
        for i, row in enumerate(_AROUND.tolist()):
            for j, weight in enumerate(row):
                total += weight * padded[..., i : i + height // 8, :, j : j + width // 8, :]
        return total.reshape(variances.shape)
