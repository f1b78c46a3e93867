"""Features of pictures from a fixed network that nobody trained: what a distance of two sets of
pictures can be taken from.

Four convolutions with random kernels, each followed by ReLU and means over 2x2 pixels; the features
are the means and the standard deviations of every channel of every layer.
`metrics.frechet_distance` of their means and covariances is the *random-feature Frechet distance*.
It is no FID: that name is for the features of the Inception network trained on ImageNet, and
figures of the two are on different scales. It compares sets measured by this program, of pictures
of one size, and nothing else.

The kernels are drawn by NumPy's legacy generator, whose stream is frozen, so that they are the same
on every machine and with every version. Pictures are `[B, H, W, 3]`, float32 in pixel units 0..255.
"""

from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.models import layers
from stegojax.types import Array

CHANNELS = (3, 16, 32, 64, 96)
"""Channels of the picture and of the layers."""

DIMENSIONS = 2 * sum(CHANNELS[1:])
"""How many features a picture has."""

MINIMUM_SIZE = 16
"""Smallest height and width of a picture, which is halved four times."""

SEED = 20170707
"""Of the kernels. Another one gives another distance."""

_VARIANCE_FLOOR = 1e-6


@functools.cache
def kernels() -> tuple[np.ndarray, ...]:
    """The kernels of the four layers: normal, of variance 2 over the number of inputs (He et al.
    2015).

    Source: this program's own.

    Returns:
      Arrays `[3, 3, C, D]`, float32, read-only.
    """
    random, arrays = np.random.RandomState(SEED), []
    for inputs, outputs in zip(CHANNELS, CHANNELS[1:]):
        values = random.standard_normal((3, 3, inputs, outputs)) * np.sqrt(2.0 / (9 * inputs))
        arrays.append(values.astype(np.float32))
        arrays[-1].setflags(write=False)
    return tuple(arrays)


def features(pictures: Array) -> Array:
    """The features of pictures.

    Source: this program's own; the idea of untrained features for comparing generators is of Naeem
    et al. 2020.

    Args:
      pictures: `[B, H, W, 3]`, 0..255; H and W at least `MINIMUM_SIZE`.

    Returns:
      `[B, DIMENSIONS]`, float32: of each layer the means of its channels, then their standard
      deviations.

    Raises:
      ValueError: the pictures are not `[B, H, W, 3]` float32.
      InputError: the pictures are smaller than `MINIMUM_SIZE`.
    """
    layers.check_planes("random_features.features", pictures, minimum_size=MINIMUM_SIZE, channels=3)
    x, found = pictures / 127.5 - 1.0, []
    for kernel in kernels():
        x = lax.conv_general_dilated(
            x,
            jnp.asarray(kernel),
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision=lax.Precision.HIGHEST,
        )
        x = jnp.maximum(x, 0.0)
        # The floor keeps the root's gradient finite where a channel is constant.
        found += [x.mean(axis=(1, 2)), jnp.sqrt(x.var(axis=(1, 2)) + _VARIANCE_FLOOR)]
        x = layers.avg_pool(x, size=2, stride=2)
    return jnp.concatenate(found, axis=-1)
