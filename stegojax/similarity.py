"""Structural similarity of two pictures: SSIM (Wang et al. 2004) and MS-SSIM (Wang et al. 2003),
differentiable.

Pictures are `[B, H, W, C]`, 0..`max_value`; a result is one value per example, at most 1, and 1 for
equal pictures. Windows are Gaussian, 11x11, sigma 1.5, and only those wholly inside the picture
count; channels are judged apart and averaged.

With s = x + y and d = x - y, the two comparisons of a window are written

    luminance           (2 mu_x mu_y + C1) / (mu_x^2 + mu_y^2 + C1)          = 1 - mu_d^2 / (mu_x^2
    + mu_y^2 + C1) contrast-structure  (2 sigma_xy + C2) / (sigma_x^2 + sigma_y^2 + C2)     = 1 -
                                       sigma_d^2 / (sigma_x^2 + sigma_y^2 + C2)

which needs four filtered planes instead of five and, in float32, keeps what would otherwise be lost
in differences of nearly
equal squares: equal pictures have similarity exactly 1.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.errors import InputError
from stegojax.types import Array

WINDOW = 11
"""Height and width of the Gaussian window."""

SIGMA = 1.5
"""Standard deviation of the Gaussian window, in pixels."""

K1, K2 = 0.01, 0.03
"""C1 = (K1 max_value)^2 and C2 = (K2 max_value)^2."""

SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales of MS-SSIM, finest first."""

_FLOOR = 1e-6
"""Where MS-SSIM takes a scale's contrast-structure for 0: below it the power's gradient grows
without bound.
"""


def check_pair(caller: str, x: Array, y: Array) -> None:
    """Refuses what is no pair of float pictures `[B, H, W, C]` of one shape.

    Args:
      caller: begins the message.
      x: pictures.
      y: pictures.

    Raises:
      ValueError: shapes or dtypes do not fit.
    """
    if x.ndim != 4 or x.shape != y.shape:
        raise ValueError(
            f"{caller}: two pictures of one shape [B, H, W, C] are needed, {x.shape} and "
            f"{y.shape} were given"
        )
    if not (jnp.issubdtype(x.dtype, jnp.floating) and jnp.issubdtype(y.dtype, jnp.floating)):
        raise ValueError(
            f"{caller}: float pictures are needed, {x.dtype} and {y.dtype} were given; convert "
            "8-bit pixels first"
        )


