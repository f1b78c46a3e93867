"""Yedroudj-Net (Yedroudj, Comby and Chaumont 2018): a convolutional steganalyzer with fixed filters
and truncation.

The 30 high-pass kernels of the spatial rich model, five blocks of convolution, batch normalisation
and average pooling, of which the first two truncate, three fully connected layers. Convolutions
have no biases.

Planes are `[B, H, W, 1]`, float32 in pixel units 0..255. Any H and W from `MINIMUM_SIZE` on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax.numpy as jnp

from stegojax.models import high_pass, layers
from stegojax.types import Array

MINIMUM_SIZE = 8
"""Smallest height and width of a picture, which is halved three times."""

BLOCKS = (
    (30, 5, partial(layers.truncate, limit=3.0)),
    (30, 5, partial(layers.truncate, limit=2.0)),
    (32, 3, nn.relu),
    (64, 3, nn.relu),
    (128, 3, nn.relu),
)
"""Channels, kernel size and activation of each block."""

FULL = (256, 1024)
"""Outputs of the fully connected layers before the last."""


class Block(nn.Module):
    """Convolution, absolute value if asked for, batch normalisation, activation, average pooling.

    Attributes:
      features: channels.
      size: height and width of the kernel.
      activation: what follows the normalisation.
      absolute: whether absolute values are taken before it.
      pool: "none", "half" (means over 5x5 windows with counted zeros around, stride 2) or "all"
        (over all positions, `[B, C]`).
      axis_name: mapped axis over which batch statistics are averaged in training.
    """

    features: int
    size: int
    activation: Callable[[Array], Array]
    absolute: bool = False
    pool: str = "half"
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        x = layers.conv(self.features, self.size, use_bias=False, name="conv")(x)
        x = jnp.abs(x) if self.absolute else x
        x = self.activation(
            layers.batch_norm(train=train, axis_name=self.axis_name, name="norm")(x)
        )
        if self.pool == "all":
            return x.mean(axis=(1, 2))
        return layers.padded_avg_pool(x, size=5, stride=2, padding=2) if self.pool == "half" else x


class YedroudjNet(nn.Module):
    """Yedroudj-Net: is this picture a cover (class 0) or a stego (class 1)?

    Attributes:
      width: multiplies the channels of every block and fully connected layer (the 30 filters stay);
        1 is the paper's network.
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
        layers.check_planes("Yedroudj-Net", planes, minimum_size=MINIMUM_SIZE)
        x = high_pass.residuals(planes, high_pass.SRM_NORMALISED)
        for i, (features, size, activation) in enumerate(BLOCKS, start=1):
            x = Block(
                layers.scaled_width(features, self.width),
                size,
                activation,
                absolute=i == 1,
                pool={1: "none", len(BLOCKS): "all"}.get(i, "half"),
                axis_name=self.axis_name,
                name=f"block{i}",
            )(x, train=train)
        for i, features in enumerate(FULL, start=1):
            x = nn.relu(
                nn.Dense(
                    layers.scaled_width(features, self.width),
                    kernel_init=layers.xavier,
                    name=f"full{i}",
                )(x)
            )
        return nn.Dense(2, kernel_init=layers.xavier, name=f"full{len(FULL) + 1}")(x)
