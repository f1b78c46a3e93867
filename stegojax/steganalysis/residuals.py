"""The linear high-pass residuals of the spatial rich model: 30 kernels in five families.

Every kernel is an array of 5 x 5 around the pixel (correlation, no flip) whose elements sum to 0.
Residuals are integers before quantisation; the family's divisor c, minus the weight of the pixel
itself, is applied there.
"""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from stegojax.types import Array


class Family(NamedTuple):
    """Kernels that are quantised and combined together.

    kernels: name -> 5 x 5 integers.
    divisor: c; residuals are divided by q * c.
    crop:    pixels at the border of the plane that have no residual.
    steps:   the quantisation steps q.
    """

    kernels: dict[str, np.ndarray]
    divisor: int
    crop: int
    steps: tuple[float, ...]


_AROUND = {
    "R": (0, 1),
    "L": (0, -1),
    "U": (-1, 0),
    "D": (1, 0),
    "RU": (-1, 1),
    "LU": (-1, -1),
    "RD": (1, 1),
    "LD": (1, -1),
}
_LINES = {"h": (0, 1), "v": (1, 0), "d": (1, 1), "m": (1, -1)}


def _along(direction: tuple[int, int], weights: dict[int, int]) -> np.ndarray:
    """A kernel with the given weights at so many steps from the pixel."""
    kernel = np.zeros((5, 5), np.int32)
    for distance, weight in weights.items():
        kernel[2 + distance * direction[0], 2 + distance * direction[1]] = weight
    return kernel


def _square_and_edges(square: list[list[int]]) -> dict[str, np.ndarray]:
    """A square kernel, and its four halves that keep the pixel's own row or column: up, bottom,
    left, right.
    """
    kernel = np.pad(np.array(square, np.int32), (5 - len(square)) // 2)
    row, column = np.mgrid[:5, :5]
    halves = {"u": row <= 2, "b": row >= 2, "l": column <= 2, "r": column >= 2}
    return {"all": kernel} | {name: np.where(kept, kernel, 0) for name, kept in halves.items()}


_KB = [[-1, 2, -1], [2, -4, 2], [-1, 2, -1]]
_KV = [
    [-1, 2, -2, 2, -1],
    [2, -6, 8, -6, 2],
    [-2, 8, -12, 8, -2],
    [2, -6, 8, -6, 2],
    [-1, 2, -2, 2, -1],
]

FAMILIES: dict[str, Family] = {
    "s1": Family({name: _along(at, {0: -1, 1: 1}) for name, at in _AROUND.items()}, 1, 1, (1, 2)),
    "s2": Family(
        {name: _along(at, {-1: 1, 0: -2, 1: 1}) for name, at in _LINES.items()}, 2, 1, (1, 1.5, 2)
    ),
    "s3": Family(
        {name: _along(at, {-1: 1, 0: -3, 1: 3, 2: -1}) for name, at in _AROUND.items()},
        3,
        2,
        (1, 1.5, 2),
    ),
    "s3x3": Family(_square_and_edges(_KB), 4, 1, (1, 1.5, 2)),
    "s5x5": Family(_square_and_edges(_KV), 12, 2, (1, 1.5, 2)),
}
"""The families by name: first, second and third order, 3 x 3 and 5 x 5 (Fridrich and Kodovsky, TIFS
2012, Fig. 1).
"""


def family_residuals(plane: Array, family: Family) -> Array:
    """The residuals of one family at every pixel.

    Args:
      plane: pixels `[H, W]`, integers 0..255.
      family: the kernels and what belongs to them.

    Returns:
      int16 `[R, H, W]` in the order of the family's kernels; the outer `crop` pixels mean nothing.
    """
    height, width = plane.shape
    padded = jnp.pad(plane.astype(jnp.int16), 2)
    residuals = []
    for kernel in family.kernels.values():
        terms = [
            int(kernel[i, j]) * padded[i : i + height, j : j + width]
            for i, j in np.argwhere(kernel)
        ]
        residuals.append(sum(terms[1:], terms[0]))
    return jnp.stack(residuals)


def quantiser_thresholds(step: float, divisor: int) -> np.ndarray:
    """The smallest integer residuals that are quantised to -1, 0, 1 and 2 or more.

    A residual r becomes r / (q c), rounded half away from zero, then truncated to -2..2.

    Args:
      step: q, a multiple of one half.
      divisor: c.

    Returns:
      Four integers.
    """
    quarters = round(2 * step) * divisor
    one, two = -(-quarters // 4), -(-3 * quarters // 4)
    return np.array([1 - two, 1 - one, one, two])
