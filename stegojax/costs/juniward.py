"""J-UNIWARD: universal wavelet relative distortion, JPEG domain (Holub, Fridrich and Denemark,
EURASIP 2014).

The cost of changing a coefficient is the sum of the relative changes it makes to the wavelet
coefficients of the decompressed picture. The wavelets and the DCT are separable, so what a change
by one step does to them is a product too, and the sum is two products with small matrices.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from stegojax.costs import dct, filters
from stegojax.costs.filters import COLUMNS, ROWS
from stegojax.costs.wavelets import HIGH_PASS, LOW_PASS
from stegojax.types import Array, Costs

_SIGMA = 2**-6
_REACH = 23


def _traces(taps: tuple[float, ...]) -> np.ndarray:
    """|full correlation| of every DCT vector with a filter, `[8, 24]`; the last column is 0."""
    full = [np.correlate(vector, taps, "full") for vector in dct.BASIS]
    return np.pad(abs(np.array(full)), ((0, 0), (0, 1)))


_LOW, _HIGH = _traces(LOW_PASS), _traces(HIGH_PASS)


def juniward(
    coefficients: Array, quantisation: Array, *, offset: int = 7, rounded: bool = True
) -> Costs:
    """J-UNIWARD costs.

    Holub, Fridrich and Denemark, "Universal distortion function for steganography in an arbitrary
    domain", EURASIP Journal on Information Security 2014:1, equations 3 to 5. The released
    implementations look one pixel beside the right place in the residuals (arXiv 2305.19776), and
    published figures are theirs: so do the defaults. `offset=8, rounded=False` is what the paper
    defines.

    Args:
      coefficients: a component's quantised coefficients, `[..., H, W]`, whole numbers.
      quantisation: `[8, 8]`, the step of each.
      offset: 7 as released, or 8.
      rounded: whether the picture is rounded and clipped to pixels when it is decompressed.

    Returns:
      Costs, equal for +1 and -1, `[..., H, W]`.

    Raises:
      ValueError: the shapes do not fit, or another offset.
    """
    dct.check_coefficients(coefficients, quantisation)
    if offset not in (7, 8):
        raise ValueError(f"the offset is 7 or 8; got {offset}")
    rho = _juniward(jnp.asarray(coefficients), jnp.asarray(quantisation), offset, rounded)
    return Costs(rho, rho)


@functools.partial(jax.jit, static_argnums=(2, 3))
def _juniward(coefficients, quantisation, offset, rounded):
    decompress = dct.integer_pixels if rounded else dct.unrounded_pixels
    pixels = decompress(coefficients, quantisation)
    real = jax.dtypes.canonicalize_dtype(float)
    # Wavelets of a constant are 0: about 128 there is less to cancel.
    padded = filters.mirror(pixels.astype(real) - 128, 16)
    padded = padded[..., 9 - offset :, 9 - offset :]
    low = filters.correlate(padded, LOW_PASS, ROWS)
    high = filters.correlate(padded, HIGH_PASS, ROWS)
    shape = coefficients.shape
    rho = 0
    for along, taps, rows, columns in (
        (high, LOW_PASS, _LOW, _HIGH),
        (low, HIGH_PASS, _HIGH, _LOW),
        (high, HIGH_PASS, _HIGH, _HIGH),
    ):
        residual = filters.correlate(along, taps, COLUMNS)[..., : shape[-2] + 15, : shape[-1] + 15]
        sensitivity = 1 / (abs(residual) + _SIGMA)
        rho += _gather(_gather(sensitivity, rows, COLUMNS), columns, ROWS)
    return rho * dct.repeated(quantisation, coefficients)


def _gather(sensitivity, traces, axis):
    """Sums windows of 23 that begin every 8, weighted with the traces of 8 DCT vectors."""
    plane = jnp.moveaxis(sensitivity, axis, -1)
    blocks = (plane.shape[-1] - 15) // 8
    plane = jnp.pad(plane, [(0, 0)] * (plane.ndim - 1) + [(0, 1)])
    parts = plane.reshape(*plane.shape[:-1], blocks + 2, 8)
    weights = jnp.asarray(traces, plane.dtype).reshape(8, 3, 8)
    products = [
        jnp.einsum(
            "...bn,un->...bu",
            parts[..., third : third + blocks, :],
            weights[:, third],
            precision="highest",
        )
        for third in range(3)
    ]
    sums = products[0] + products[1] + products[2]
    return jnp.moveaxis(sums.reshape(*plane.shape[:-1], 8 * blocks), -1, axis)
