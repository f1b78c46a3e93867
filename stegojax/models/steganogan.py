"""The networks of SteganoGAN (Zhang et al. 2019): D bits per pixel hidden in a picture by
convolutions with dense connections.

Three encoders, two decoders, a steganalyzer (the paper's critic). All use one unit: convolution
3x3, leaky ReLU, batch normalisation, in this order. The wiring of the dense networks, in which
every unit sees the message and all features before it, is that of CHAT-GAN and SFTN too.

Pictures are `[B, H, W, C]`, float32 in pixel units 0..255, in [-1, 1] inside; messages are float32
maps of bits {0, 1}, `[B, H, W, D]`, and what is read is `[B, H, W, D]` logits, positive for 1. Any
H and W (the steganalyzer's from `MINIMUM_SIZE` on).

Everything is computed in float32: half precision has too few digits for changes of one grey level
in 256.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax.numpy as jnp

from stegojax.errors import InputError
from stegojax.models import layers
from stegojax.types import Array

WIDTH = 32
"""Channels of every hidden layer."""

UNITS = 3
"""Units of every network; one more convolution follows."""

HIDE_RADIUS = REVEAL_RADIUS = UNITS + 1
"""How many pixels in each direction influence one pixel of an output: four layers of 3x3."""

MINIMUM_SIZE = 2 * (UNITS + 1) + 1
"""Smallest height and width of a picture for the steganalyzer, whose four convolutions take two
rows and columns each.
"""

ENCODERS = ("basic", "residual", "dense")
"""The encoders' names: a picture made anew; added to the cover; added to the cover, with dense
connections.
"""

DECODERS = ("basic", "dense")
"""The decoders' names: units in a row, or with dense connections."""


def check_hiding(network: str, cover: Array, message: Array) -> None:
    """Refuses a cover and a map of bits that do not belong together.

    Args:
      network: the network's name, for the message.
      cover: what should be `[B, H, W, C]` float32.
      message: what should be `[B, H, W, D]` float32.

    Raises:
      ValueError: another rank or dtype, or they differ in B, H or W.
    """
    layers.check_planes(network, cover, minimum_size=1, channels=None)
    if message.ndim != 4 or message.dtype != jnp.float32 or message.shape[:3] != cover.shape[:3]:
        raise ValueError(
            f"{network}: the message must be a float32 map of bits [B, H, W, D] of the cover's B, "
            "H and W, "
            f"{message.dtype} {message.shape} was given with a cover {cover.shape}"
        )


def fused_features(
    units: Sequence[Callable[[Array], Array]],
    picture: Array,
    message: Array | None = None,
    *,
    concatenate: bool = True,
) -> Array:
    """Runs units on a picture so that each sees the features of all before it, and the message.

    Zhang et al. 2019, Section 3.1 (dense); SFTN, Section III-A and Table I, with and without
    concatenation.

    Args:
      units: functions of feature maps, `[B, H, W, any] -> [B, H, W, features]`.
      picture: what the first sees, `[B, H, W, C]`.
      message: what all others see beside the features, `[B, H, W, D]`, or nothing.
      concatenate: whether a unit sees the features of all units before it, or of the last alone.

    Returns:
      `[B, H, W, all]`: what one more unit would see, features in order and the message behind.
    """

    def seen(found):
        return jnp.concatenate(
            (found if concatenate else found[-1:]) + ([] if message is None else [message]), axis=-1
        )

    found = [units[0](picture)]
    for unit in units[1:]:
        found.append(unit(seen(found)))
    return seen(found)


class Unit(nn.Module):
    """Convolution 3x3, leaky ReLU with slope .01, batch normalisation.

    Attributes:
      features: channels.
      padding: of the convolution: "SAME", or "VALID" in the steganalyzer.
      axis_name: mapped axis over which batch statistics are averaged in training.
    """

    features: int
    padding: str = "SAME"
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        x = nn.leaky_relu(layers.conv(self.features, padding=self.padding, name="conv")(x))
        return layers.batch_norm(train=train, axis_name=self.axis_name, name="norm")(x)


def _units(
    width: float, axis_name: str | None, *, train: bool, padding: str = "SAME"
) -> list[Callable[[Array], Array]]:
    features = layers.scaled_width(WIDTH, width)
    return [
        functools.partial(Unit(features, padding, axis_name, name=f"unit{i}"), train=train)
        for i in range(1, UNITS + 1)
    ]


def _in_a_row(units: Sequence[Callable[[Array], Array]], x: Array) -> Array:
    for unit in units:
        x = unit(x)
    return x


class Encoder(nn.Module):
    """An encoder: cover and message become the stego.

    Attributes:
      kind: a name in `ENCODERS`.
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    kind: str = "dense"
    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, cover: Array, message: Array, *, train: bool) -> Array:
        """Hides `message` in `cover`.

        Args:
          cover: `[B, H, W, C]`, 0..255.
          message: `[B, H, W, D]`, bits {0, 1} as float32.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, H, W, C]`, the stego in pixel units, not rounded; clipped to 0..255 by the basic
          encoder alone.

        Raises:
          ValueError: the arrays are not such.
          InputError: an unknown kind.
        """
        check_hiding("steganogan.Encoder", cover, message)
        if self.kind not in ENCODERS:
            raise InputError(
                f"SteganoGAN's encoder {self.kind!r} is unknown; there are {', '.join(ENCODERS)}"
            )
        units = _units(self.width, self.axis_name, train=train)
        picture = cover / 127.5 - 1.0
        if self.kind == "dense":
            x = fused_features(units, picture, message)
        else:
            x = _in_a_row(units[1:], jnp.concatenate([units[0](picture), message], axis=-1))
        x = layers.conv(cover.shape[-1], name="output")(x)
        return (jnp.tanh(x) + 1.0) * 127.5 if self.kind == "basic" else cover + 127.5 * x


class Decoder(nn.Module):
    """A decoder: the stego becomes the message.

    Attributes:
      depth: D, bits per pixel.
      kind: a name in `DECODERS`.
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    depth: int = 1
    kind: str = "dense"
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
          InputError: an unknown kind.
        """
        layers.check_planes("steganogan.Decoder", stego, minimum_size=1, channels=None)
        if self.kind not in DECODERS:
            raise InputError(
                f"SteganoGAN's decoder {self.kind!r} is unknown; there are {', '.join(DECODERS)}"
            )
        units = _units(self.width, self.axis_name, train=train)
        run = fused_features if self.kind == "dense" else _in_a_row
        return layers.conv(self.depth, name="output")(run(units, stego / 127.5 - 1.0))


class Steganalyzer(nn.Module):
    """The steganalyzer, a Wasserstein critic: how much a picture looks like a stego, on a scale
    without bounds.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, pictures: Array, *, train: bool) -> Array:
        """Judges a picture.

        Args:
          pictures: `[B, H, W, C]`, 0..255; H and W at least `MINIMUM_SIZE`.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, 1]`, the mean score of all positions: the lower, the more like a cover (see
          `losses.wasserstein_gap`).

        Raises:
          ValueError: the picture is not such an array.
          InputError: the picture is smaller than `MINIMUM_SIZE`.
        """
        layers.check_planes(
            "SteganoGAN's steganalyzer", pictures, minimum_size=MINIMUM_SIZE, channels=None
        )
        x = _in_a_row(
            _units(self.width, self.axis_name, train=train, padding="VALID"), pictures / 127.5 - 1.0
        )
        return layers.conv(1, padding="VALID", name="output")(x).mean(axis=(1, 2))
