"""SRNet (Boroumand, Chen and Fridrich 2019): a deep residual steganalyzer that learns its filters
from nothing.

Seven layers at full resolution, five of them residual blocks, so that pooling does not average the
stego signal away before the filters are found; four residual blocks that halve height and width;
two convolutions and the mean of all positions. Nothing follows the sum in a residual block.
Convolutions have no biases.

Planes are `[B, H, W, 1]`, float32 in pixel units 0..255. Any H and W from `MINIMUM_SIZE` on.
"""

from __future__ import annotations

import flax.linen as nn

from stegojax.models import layers
from stegojax.types import Array

MINIMUM_SIZE = 16
"""Smallest height and width of a picture, which is halved four times."""

PLAIN = (64, 16)
"""Channels of layers 1 and 2."""

RESIDUAL = 5
"""How many layers (3 to 7) have the channels of layer 2 and a shortcut."""

HALVING = (16, 64, 128, 256)
"""Channels of layers 8 to 11."""

LAST = 512
"""Channels of layer 12."""


class ConvNorm(nn.Module):
    """Convolution without bias, batch normalisation.

    Attributes:
      features: channels.
      size: height and width of the kernel.
      stride: rows and columns from one output to the next.
      axis_name: mapped axis over which batch statistics are averaged in training.
    """

    features: int
    size: int = 3
    stride: int = 1
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        x = layers.conv(
            self.features,
            self.size,
            stride=self.stride,
            use_bias=False,
            kernel_init=layers.he,
            name="conv",
        )(x)
        return layers.batch_norm(train=train, axis_name=self.axis_name, name="norm")(x)


class Layer(nn.Module):
    """One of the layer types of Figure 1: plain, residual with the identity, residual that halves,
    or the last.

    Attributes:
      features: channels.
      kind: "plain": convolution, normalisation, ReLU; else two convolutions with a ReLU between
        them and then "residual": the input is added; "halving": a mean over 3x3 windows with stride
        2, and a 1x1 convolution of every other row and column of the input is added; "last": the
        mean of all positions, `[B, C]`.
      axis_name: mapped axis over which batch statistics are averaged in training.
    """

    features: int
    kind: str
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        def conv_norm(y, name, **options):
            return ConvNorm(self.features, axis_name=self.axis_name, name=name, **options)(
                y, train=train
            )

        y = nn.relu(conv_norm(x, "one"))
        if self.kind == "plain":
            return y
        y = conv_norm(y, "two")
        if self.kind == "residual":
            return x + y
        if self.kind == "halving":
            return conv_norm(x, "shortcut", size=1, stride=2) + layers.avg_pool(y, size=3, stride=2)
        return y.mean(axis=(1, 2))


class SRNet(nn.Module):
    """SRNet: is this picture a cover (class 0) or a stego (class 1)?

    Attributes:
      width: multiplies the channels of every layer; 1 is the paper's network.
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
        layers.check_planes("SRNet", planes, minimum_size=MINIMUM_SIZE)
        kinds = (
            [(features, "plain") for features in PLAIN]
            + [(PLAIN[-1], "residual")] * RESIDUAL
            + [(features, "halving") for features in HALVING]
            + [(LAST, "last")]
        )
        x = planes
        for i, (features, kind) in enumerate(kinds, start=1):
            x = Layer(
                layers.scaled_width(features, self.width), kind, self.axis_name, name=f"layer{i}"
            )(x, train=train)
        return nn.Dense(2, kernel_init=nn.initializers.normal(0.01), name="full")(x)
