"""GFR: Gabor filter residuals, 17,000 features of a JPEG file's luminance (Song, Liu, Yang, Luo and
Zhang, IH&MMSec 2015).
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.costs import dct
from stegojax.errors import InputError
from stegojax.steganalysis import phases
from stegojax.steganalysis.coefficients import check_coefficients, quality_of
from stegojax.types import Array

SMALLEST = 16
"""Least height and width."""

_PHASES, _SCALES, _ANGLES = (0, np.pi / 2), (0.5, 0.75, 1, 1.25), 32
_MERGED = _ANGLES // 2 + 1
_STEPS = {75: (2, 4, 6, 8), 95: (0.1, 1, 1.5, 2)}
_BETWEEN = 85

SIZE = len(_PHASES) * len(_SCALES) * _MERGED * phases.GROUPS * phases.BINS
"""Features of a plane."""


def kernels() -> np.ndarray:
    """The Gabor kernels.

    Returns:
      `[2, 4, 32, 8, 8]`: phase, scale, angle in steps of pi / 32; each of sum 0.
    """
    shift, scale, angle = np.meshgrid(
        _PHASES, _SCALES, np.arange(_ANGLES) * np.pi / _ANGLES, indexing="ij"
    )
    shift, scale, angle = (each[..., None, None] for each in (shift, scale, angle))
    across = np.arange(-3.5, 4)[None, :]
    up = -np.arange(-3.5, 4)[:, None]
    x = across * np.cos(angle) + up * np.sin(angle)
    y = -across * np.sin(angle) + up * np.cos(angle)
    waves = np.cos(2 * np.pi * 0.56 * x / scale + shift)
    waves = waves * np.exp(-(x**2 + y**2 / 4) / (2 * scale**2))
    magnitude = abs(waves)
    total, most = (each.sum((-2, -1), keepdims=True) for each in (waves, magnitude))
    return waves - magnitude * total / most


def features(coefficients: Array, quantisation: Array, *, at_once: int = 1) -> Array:
    """The GFR features of every plane.

    Song, Liu, Yang, Luo and Zhang, "Steganalysis of adaptive JPEG steganography using 2D Gabor
    filters", IH&MMSec 2015. The released steps of the residuals are for the qualities 75 and 95;
    here the former are taken below 85, the latter from there on.

    Args:
      coefficients: luminance, `[B, H, W]`, whole numbers, multiples of 8, at least 16.
      quantisation: `[B, 8, 8]`.
      at_once: planes that are worked on together.

    Returns:
      Features `[B, 17000]`, float32: 2 phases, 4 scales, 17 angles, 25 groups of places, 5 values.

    Raises:
      InputError: these are no such planes, or `at_once` is not positive.
    """
    check_coefficients(coefficients, quantisation, smallest=SMALLEST)
    if at_once < 1:
        raise InputError(f"at least one plane is worked on at a time; got at_once={at_once}")
    coefficients, quantisation = jnp.asarray(coefficients), jnp.asarray(quantisation)
    high = quality_of(quantisation) >= _BETWEEN
    return _mapped(coefficients, quantisation, high, min(at_once, coefficients.shape[0]))


@functools.partial(jax.jit, static_argnums=3)
def _mapped(coefficients, quantisation, high, at_once):
    with jax.enable_x64(True):
        return lax.map(_of_plane, (coefficients, quantisation, high), batch_size=at_once)


def _of_plane(plane):
    coefficients, quantisation, high = plane
    pixels = dct.unrounded_pixels(coefficients, quantisation)
    steps = jnp.where(high, jnp.asarray(_STEPS[95]), jnp.asarray(_STEPS[75]))
    # A kernel is its own mirror image in the centre, up to the sign of its phase; with left and
    # right exchanged it is that of the angle pi less its own. Sums and differences of pixels that
    # mirror each other take a fourth of the products.
    scaled = jnp.asarray(kernels()) / steps[None, :, None, None, None]
    left, right = _mirrored(scaled[:, :, :_MERGED, :4], -1)
    even, odd = ((left + sign * right).reshape(2, -1, 16) / 2 for sign in (1, -1))

    def filtered(rows):
        down, _, width = rows.shape
        columns = width - 7
        windows = jnp.stack([rows[..., j : j + columns] for j in range(8)], 2)
        above, below = windows[:, :4], windows[:, :3:-1, ::-1]
        values = []
        for phase, pairs in enumerate((above + below, above - below)):
            left, right = _mirrored(pairs, 2)
            sums = [
                jnp.einsum("kn,bnw->bkw", half[phase], quads, precision="highest")
                for half, quads in (
                    (even, (left + right).reshape(down, 16, columns)),
                    (odd, (left - right).reshape(down, 16, columns)),
                )
            ]
            shape = (down, len(_SCALES), _MERGED, columns)
            even_sums, odd_sums = (each.reshape(shape) for each in sums)
            # Angles from 0 to pi / 2, and then those beyond: the mirror images of these.
            beyond = phases.quantised((even_sums - odd_sums)[:, :, _MERGED - 2 : 0 : -1])
            angles = [phases.quantised(even_sums + odd_sums), beyond]
            values.append(jnp.concatenate(angles, 2).reshape(down, -1, columns))
        return jnp.concatenate(values, 1)

    counted = phases.histograms(pixels, filtered)
    counted = counted.reshape(len(_PHASES), len(_SCALES), _ANGLES, phases.GROUPS, phases.BINS)
    mirrored = counted[:, :, -np.arange(_MERGED) % _ANGLES]
    return ((counted[:, :, :_MERGED] + mirrored) / 2).reshape(-1)


def _mirrored(values, axis: int):
    """The first half of an axis of 8, and the second in the reverse order."""
    return jnp.take(values, jnp.arange(4), axis), jnp.take(values, jnp.arange(7, 3, -1), axis)