def _window_matrix(n: int) -> np.ndarray:
    """`[n - 10, n]`: row i averages positions i..i+10 with Gaussian weights."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    matrix = np.zeros((n - WINDOW + 1, n), np.float32)
    for k, weight in enumerate(weights / weights.sum()):
        np.fill_diagonal(matrix[:, k:], weight)
    return matrix


def _window_means(planes: Array) -> Array:
    """Gaussian window means of `[N, H, W]`, `[N, H - 10, W - 10]`.

    A banded matrix from either side: on a CPU and on matrix units many times faster than a
      convolution with one channel. Full
    precision is asked for because a matrix unit's default rounds the factors to fewer bits.
    """
    height, width = planes.shape[-2:]
    columns = jnp.asarray(_window_matrix(width), planes.dtype)
    rows = jnp.asarray(_window_matrix(height), planes.dtype)
    means = jnp.einsum("nhw,vw->nhv", planes, columns, precision=lax.Precision.HIGHEST)
    return jnp.einsum("uh,nhv->nuv", rows, means, precision=lax.Precision.HIGHEST)


def _comparisons(x: Array, y: Array, *, max_value: float) -> tuple[Array, Array]:
    """Mean SSIM and mean contrast-structure of planes `[N, H, W]`, each `[N]`."""
    # The variances do not change when mid-grey is taken off first, and lose less to rounding.
    s, d = x + y - max_value, x - y
    mu_s, mu_d, s_squared, d_squared = jnp.split(
        _window_means(jnp.concatenate([s, d, s * s, d * d])), 4
    )
    variance_s, variance_d = s_squared - mu_s**2, d_squared - mu_d**2
    mu_s = mu_s + max_value
    luminance = 1.0 - mu_d**2 / ((mu_s**2 + mu_d**2) / 2 + (K1 * max_value) ** 2)
    contrast = 1.0 - variance_d / ((variance_s + variance_d) / 2 + (K2 * max_value) ** 2)
    return (luminance * contrast).mean(axis=(1, 2)), contrast.mean(axis=(1, 2))


def _half(planes: Array) -> Array:
    """Means of 2x2 blocks of `[N, H, W]`; an odd last row or column is left out."""
    n, height, width = planes.shape
    even = planes[:, : height // 2 * 2, : width // 2 * 2]
    return even.reshape(n, height // 2, 2, width // 2, 2).mean(axis=(2, 4))


def _power(base: Array, exponent: float) -> Array:
    """`base ** exponent`, and 0 with gradient 0 where `base` is not positive."""
    # Double-where: the power's gradient at 0 is infinite, and infinity times the zero of the outer
    # where would be NaN.
    positive = base > _FLOOR
    return jnp.where(positive, jnp.where(positive, base, 1.0) ** exponent, 0.0)


def _planes(x: Array) -> Array:
    batch, height, width, channels = x.shape
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return jnp.moveaxis(x, -1, 1).reshape(batch * channels, height, width)


def _per_example(values: Array, like: Array) -> Array:
    return values.reshape(like.shape[0], like.shape[-1]).mean(axis=-1)


def ms_ssim_scales(height: int, width: int) -> int:
    """How many of MS-SSIM's five scales fit a picture: at each, the 11x11 window must lie inside
    the halved picture.

    Source: Wang et al. 2003, "Multiscale structural similarity", whose five scales need 176 pixels.

    Args:
      height, width: of the picture, in pixels.

    Returns:
      1 to 5.

    Raises:
      InputError: the picture is smaller than the window.
    """
    if min(height, width) < WINDOW:
        raise InputError(
            f"SSIM needs pictures of at least {WINDOW}x{WINDOW} pixels, {width}x{height} was "
            "given; "
            "use larger crops"
        )
    return sum(min(height, width) >> scale >= WINDOW for scale in range(len(SCALE_WEIGHTS)))


def ssim(x: Array, y: Array, *, max_value: float = 255.0) -> Array:
    """The structural similarity index of each pair of pictures.

    Source: Wang et al. 2004, "Image quality assessment: from error visibility to structural
      similarity", eq. (13) and (14).

    Args:
      x, y: `[B, H, W, C]`, 0..max_value.
      max_value: the largest value a pixel can have.

    Returns:
      `[B]`, at most 1; 1 for equal pictures.

    Raises:
      ValueError: the shapes differ or are not `[B, H, W, C]`, or the arrays are not float.
      InputError: the pictures are smaller than the 11x11 window.
    """
    check_pair("ssim", x, y)
    ms_ssim_scales(*x.shape[1:3])
    index, _ = _comparisons(_planes(x), _planes(y), max_value=max_value)
    return _per_example(index, x)


def ms_ssim(x: Array, y: Array, *, max_value: float = 255.0) -> Array:
    """The multi-scale structural similarity index of each pair of pictures.

    Source: Wang et al. 2003, "Multiscale structural similarity for image quality assessment", eq.
      (7) with its weights.

    Scales are halved by the means of 2x2 blocks; luminance counts at the coarsest only. A picture
    too small for all five scales is judged at those that fit (`ms_ssim_scales`), with their weights
    divided by their sum. A scale whose contrast-structure is negative on average makes the index 0,
    and then the gradient is 0 too.

    Args:
      x, y: `[B, H, W, C]`, 0..max_value.
      max_value: the largest value a pixel can have.

    Returns:
      `[B]`, 0 to 1; 1 for equal pictures.

    Raises:
      ValueError: the shapes differ or are not `[B, H, W, C]`, or the arrays are not float.
      InputError: the pictures are smaller than the 11x11 window.
    """
    check_pair("ms_ssim", x, y)
    scales = ms_ssim_scales(*x.shape[1:3])
    weights = np.asarray(SCALE_WEIGHTS[:scales]) / sum(SCALE_WEIGHTS[:scales])
    a, b = _planes(x), _planes(y)
    product = 1.0
    for weight in weights[:-1]:
        _, contrast = _comparisons(a, b, max_value=max_value)
        product = product * _power(contrast, float(weight))
        a, b = _half(a), _half(b)
    index, _ = _comparisons(a, b, max_value=max_value)
    return _per_example(product * _power(index, float(weights[-1])), x)
