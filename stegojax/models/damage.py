"""What happens to pictures between a sender and a receiver, differentiably: JPEG compression at a
quality, and resizing there and back.

Of the form of HiDDeN's noise layers (`models.hidden`), `(key, stego, cover) -> damaged stego`;
pictures are `[B, H, W, C]`, float32, pixel units 0..255.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from stegojax.costs import dct
from stegojax.errors import InputError
from stegojax.images import imresize, rgb_to_ycbcr, ycbcr_to_rgb
from stegojax.types import Array, Key


def jpeg(key: Key, stego: Array, cover: Array, *, quality: int = 75) -> Array:
    """Compresses as JPEG and opens again, as `images.jpeg_recompress` does but for rounding errors
    of the codec's integer transforms, and its interpolation of chroma.

    Pixels and coefficients are rounded, and the gradient passes as if they had not been.

    Args:
      key: of no effect.
      stego: `[B, H, W, 1 or 3]`, 0..255.
      cover: of no effect.
      quality: 1..100, the quality factor of the IJG tables.

    Returns:
      Same shape, whole numbers 0..255.

    Raises:
      InputError: the quality is out of range, or the pictures are neither grey nor colour.
    """
    del key, cover
    height, width, channels = stego.shape[1:]
    if channels not in (1, 3):
        raise InputError(f"JPEG compresses pictures of 1 or 3 channels, {channels} were given")
    tables = [dct.table(quality), *[dct.table(quality, chroma=True)] * 2][:channels]
    stego = _with_gradient(jnp.clip(stego, 0.0, 255.0), jnp.round)
    planes = rgb_to_ycbcr(stego) if channels == 3 else stego
    after = [
        _quantised(planes[..., number], table, halved=number > 0)
        for number, table in enumerate(tables)
    ]
    opened = jnp.stack([plane[:, :height, :width] for plane in after], axis=-1)
    opened = ycbcr_to_rgb(opened) if channels == 3 else opened
    return _with_gradient(jnp.clip(opened, 0.0, 255.0), jnp.round)


def resize(key: Key, stego: Array, cover: Array, *, factor: float = 0.5) -> Array:
    """Resizes bicubically, with antialiasing, and back to the size before.

    Args:
      key: of no effect.
      stego: `[B, H, W, 1 or 3]`, 0..255.
      cover: of no effect.
      factor: of height and width, above 0; the sides are rounded.

    Returns:
      Same shape, 0..255.

    Raises:
      InputError: the factor leaves nothing of the pictures, or makes them larger than 8 times.
    """
    del key, cover
    size = stego.shape[1:3]
    small = tuple(round(factor * side) for side in size)
    if not 0 < factor <= 8 or min(small) < 1:
        raise InputError(
            f"pictures of {size[1]}x{size[0]} cannot be resized by {factor}; choose a factor above "
            "0 and at most 8"
        )
    between = jnp.clip(imresize(stego, small), 0.0, 255.0)
    return jnp.clip(imresize(between, size), 0.0, 255.0)


def _with_gradient(x: Array, rounded: Callable[[Array], Array]) -> Array:
    """What a function of no gradient gives, with the gradient of the identity."""
    return x + jax.lax.stop_gradient(rounded(x) - x)


def _quantised(plane: Array, table: np.ndarray, *, halved: bool) -> Array:
    """A plane `[B, H, W]` after the quantisation of its blocks, borders continued to whole blocks;
    of chroma, samples of two by two pixels.
    """
    multiple = 16 if halved else 8
    _, height, width = plane.shape
    whole = jnp.pad(plane, ((0, 0), (0, -height % multiple), (0, -width % multiple)), mode="edge")
    rows, columns = whole.shape[1:]
    if halved:
        whole = whole.reshape(-1, rows // 2, 2, columns // 2, 2).mean(axis=(2, 4))
    spectra = dct.along(dct.along(whole - 128.0, dct.BASIS, -2), dct.BASIS, -1)
    steps = dct.repeated(jnp.asarray(table, jnp.float32), spectra)

    def to_steps(spectra):
        # In eighths, as the codec's transform gives them: halves of a step are frequent.
        eighths = jnp.round(8.0 * spectra)
        return jnp.sign(eighths) * jnp.floor((abs(eighths) + 4 * steps) / (8 * steps)) * steps

    spectra = _with_gradient(spectra, to_steps)
    pixels = dct.along(dct.along(spectra, dct.BASIS.T, -2), dct.BASIS.T, -1) + 128.0
    return jnp.repeat(jnp.repeat(pixels, 2, axis=1), 2, axis=2) if halved else pixels
