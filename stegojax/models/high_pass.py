"""The high-pass filters in front of steganalyzers: the 30 kernels of the spatial rich model
(Fridrich and Kodovsky 2012).

A steganalyzer suppresses the picture's content with fixed linear filters and looks at the residual,
in which a change of one grey level stands out. Every kernel sits in the middle of a 5x5 array, sums
to 0 (so a constant picture, or a constant added to a picture, leaves no residual), and is applied
as a cross-correlation. Kernel arrays are `[K, 5, 5]`, float32, read-only.

Order of the 30 (as in Deng-Net's code): 0-7 first order, towards NW, N, NE, W, E, SW, S, SE; 8-11
second order along the main diagonal, vertically, along the minor diagonal, horizontally; 12-19
third order towards NW, N, NE, E, SE, S, SW, W; 20-23 edge 3x3 that keeps top, right, bottom, left;
24-27 edge 5x5 likewise; 28 the 3x3 square KB; 29 the 5x5 square KV.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.types import Array

_DIRECTIONS = {
    "NW": (-1, -1),
    "N": (-1, 0),
    "NE": (-1, 1),
    "W": (0, -1),
    "E": (0, 1),
    "SW": (1, -1),
    "S": (1, 0),
    "SE": (1, 1),
}
_KB = np.pad([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]], 1)
_KV = np.asarray(
    [
        [-1, 2, -2, 2, -1],
        [2, -6, 8, -6, 2],
        [-2, 8, -12, 8, -2],
        [2, -6, 8, -6, 2],
        [-1, 2, -2, 2, -1],
    ]
)


def _line(direction: str, coefficients: dict[int, int]) -> np.ndarray:
    down, right = _DIRECTIONS[direction]
    kernel = np.zeros((5, 5), int)
    for distance, value in coefficients.items():
        kernel[2 + distance * down, 2 + distance * right] = value
    return kernel


def _halves(square: np.ndarray) -> list[np.ndarray]:
    top = square.copy()
    top[3:] = 0
    return [np.rot90(top, -quarter) for quarter in range(4)]


def _bank() -> np.ndarray:
    kernels = [_line(direction, {0: -1, 1: 1}) for direction in _DIRECTIONS]
    kernels += [_line(direction, {-1: 1, 0: -2, 1: 1}) for direction in ("NW", "N", "NE", "W")]
    kernels += [
        _line(direction, {2: -1, 1: 3, 0: -3, -1: 1})
        for direction in ("NW", "N", "NE", "E", "SE", "S", "SW", "W")
    ]
    kernels += [*_halves(_KB), *_halves(_KV), _KB, _KV]
    return np.stack(kernels)


def _constant(values: np.ndarray) -> np.ndarray:
    array = np.ascontiguousarray(values, np.float32)
    array.setflags(write=False)
    return array


SRM = _constant(_bank())
"""The 30 kernels with their integer coefficients."""

SRM_NORMALISED = _constant(SRM / -SRM[:, 2:3, 2:3])
"""The 30 kernels divided so that the middle of each is -1 (divisors 1, 2, 3, 4 and 12 by family).
"""

KB = SRM[28:29]
"""The 3x3 square kernel, which predicts a pixel from its eight neighbours; middle -4."""

KV = SRM[29:30]
"""The 5x5 square kernel; middle -12."""

KV_NORMALISED = SRM_NORMALISED[29:30]
"""The 5x5 square kernel divided by 12, the front of Xu-Net and GNCNN, and of SGAN's and SSGAN's
steganalyzers. SSGAN's paper prints it undivided: GNCNN's Gaussian units then answer 0 everywhere.
"""

BASIC = SRM[[4, 6, 11, 9, 28, 29]]
"""The six kernels in front of the Xu-Net of SPAR-RL and UT-GAN, not normalised: differences of
first order (horizontal, vertical) and of second order (horizontal, vertical), KB, KV.
"""
BASIC.setflags(write=False)


def residuals(planes: Array, kernels: np.ndarray, *, padding: str = "SAME") -> Array:
    """The responses of every channel of pictures to a bank of high-pass kernels (Fridrich and
    Kodovsky 2012, Section II).

    In full float32 precision on every device: the residual of a change of one grey level is all
    there is to see.

    Args:
      planes: `[B, H, W, C]` float32, 0..255.
      kernels: `[K, 5, 5]`, one of this module's banks.
      padding: "SAME" surrounds the picture with two rows and columns of zeros, so the two outermost
        rows and columns of the output see an edge; "VALID" leaves them out.

    Returns:
      `[B, H, W, C * K]` or, with "VALID", `[B, H - 4, W - 4, C * K]`; all K responses of the first
      channel come first.

    Raises:
      ValueError: wrong ranks, or a padding that is neither.
    """
    if planes.ndim != 4 or kernels.ndim != 3 or kernels.shape[1:] != (5, 5):
        raise ValueError(
            "residuals: pictures [B, H, W, C] and kernels [K, 5, 5] are needed, "
            f"{planes.shape} and {kernels.shape} were given"
        )
    if padding not in ("SAME", "VALID"):
        raise ValueError(f"residuals: padding must be SAME or VALID, {padding!r} was given")
    channels = planes.shape[-1]
    weights = jnp.asarray(np.tile(kernels.transpose(1, 2, 0)[:, :, None], (1, 1, 1, channels)))
    return lax.conv_general_dilated(
        planes,
        weights,
        (1, 1),
        padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=channels,
        precision=lax.Precision.HIGHEST,
    )
