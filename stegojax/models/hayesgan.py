"""The networks of Hayes and Danezis 2017 ("Generating steganographic images via adversarial
training"): Alice, Bob and Eve.

Alice makes a picture of the cover's size anew from all of the cover's pixels and a message of L
bits; Bob reads the message; Eve tells covers from stegos. Layers are those of DCGAN: 5x5 kernels,
height and width doubled or halved in each.

Pictures are `[B, H, W, C]`, float32 in pixel units 0..255, in [-1, 1] inside, with H and W
multiples of 16. They are 32x32 (or 64x64) in the paper; Alice's first layer is fully connected and
grows with the square of the picture's area. Messages are bits {0, 1} as float32, `[B, L]`, which
the networks call -1/2 and 1/2 (`levels`).
"""

from __future__ import annotations

import math

import flax.linen as nn
import jax.numpy as jnp

from stegojax.errors import InputError
from stegojax.models import layers
from stegojax.types import Array

WIDTH = 32
"""Channels of the widest map with stride, doubled from layer to layer; the authors take as many as
the picture is high.
"""

SIZE_MULTIPLE = 16
"""Height and width are multiples of this: they are halved or doubled four times."""

LEAK = 0.2
"""Slope of the leaky ReLU below zero."""

_NORMAL = nn.initializers.normal(0.02)
_TRUNCATED = nn.initializers.truncated_normal(0.02)


def levels(message: Array) -> Array:
    """What the networks take for bits: -1/2 for 0, 1/2 for 1. The sign of what Bob says is the bit.

    Args:
      message: bits {0, 1} as float32, any shape.

    Returns:
      Same shape.
    """
    return message - 0.5


def _check_picture(network: str, pictures: Array) -> None:
    layers.check_planes(network, pictures, minimum_size=1, channels=None)
    height, width = pictures.shape[1:3]
    if height % SIZE_MULTIPLE or width % SIZE_MULTIPLE:
        raise InputError(
            f"{network} needs pictures whose height and width are multiples of {SIZE_MULTIPLE}, "
            f"{width}x{height} "
            "was given; use other crops"
        )


def _louder_end(count: int):
    """Initialises a fully connected layer whose last inputs are few and small: together they begin
    as strong as all others.
    """

    def initialise(key, shape, dtype=jnp.float32):
        kernel = _NORMAL(key, shape, dtype)
        # Fair bits as +-1/2 have the variance 1/4, pixels of photographs in [-1, 1] about as much.
        return kernel.at[-count:].multiply(math.sqrt(max(shape[0] - count, 1) / count))

    return initialise


class Alice(nn.Module):
    """Alice: cover and message become the stego.

    Attributes:
      features: channels of the last hidden layer; the authors take the picture's height.
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    features: int = WIDTH
    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, cover: Array, message: Array, *, train: bool) -> Array:
        """Hides `message` in a picture like `cover`.

        Args:
          cover: `[B, H, W, C]`, 0..255, H and W multiples of 16; the parameters fit one size alone.
          message: `[B, L]`, bits {0, 1} as float32.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, H, W, C]`, the stego, 0..255, not rounded.

        Raises:
          ValueError: the arrays are not such.
          InputError: height or width is no multiple of 16.
        """
        _check_picture("hayesgan.Alice", cover)
        if message.ndim != 2 or message.dtype != jnp.float32 or message.shape[0] != cover.shape[0]:
            raise ValueError(
                f"hayesgan.Alice: the message must be float32 bits [B, L], {message.dtype} "
                f"{message.shape} was "
                f"given with a cover {cover.shape}"
            )
        batch, height, width, channels = cover.shape
        features = layers.scaled_width(self.features, self.width)

        def normalised(x, name):
            return nn.relu(layers.batch_norm(train=train, axis_name=self.axis_name, name=name)(x))

        def doubled(x, features, name):
            return nn.ConvTranspose(
                features, (5, 5), strides=(2, 2), kernel_init=_NORMAL, name=name
            )(x)

        x = jnp.concatenate([(cover / 127.5 - 1.0).reshape(batch, -1), levels(message)], axis=-1)
        x = nn.Dense(
            (height // 16) * (width // 16) * 8 * features,
            kernel_init=_louder_end(message.shape[1]),
            name="full",
        )(x)
        x = normalised(x.reshape(batch, height // 16, width // 16, 8 * features), "norm0")
        for i, multiple in enumerate((4, 2, 1), start=1):
            x = normalised(doubled(x, multiple * features, f"up{i}"), f"norm{i}")
        return (jnp.tanh(doubled(x, channels, "up4")) + 1.0) * 127.5


class _Reader(nn.Module):
    """Four convolutions 5x5 that halve height and width, and a fully connected layer."""

    outputs: int
    features: int
    width: float
    axis_name: str | None

    @nn.compact
    def __call__(self, pictures: Array, *, train: bool) -> Array:
        x = pictures / 127.5 - 1.0
        features = layers.scaled_width(self.features, self.width)
        for i in range(4):
            x = layers.conv(
                2**i * features, 5, stride=2, kernel_init=_TRUNCATED, name=f"conv{i + 1}"
            )(x)
            if i:
                x = layers.batch_norm(train=train, axis_name=self.axis_name, name=f"norm{i + 1}")(x)
            x = nn.leaky_relu(x, LEAK)
        return nn.Dense(self.outputs, kernel_init=_NORMAL, name="full")(x.reshape(x.shape[0], -1))


class Bob(nn.Module):
    """Bob: the stego becomes the message.

    Attributes:
      length: L, bits per picture; the paper's 100.
      features: channels of the first layer.
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    length: int = 100
    features: int = WIDTH
    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, stego: Array, *, train: bool) -> Array:
        """Reads the message in `stego`.

        Args:
          stego: `[B, H, W, C]`, 0..255, H and W multiples of 16; the parameters fit one size alone.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, length]` in (-1, 1), on the scale of `levels`: positive for 1.

        Raises:
          ValueError: the stego is not such an array.
          InputError: height or width is no multiple of 16.
        """
        _check_picture("hayesgan.Bob", stego)
        return jnp.tanh(
            _Reader(self.length, self.features, self.width, self.axis_name, name="reader")(
                stego, train=train
            )
        )


class Eve(nn.Module):
    """Eve: is this picture a cover?

    Attributes:
      features: channels of the first layer.
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    features: int = WIDTH
    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, pictures: Array, *, train: bool) -> Array:
        """Judges a picture.

        Args:
          pictures: `[B, H, W, C]`, 0..255, H and W multiples of 16; the parameters fit one size
            alone.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, 1]`, logits, positive for a cover.

        Raises:
          ValueError: the picture is not such an array.
          InputError: height or width is no multiple of 16.
        """
        _check_picture("hayesgan.Eve", pictures)
        return _Reader(1, self.features, self.width, self.axis_name, name="reader")(
            pictures, train=train
        )
