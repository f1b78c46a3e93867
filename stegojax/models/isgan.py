"""The networks of ISGAN (Zhang, Dong and Liu 2018): a grey picture hidden in the luminance of a
colour picture of its size.

The encoder (Table 1) fuses the cover's Y plane and the secret with inception modules, the decoder
(Table 2) is a plain convolutional network, and the steganalyzer (Table 3) is an XuNet-like
classifier with spatial pyramid pooling.

Planes are `[B, H, W, 1]`, pictures `[B, H, W, 3]`, float32 in pixel units 0..255; inside, planes
are in [0, 1]. Any H and W.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from stegojax.errors import InputError
from stegojax.models import layers
from stegojax.types import Array

INCEPTION_WIDTHS = (32, 64, 128, 256, 128, 64, 32)
"""Output channels of layers 2 to 8 of the encoder (Table 1)."""

DECODER_WIDTHS = (32, 64, 128, 64, 32)
"""Output channels of layers 1 to 5 of the decoder (Table 2)."""

HIDE_RADIUS = 1 + 2 * len(INCEPTION_WIDTHS) + 1
"""How many pixels in each direction influence one pixel of the encoder's output: two 3x3 layers and
seven 5x5 towers.
"""

REVEAL_RADIUS = len(DECODER_WIDTHS)
"""How many pixels in each direction influence one pixel of the decoder's output: five 3x3 layers.
"""

MINIMUM_SIZE = 32
"""Smallest height and width of a picture for the steganalyzer, which halves it five times."""

LEAK = 0.2
"""Slope of the leaky ReLU below zero."""


def _check_plane(caller: str, name: str, x: Array) -> None:
    if x.ndim != 4 or x.shape[-1] != 1 or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(
            f"{caller}: {name} must be a float array [B, H, W, 1], {x.dtype} {x.shape} was given"
        )


class ConvBlock(nn.Module):
    """Convolution, batch normalisation, leaky ReLU."""

    features: int
    size: int = 3
    axis_name: str | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        x = layers.conv(self.features, self.size, dtype=self.dtype, name="conv")(x)
        x = layers.batch_norm(train=train, axis_name=self.axis_name, dtype=self.dtype, name="norm")(
            x
        )
        return nn.leaky_relu(x, LEAK)


class InceptionBlock(nn.Module):
    """The inception module with a residual shortcut (Figure 3).

    Four towers of a quarter of the channels each (1x1; 1x1 then 3x3; 1x1 then 5x5; 3x3 maximum then
    1x1), every convolution followed by batch normalisation and ReLU, side by side; a 1x1
    convolution of the input is added; ReLU.
    """

    features: int
    axis_name: str | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        def conv(features, size, name):
            return layers.conv(features, size, dtype=self.dtype, name=name)

        def unit(y, size, name):
            y = conv(self.features // 4, size, name)(y)
            return nn.relu(
                layers.batch_norm(
                    train=train, axis_name=self.axis_name, dtype=self.dtype, name=f"{name}_norm"
                )(y)
            )

        towers = [
            unit(x, 1, "one"),
            unit(unit(x, 1, "three_reduce"), 3, "three"),
            unit(unit(x, 1, "five_reduce"), 5, "five"),
            unit(layers.max_pool_3x3(x), 1, "pool"),
        ]
        return nn.relu(jnp.concatenate(towers, axis=-1) + conv(self.features, 1, "shortcut")(x))


class Encoder(nn.Module):
    """ISGAN's encoder (Table 1): the cover's Y plane and the secret become the stego's Y plane.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
      dtype: what is computed in; parameters and the output are float32.
    """

    width: float = 1.0
    axis_name: str | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, cover_y: Array, secret: Array, *, train: bool) -> Array:
        """Hides `secret` in `cover_y`.

        Args:
          cover_y: `[B, H, W, 1]`, luminance of the cover, 0..255.
          secret: `[B, H, W, 1]`, grey picture, 0..255.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, H, W, 1]`, luminance of the stego, 0..255, not rounded.

        Raises:
          ValueError: the planes are not of one shape `[B, H, W, 1]`.
        """
        _check_plane("isgan.Encoder", "the cover's Y plane", cover_y)
        _check_plane("isgan.Encoder", "the secret", secret)
        if cover_y.shape != secret.shape:
            raise ValueError(
                f"isgan.Encoder: cover {cover_y.shape} and secret {secret.shape} differ in shape"
            )
        shared = {"axis_name": self.axis_name, "dtype": self.dtype}
        ends = layers.scaled_width(16, self.width, multiple=4)
        x = (jnp.concatenate([cover_y, secret], axis=-1) / 255.0).astype(self.dtype)
        x = ConvBlock(ends, name="layer1", **shared)(x, train=train)
        for i, features in enumerate(INCEPTION_WIDTHS, start=2):
            features = layers.scaled_width(features, self.width, multiple=4)
            x = InceptionBlock(features, name=f"layer{i}", **shared)(x, train=train)
        x = ConvBlock(ends, name="layer9", **shared)(x, train=train)
        x = layers.conv(1, 1, dtype=self.dtype, name="output")(x)
        return (jnp.tanh(x.astype(jnp.float32)) + 1.0) * 127.5


class Decoder(nn.Module):
    """ISGAN's decoder (Table 2): the stego's Y plane becomes the revealed secret.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
      dtype: what is computed in; parameters and the output are float32.
    """

    width: float = 1.0
    axis_name: str | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, stego_y: Array, *, train: bool) -> Array:
        """Reveals what is hidden in `stego_y`.

        Args:
          stego_y: `[B, H, W, 1]`, luminance of the stego, 0..255.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, H, W, 1]`, the revealed grey picture, 0..255, not rounded.

        Raises:
          ValueError: the plane is not `[B, H, W, 1]`.
        """
        _check_plane("isgan.Decoder", "the stego's Y plane", stego_y)
        x = (stego_y / 255.0).astype(self.dtype)
        for i, features in enumerate(DECODER_WIDTHS, start=1):
            x = ConvBlock(
                layers.scaled_width(features, self.width, multiple=4),
                axis_name=self.axis_name,
                dtype=self.dtype,
                name=f"layer{i}",
            )(x, train=train)
        x = layers.conv(1, 1, dtype=self.dtype, name="output")(x)
        return nn.sigmoid(x.astype(jnp.float32)) * 255.0


class Steganalyzer(nn.Module):
    """ISGAN's steganalyzer (Table 3): is this picture a cover (class 0) or a stego (class 1)?

    Five layers that halve height and width, maxima over 1x1, 2x2 and 4x4 grids, two fully connected
    layers.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
      dtype: what is computed in; parameters and the output are float32.
    """

    width: float = 1.0
    axis_name: str | None = None
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, ycbcr: Array, *, train: bool) -> Array:
        """Judges a picture.

        Args:
          ycbcr: `[B, H, W, 3]`, Y, Cb and Cr, 0..255; H and W at least `MINIMUM_SIZE`.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, 2]`, logits of cover and stego.

        Raises:
          ValueError: the picture is not `[B, H, W, 3]`.
          InputError: the picture is smaller than `MINIMUM_SIZE`.
        """
        if ycbcr.ndim != 4 or ycbcr.shape[-1] != 3 or not jnp.issubdtype(ycbcr.dtype, jnp.floating):
            raise ValueError(
                "isgan.Steganalyzer: the picture must be a float array [B, H, W, 3], "
                f"{ycbcr.dtype} {ycbcr.shape} was given"
            )
        height, width = ycbcr.shape[1:3]
        if min(height, width) < MINIMUM_SIZE:
            raise InputError(
                f"ISGAN's steganalyzer needs pictures of at least {MINIMUM_SIZE}x{MINIMUM_SIZE} "
                "pixels, "
                f"{width}x{height} was given; use larger crops"
            )
        x = (ycbcr / 255.0).astype(self.dtype)
        for i, (features, size, active) in enumerate(
            ((8, 3, True), (16, 3, True), (32, 1, False), (64, 1, False), (128, 1, True)), start=1
        ):
            features = layers.scaled_width(features, self.width)
            x = layers.conv(features, size, dtype=self.dtype, name=f"conv{i}")(x)
            x = layers.batch_norm(
                train=train, axis_name=self.axis_name, dtype=self.dtype, name=f"norm{i}"
            )(x)
            x = nn.leaky_relu(x, LEAK) if active else x
            x = layers.avg_pool(x, size=5, stride=2)
        x = layers.spatial_pyramid_pool(x)
        x = nn.Dense(
            layers.scaled_width(128, self.width),
            dtype=self.dtype,
            kernel_init=layers.xavier,
            name="full1",
        )(x)
        x = nn.Dense(2, dtype=self.dtype, kernel_init=layers.xavier, name="full2")(
            nn.leaky_relu(x, LEAK)
        )
        return x.astype(jnp.float32)
