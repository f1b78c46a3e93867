"""GNCNN (Qian, Dong, Wang and Tan 2015): the first convolutional steganalyzer, with Gaussian
neurons.

One fixed high-pass filter, convolutions with the activation exp(-x^2), which responds to residuals
near zero, average pooling, three fully connected layers. `GNCNN` is the network for 256x256
pictures; `SmallGNCNN` is the one that SSGAN (Shi et al. 2017) makes of it for 64x64 colour
pictures, with filled-in borders and one group less.

Pictures are `[B, H, W, C]`, float32 in pixel units 0..255. The classifier reads every position of
the last map, so the number of parameters depends on H and W, and a trained network judges pictures
of the size it was trained on.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from stegojax.models import high_pass, layers
from stegojax.types import Array

MINIMUM_SIZE = 132
"""Smallest height and width of a picture for `GNCNN`: the one of which five groups leave a single
position.
"""

SMALL_MINIMUM_SIZE = 16
"""Smallest height and width of a picture for `SmallGNCNN`, which halves it four times."""

FEATURES = 16
"""Channels of every group."""

SIZES = (5, 3, 3, 3, 5)
"""Kernel sizes of the groups of `GNCNN`."""

SMALL_SIZES = (5, 3, 3, 5)
"""Kernel sizes of the groups of `SmallGNCNN`."""

FULL = (128, 128)
"""Outputs of the fully connected layers before the last."""


def gaussian(x: Array) -> Array:
    """The Gaussian neuron exp(-x^2) (Qian et al. 2015, Section 3.2, with width 1).

    Args:
      x: any shape.

    Returns:
      The shape of `x`, in 0..1.
    """
    return jnp.exp(-jnp.square(x))


class Group(nn.Module):
    """Convolution, batch normalisation if asked for, Gaussian neurons, means over 3x3 windows with
    stride 2.

    Attributes:
      features: channels.
      size: height and width of the kernel.
      padding: "VALID": no borders, and a last window of the pooling may stick out; "SAME": height
        and width are halved.
      normalise: whether batch normalisation precedes the neurons.
      axis_name: mapped axis over which batch statistics are averaged in training.
    """

    features: int
    size: int
    padding: str
    normalise: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        x = layers.conv(self.features, self.size, padding=self.padding, name="conv")(x)
        if self.normalise:
            x = layers.batch_norm(train=train, axis_name=self.axis_name, name="norm")(x)
        if self.padding == "SAME":
            return layers.avg_pool(gaussian(x), size=3, stride=2)
        return layers.padded_avg_pool(gaussian(x), size=3, stride=2, partial=True)


def _classify(
    network: nn.Module, x: Array, *, sizes: tuple[int, ...], padding: str, train: bool
) -> Array:
    x = high_pass.residuals(x, high_pass.KV_NORMALISED, padding=padding)
    for i, size in enumerate(sizes, start=1):
        x = Group(
            layers.scaled_width(FEATURES, network.width),
            size,
            padding,
            network.normalise,
            network.axis_name,
            name=f"group{i}",
        )(x, train=train)
    x = x.reshape(x.shape[0], -1)
    for i, features in enumerate(FULL, start=1):
        x = nn.relu(
            nn.Dense(
                layers.scaled_width(features, network.width),
                kernel_init=layers.xavier,
                name=f"full{i}",
            )(x)
        )
    return nn.Dense(2, kernel_init=layers.xavier, name=f"full{len(FULL) + 1}")(x)


class GNCNN(nn.Module):
    """GNCNN for grey pictures of 256x256: is this a cover (class 0) or a stego (class 1)?

    Attributes:
      width: multiplies the channels of every group and fully connected layer; 1 is the paper's
        network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
      normalise: batch normalisation before the Gaussian neurons, not in the paper: without it their
        gradients die out easily.
    """

    width: float = 1.0
    axis_name: str | None = None
    normalise: bool = False

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
        layers.check_planes("GNCNN", planes, minimum_size=MINIMUM_SIZE)
        return _classify(self, planes, sizes=SIZES, padding="VALID", train=train)


class SmallGNCNN(nn.Module):
    """GNCNN for 64x64 pictures, SSGAN's S and S*: is this a cover (class 0) or a stego (class 1)?

    Attributes:
      width: multiplies the channels of every group and fully connected layer; 1 is the paper's
        network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
      normalise: batch normalisation before the Gaussian neurons, not in the paper: without it their
        gradients die out easily.
    """

    width: float = 1.0
    axis_name: str | None = None
    normalise: bool = False

    @nn.compact
    def __call__(self, pictures: Array, *, train: bool) -> Array:
        """Judges a picture.

        Args:
          pictures: `[B, H, W, C]` of any C (SSGAN's have 3), 0..255; H and W at least
            `SMALL_MINIMUM_SIZE`.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, 2]`, logits of cover and stego.

        Raises:
          ValueError: the picture is not `[B, H, W, C]` float32.
          InputError: the picture is smaller than `SMALL_MINIMUM_SIZE`.
        """
        layers.check_planes(
            "GNCNN for small pictures", pictures, minimum_size=SMALL_MINIMUM_SIZE, channels=None
        )
        return _classify(self, pictures, sizes=SMALL_SIZES, padding="SAME", train=train)
