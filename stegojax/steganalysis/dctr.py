"""DCTR: first-order statistics of the undecimated DCT, 8,000 features of a JPEG file's luminance
(Holub and Fridrich, IEEE TIFS 2015).
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax import lax

from stegojax.costs import dct
from stegojax.errors import InputError
from stegojax.steganalysis import phases
from stegojax.steganalysis.coefficients import check_coefficients, quality_of
from stegojax.types import Array

SMALLEST = 16
"""Least height and width."""

SIZE = 64 * phases.GROUPS * phases.BINS
"""Features of a plane."""


def step_of(quality: Array) -> Array:
    """The quantisation step of the residuals.

    Args:
      quality: of the file, any shape.

    Returns:
      Of that shape: 4 at quality 75, 0.8 at 95.
    """
    quality = quality.astype(float)
    return jnp.where(
        quality < 50, jnp.minimum(400 / quality, 100), jnp.maximum(16 - 4 * quality / 25, 0.2)
    )


def features(coefficients: Array, quantisation: Array, *, at_once: int = 1) -> Array:
    """The DCTR features of every plane.

    Holub and Fridrich, "Low-complexity features for JPEG steganalysis using undecimated DCT", IEEE
    TIFS 10(2), 2015.

    Args:
      coefficients: luminance, `[B, H, W]`, whole numbers, multiples of 8, at least 16.
      quantisation: `[B, 8, 8]`.
      at_once: planes that are worked on together.

    Returns:
      Features `[B, 8000]`, float32: 64 frequencies (the vertical one slowest), 25 groups of places,
      5 values.

    Raises:
      InputError: these are no such planes, or `at_once` is not positive.
    """
    check_coefficients(coefficients, quantisation, smallest=SMALLEST)
    if at_once < 1:
        raise InputError(f"at least one plane is worked on at a time; got at_once={at_once}")
    coefficients, quantisation = jnp.asarray(coefficients), jnp.asarray(quantisation)
    quality = quality_of(quantisation)
    return _mapped(coefficients, quantisation, quality, min(at_once, coefficients.shape[0]))


@functools.partial(jax.jit, static_argnums=3)
def _mapped(coefficients, quantisation, quality, at_once):
    # Halves are decided by the seventh digit, which float32 does not have.
    with jax.enable_x64(True):
        steps = step_of(quality)
        return lax.map(_of_plane, (coefficients, quantisation, steps), batch_size=at_once)


def _of_plane(plane):
    coefficients, quantisation, step = plane
    pixels = dct.unrounded_pixels(coefficients, quantisation) - 128
    basis = jnp.asarray(dct.BASIS)

    def filtered(rows):
        down, _, width = rows.shape
        vertical = jnp.einsum("ur,brw->ubw", basis, rows, precision="highest") / step

        def along(frequency):
            taps = basis[frequency]
            columns = width - 7
            shifted = sum(taps[j] * vertical[:, :, j : j + columns] for j in range(8))
            return phases.quantised(shifted)

        values = lax.map(along, jnp.arange(8))
        return jnp.transpose(values, (2, 1, 0, 3)).reshape(down, 64, width - 7)

    return phases.histograms(pixels, filtered).reshape(-1)
