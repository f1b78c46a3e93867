"""Deng-Net (Deng, Chen, Luo and Luo 2019): a fast steganalyzer that ends in global covariance
pooling.

The 30 normalised high-pass kernels of the spatial rich model, truncated; four groups of
convolutions; and in place of the mean of the last feature maps the square root of their covariance
matrix, by Newton-Schulz iterations (iSQRT-COV, Li et al. 2018), whose upper triangle a linear layer
classifies.

Planes are `[B, H, W, 1]`, float32 in pixel units 0..255. Any H and W from `MINIMUM_SIZE` on. The
pooling is computed in full float32 precision on every device.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.models import high_pass, layers
from stegojax.types import Array

MINIMUM_SIZE = 16
"""Smallest height and width of a picture, which is halved three times: a covariance of at least 2x2
positions.
"""

GROUPS = (((32, 32, 32, 32), True), ((32, 64), True), ((64, 128), True), ((128, 256), False))
"""Channels of the convolutions of groups 2 to 5, and whether pooling follows."""

THRESHOLD = 3.0
"""Residuals are truncated to +- this."""

ITERATIONS = 5
"""Newton-Schulz iterations."""

TRACE_FLOOR = 1e-6
"""Added to the trace of a covariance before it divides: a constant feature map has trace 0. A
trained network's is near 100.
"""


def covariance(features: Array) -> Array:
    """The covariance of feature maps over positions, divided by their number (Deng et al. 2019,
    Section 3.2).

    Args:
      features: `[..., H, W, C]`.

    Returns:
      `[..., C, C]`.

    Raises:
      ValueError: fewer than three axes.
    """
    if features.ndim < 3:
        raise ValueError(
            f"covariance: feature maps [..., H, W, C] are needed, {features.shape} was given"
        )
    x = features.reshape(*features.shape[:-3], -1, features.shape[-1])
    x = x - x.mean(axis=-2, keepdims=True)
    return jnp.matmul(x.mT, x, precision=lax.Precision.HIGHEST) / x.shape[-2]


def square_root(sigma: Array, *, iterations: int = ITERATIONS) -> Array:
    """The approximate square root of a covariance matrix by coupled Newton-Schulz iterations (Li et
    al. 2018, Equation 4).

    The matrix is divided by its trace, which puts its eigenvalues where the iterations converge,
    and the root multiplied by the trace's root. Eigenvalues far below the trace are not converged
    after five iterations, and need not be. Only matrix products: gradients are finite for every
    matrix, zero included.

    Args:
      sigma: `[..., C, C]`, symmetric positive semidefinite.
      iterations: at least 2.

    Returns:
      `[..., C, C]`.

    Raises:
      ValueError: the matrices are not square, or there are fewer than two iterations.
    """
    if sigma.ndim < 2 or sigma.shape[-1] != sigma.shape[-2]:
        raise ValueError(
            f"square_root: square matrices [..., C, C] are needed, {sigma.shape} was given"
        )
    if iterations < 2:
        raise ValueError(f"square_root: at least 2 iterations are needed, {iterations} was given")

    def product(a, b):
        return jnp.matmul(a, b, precision=lax.Precision.HIGHEST)

    identity = jnp.broadcast_to(jnp.eye(sigma.shape[-1], dtype=sigma.dtype), sigma.shape)
    trace = jnp.trace(sigma, axis1=-2, axis2=-1)[..., None, None] + TRACE_FLOOR
    normalised = sigma / trace
    z = (3 * identity - normalised) / 2
    y = product(normalised, z)
    for _ in range(iterations - 2):
        step = (3 * identity - product(z, y)) / 2
        y, z = product(y, step), product(step, z)
    return jnp.sqrt(trace) * product(y, 3 * identity - product(z, y)) / 2


def upper_triangle(matrix: Array) -> Array:
    """The entries of a matrix on and above the diagonal, row by row.

    Args:
      matrix: `[..., C, C]`.

    Returns:
      `[..., C (C + 1) / 2]`.

    Raises:
      ValueError: the matrices are not square.
    """
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(
            f"upper_triangle: square matrices [..., C, C] are needed, {matrix.shape} was given"
        )
    rows, columns = np.triu_indices(matrix.shape[-1])
    return matrix[..., rows, columns]


def _uniform_bias(inputs: int):
    """PyTorch's initialisation of a bias: uniform within 1 / sqrt(number of inputs)."""
    limit = inputs**-0.5

    def init(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -limit, limit)

    return init


class Group(nn.Module):
    """Convolutions, each followed by batch normalisation and ReLU, and average pooling if asked
    for.

    Attributes:
      features: channels of each convolution.
      pool: whether means over 3x3 windows with stride 2 follow, counted zeros around.
      axis_name: mapped axis over which batch statistics are averaged in training.
    """

    features: tuple[int, ...]
    pool: bool
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        for i, features in enumerate(self.features, start=1):
            x = layers.conv(
                features,
                3,
                kernel_init=layers.he,
                bias_init=_uniform_bias(9 * x.shape[-1]),
                name=f"conv{i}",
            )(x)
            x = nn.relu(
                layers.batch_norm(train=train, axis_name=self.axis_name, name=f"norm{i}")(x)
            )
        return layers.padded_avg_pool(x, size=3, stride=2, padding=1) if self.pool else x


class DengNet(nn.Module):
    """Deng-Net: is this picture a cover (class 0) or a stego (class 1)?

    Attributes:
      width: multiplies the channels of every convolution (the 30 filters stay); 1 is the paper's
        network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, planes: Array, *, train: bool) -> Array:
        """Judges a picture.

        Args:
          planes: `[B, H, W, 1]`, 0..255; H and W at least `MINIMUM_SIZE`.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, 2]`, logits of cover and stego.

        Raises:
          ValueError: the picture is not `[B, H, W, 1]` float32.
          InputError: the picture is smaller than `MINIMUM_SIZE`.
        """
        layers.check_planes("Deng-Net", planes, minimum_size=MINIMUM_SIZE)
        x = layers.truncate(high_pass.residuals(planes, high_pass.SRM_NORMALISED), THRESHOLD)
        for i, (channels, pool) in enumerate(GROUPS, start=2):
            features = tuple(layers.scaled_width(c, self.width) for c in channels)
            x = Group(features, pool, self.axis_name, name=f"group{i}")(x, train=train)
        x = upper_triangle(square_root(covariance(x)))
        return nn.Dense(2, kernel_init=nn.initializers.normal(0.01), name="full")(x)
