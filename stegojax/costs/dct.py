"""The discrete cosine transform of JPEG files, and the pixels that coefficients stand for.

Planes of coefficients are `[..., H, W]`, multiples of 8: coefficient (u, v) of block (i, j) at
[8 i + u, 8 j + v], u the vertical frequency. Pixels are 0..255, before colours are mixed.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from stegojax.errors import InputError
from stegojax.types import Array

BASIS = np.array(
    [
        [
            (math.sqrt(1 / 8) if k == 0 else 0.5) * math.cos((2 * n + 1) * k * math.pi / 16)
            for n in range(8)
        ]
        for k in range(8)
    ]
)
"""T(k, n) of the orthonormal DCT-II: frequency k, sample n."""

_HALF = np.array(
    [
        [8192, 11363, 10703, 9633, 8192, 6437, 4433, 2260],
        [8192, 9633, 4433, -2259, -8192, -11362, -10704, -6436],
        [8192, 6437, -4433, -11362, -8192, 2261, 10704, 9633],
        [8192, 2260, -10703, -6436, 8192, 9633, -4433, -11363],
    ],
    np.int32,
)
_INTEGER_BASIS = np.concatenate([_HALF, _HALF[::-1] * (-1) ** np.arange(8, dtype=np.int32)])


LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
"""JPEG's example quantisation table of luma (ITU-T T.81, Table K.1)."""

CHROMINANCE = np.full((8, 8), 99)
"""JPEG's example quantisation table of chroma (ITU-T T.81, Table K.2)."""
CHROMINANCE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]


def table(quality: int, *, chroma: bool = False) -> np.ndarray:
    """The example quantisation table at a quality, as libjpeg scales it.

    Args:
      quality: 1 to 100.
      chroma: whether it is that of chroma, not of luma.

    Returns:
      int32 `[8, 8]`.

    Raises:
      InputError: the quality is out of range.
    """
    if not 1 <= quality <= 100:
        raise InputError(f"JPEG quality is between 1 and 100, {quality} was given")
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = (CHROMINANCE if chroma else LUMINANCE) * scale
    return np.clip((steps + 50) // 100, 1, 255).astype(np.int32)


def check_coefficients(coefficients: Array, quantisation: Array) -> None:
    """Refuses what is no plane of coefficients with its quantisation table.

    Args:
      coefficients: `[..., H, W]`.
      quantisation: `[8, 8]`.

    Raises:
      ValueError: the shapes do not fit.
    """
    shape = jnp.shape(coefficients)
    if len(shape) < 2 or shape[-1] % 8 or shape[-2] % 8:
        raise ValueError(f"coefficients are [..., 8 rows, 8 columns]; got {shape}")
    if jnp.shape(quantisation) != (8, 8):
        raise ValueError(f"a quantisation table is [8, 8]; got {jnp.shape(quantisation)}")


def repeated(table: Array | np.ndarray, plane: Array) -> Array:
    """A table `[8, 8]` in every block of a plane.

    Args:
      table: one value per frequency.
      plane: `[..., H, W]`.

    Returns:
      `[..., H, W]`, as the plane.
    """
    tiles = jnp.tile(jnp.asarray(table), (plane.shape[-2] // 8, plane.shape[-1] // 8))
    return jnp.broadcast_to(tiles, plane.shape)


def along(plane: Array, matrix: np.ndarray, axis: int) -> Array:
    """Multiplies every eight samples along an axis by a matrix: out[n] = sum of matrix[n, k] in[k].

    Sums of slices, as in `filters`: full precision on every device. Products of integers are exact
    anyhow, and as one operation they take less time to compile.

    Args:
      plane: any shape.
      matrix: `[8, 8]`.
      axis: a multiple of 8 long.

    Returns:
      The plane's shape.
    """
    axis %= plane.ndim
    split = plane.reshape(*plane.shape[:axis], -1, 8, *plane.shape[axis + 1 :])
    if jnp.issubdtype(plane.dtype, jnp.integer):
        product = jnp.tensordot(split, jnp.asarray(matrix, plane.dtype), ((axis + 1,), (1,)))
        return jnp.moveaxis(product, -1, axis + 1).reshape(plane.shape)
    parts = jnp.moveaxis(split, axis + 1, 0)
    rows = [sum(value * part for value, part in zip(row.tolist(), parts)) for row in matrix]
    return jnp.stack(rows, axis + 1).reshape(plane.shape)


def unrounded_pixels(coefficients: Array, quantisation: Array) -> Array:
    """The pixels of quantised coefficients, neither rounded nor clipped.

    Args:
      coefficients: `[..., H, W]`, quantised.
      quantisation: `[8, 8]`, the step of each.

    Returns:
      `[..., H, W]`, float.
    """
    check_coefficients(coefficients, quantisation)
    real = jax.dtypes.canonicalize_dtype(float)
    plane = jnp.asarray(coefficients, real)
    plane = plane * repeated(jnp.asarray(quantisation, real), plane)
    return along(along(plane, BASIS.T, -2), BASIS.T, -1) + 128


def integer_pixels(coefficients: Array, quantisation: Array) -> Array:
    """The pixels as libjpeg's default decompression gives them, to the last bit (its "islow" DCT).

    Args:
      coefficients: `[..., H, W]`, quantised.
      quantisation: `[8, 8]`, the step of each.

    Returns:
      `[..., H, W]`, int32, 0..255.
    """
    check_coefficients(coefficients, quantisation)
    plane = jnp.asarray(coefficients, jnp.int32)
    plane = plane * repeated(jnp.asarray(quantisation, jnp.int32), plane)
    columns = (along(plane, _INTEGER_BASIS, -2) + (1 << 10)) >> 11
    pixels = (along(columns, _INTEGER_BASIS, -1) + (1 << 17)) >> 18
    return jnp.clip(pixels + 128, 0, 255)


def integer_coefficients(pixels: Array, quantisation: Array) -> Array:
    """The coefficients that libjpeg's default compression makes of pixels (its "islow" DCT).

    Args:
      pixels: `[..., H, W]`, 0..255, multiples of 8.
      quantisation: `[8, 8]`, the step of each.

    Returns:
      `[..., H, W]`, int32.
    """
    check_coefficients(pixels, quantisation)
    plane = jnp.asarray(pixels, jnp.int32) - 128
    rows = (along(plane, _INTEGER_BASIS.T, -1) + (1 << 10)) >> 11
    columns = (along(rows, _INTEGER_BASIS.T, -2) + (1 << 14)) >> 15
    steps = repeated(jnp.asarray(quantisation, jnp.int32), plane)
    return jnp.sign(columns) * ((abs(columns) + 4 * steps) // (8 * steps))
