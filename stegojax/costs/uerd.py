"""UERD: uniform embedding revisited, costs from the energies of DCT blocks (Guo, Ni, Su, Tang and
Shi, IEEE TIFS 2015).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from stegojax.costs import dct
from stegojax.types import WET_COST, Array, Costs


def uerd(coefficients: Array, quantisation: Array) -> Costs:
    """UERD costs: the step of a coefficient over the energy of its block and a quarter of its eight
    neighbours'.

    Guo, Ni, Su, Tang and Shi, "Using statistical image model for JPEG steganography: uniform
    embedding revisited", IEEE Transactions on Information Forensics and Security 10(12), 2015,
    equation 8. The energy is the sum of the dequantised AC coefficients' magnitudes; beyond the
    border, the border's blocks repeat. A DC coefficient counts with the mean step of its two
    neighbours in frequency.

    Args:
      coefficients: a component's quantised coefficients, `[..., H, W]`, whole numbers.
      quantisation: `[8, 8]`, the step of each.

    Returns:
      Costs, equal for +1 and -1, `[..., H, W]`; wet where a block and its neighbours have no AC.

    Raises:
      ValueError: the shapes do not fit.
    """
    dct.check_coefficients(coefficients, quantisation)
    rho = _uerd(jnp.asarray(coefficients), jnp.asarray(quantisation))
    return Costs(rho, rho)


@jax.jit
def _uerd(coefficients, quantisation):
    real = jax.dtypes.canonicalize_dtype(float)
    steps = jnp.asarray(quantisation, real)
    energies = abs(coefficients.astype(real)) * dct.repeated(steps.at[0, 0].set(0), coefficients)
    *lead, height, width = coefficients.shape
    energy = energies.reshape(*lead, height // 8, 8, width // 8, 8).sum((-3, -1))
    padded = jnp.pad(energy, [(0, 0)] * len(lead) + [(1, 1), (1, 1)], mode="edge")
    rows = padded[..., :-2, :] + padded[..., 1:-1, :] + padded[..., 2:, :]
    nine = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    around = energy + (nine - energy) / 4
    around = jnp.repeat(jnp.repeat(around, 8, -2), 8, -1)
    steps = steps.at[0, 0].set((steps[0, 1] + steps[1, 0]) / 2)
    # A division by 0 would reach gradients through the branch that is not taken.
    safe = jnp.where(around > 0, around, 1)
    return jnp.where(around > 0, dct.repeated(steps, coefficients) / safe, WET_COST)
