"""CHAT-GAN-like networks: bits hidden by dense convolutions with channel attention, after Tan et
al. 2021.

The original's code is not public, so these follow descriptions of it; what those leave open is
filled with the attention of CBAM (Woo et al. 2018) and the decoder of SteganoGAN, and figures are
to be reported as CHAT-GAN-like. The steganalyzer is `xunet.XuNet(outputs=1)`.

Pictures are `[B, H, W, C]`, float32 in pixel units 0..255, in [0, 1] inside; messages are float32
maps of bits {0, 1}, `[B, H, W, D]`, and what is read is logits, positive for 1. Any H and W.
Attention looks at the whole picture, which therefore cannot be processed in tiles. Everything is
computed in float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from stegojax.models import layers
from stegojax.models.steganogan import check_hiding, fused_features
from stegojax.types import Array

WIDTH = 32
"""Channels of every hidden layer."""

UNITS = 3
"""Units of both networks; one more convolution follows."""

REDUCTION = 8
"""How many times fewer channels the attention's hidden layer has."""

LIMIT = 0.1 * 255.0
"""Largest modification of a pixel in either direction, grey levels."""


class ChannelAttention(nn.Module):
    """Weighs the channels of a picture's feature map by its means and its maxima (CBAM).

    One small network with one hidden layer, ReLU, sees the means of the channels and their maxima
    in turn; the sigmoid of the two outputs' sum multiplies the map.
    """

    @nn.compact
    def __call__(self, x: Array) -> Array:
        channels = x.shape[-1]
        hidden = nn.Dense(max(1, channels // REDUCTION), kernel_init=layers.xavier, name="hidden")
        output = nn.Dense(channels, kernel_init=layers.xavier, name="output")
        summed = sum(
            output(nn.relu(hidden(pooled))) for pooled in (x.mean(axis=(1, 2)), x.max(axis=(1, 2)))
        )
        return x * nn.sigmoid(summed)[:, None, None, :]


class Unit(nn.Module):
    """Convolution 3x3, batch normalisation, leaky ReLU with slope .01, channel attention.

    Attributes:
      features: channels.
      axis_name: mapped axis over which batch statistics are averaged in training.
    """

    features: int
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        x = layers.conv(self.features, name="conv")(x)
        x = nn.leaky_relu(layers.batch_norm(train=train, axis_name=self.axis_name, name="norm")(x))
        return ChannelAttention(name="attention")(x)


def _units(width: float, axis_name: str | None, *, train: bool) -> list[Callable[[Array], Array]]:
    features = layers.scaled_width(WIDTH, width)
    return [
        functools.partial(Unit(features, axis_name, name=f"unit{i}"), train=train)
        for i in range(1, UNITS + 1)
    ]


class Encoder(nn.Module):
    """The encoder: cover and message become the stego.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the full network.
      limit: largest modification in either direction, grey levels.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    width: float = 1.0
    limit: float = LIMIT
    axis_name: str | None = None

    @nn.compact
    def __call__(self, cover: Array, message: Array, *, train: bool) -> Array:
        """Hides `message` in `cover`.

        Args:
          cover: `[B, H, W, C]`, 0..255.
          message: `[B, H, W, D]`, bits {0, 1} as float32.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, H, W, C]`, the stego, 0..255, not rounded.

        Raises:
          ValueError: the arrays are not such.
        """
        check_hiding("chatgan.Encoder", cover, message)
        x = fused_features(_units(self.width, self.axis_name, train=train), cover / 255.0, message)
        modifications = layers.truncate(
            layers.conv(cover.shape[-1], name="output")(x) * 255.0, self.limit
        )
        return jnp.clip(cover + modifications, 0.0, 255.0)


class Decoder(nn.Module):
    """The decoder: the stego becomes the message; SteganoGAN's dense decoder, with attention in
    every unit.

    Attributes:
      depth: D, bits per pixel.
      width: multiplies the channels of every hidden layer; 1 is the full network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    depth: int = 1
    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, stego: Array, *, train: bool) -> Array:
        """Reads the message in `stego`.

        Args:
          stego: `[B, H, W, C]`, 0..255.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, H, W, depth]`, logits, positive for 1.

        Raises:
          ValueError: the stego is not such an array.
        """
        layers.check_planes("chatgan.Decoder", stego, minimum_size=1, channels=None)
        x = fused_features(_units(self.width, self.axis_name, train=train), stego / 255.0)
        return layers.conv(self.depth, name="output")(x)
