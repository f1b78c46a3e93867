"""Xu-Net (Xu, Wu and Shi 2016): a small convolutional steganalyzer of the spatial domain.

One fixed high-pass filter, five groups of convolution and average pooling that make statistics of
ever larger regions, a linear classifier. The first group takes absolute values, because the sign of
a residual says nothing; tanh bounds the first two groups. Convolutions have no biases. The same
network with six fixed filters in front is the environment of SPAR-RL and the steganalyzer of
UT-GAN, and with one output instead of two the steganalyzer of SFTN.

Planes are `[B, H, W, 1]`, float32 in pixel units 0..255. Any H and W from `MINIMUM_SIZE` on.
"""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from stegojax.errors import InputError
from stegojax.models import high_pass, layers
from stegojax.types import Array

MINIMUM_SIZE = 16
"""Smallest height and width of a picture, which is halved four times."""

FRONTS = {"kv": high_pass.KV_NORMALISED, "basic": high_pass.BASIC}
"""The fixed filters by name: KV / 12, or the six of SPAR-RL and UT-GAN."""

GROUPS = (
    (8, 5, jnp.tanh),
    (16, 5, jnp.tanh),
    (32, 1, nn.relu),
    (64, 1, nn.relu),
    (128, 1, nn.relu),
)
"""Channels, kernel size and activation of each group."""

INIT = nn.initializers.normal(0.01)
"""Initialiser of every kernel: N(0, 0.01)."""


class Group(nn.Module):
    """Convolution, absolute value if asked for, batch normalisation, activation, and a mean over
    5x5 windows or over all.

    Attributes:
      features: channels.
      size: height and width of the kernel.
      activation: what follows the normalisation.
      absolute: whether absolute values are taken before it.
      last: whether the mean is over all positions, `[B, C]`, instead of windows that halve height
        and width.
      axis_name: mapped axis over which batch statistics are averaged in training.
    """

    features: int
    size: int
    activation: Callable[[Array], Array]
    absolute: bool = False
    last: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        x = layers.conv(self.features, self.size, use_bias=False, kernel_init=INIT, name="conv")(x)
        x = jnp.abs(x) if self.absolute else x
        x = self.activation(
            layers.batch_norm(train=train, axis_name=self.axis_name, name="norm")(x)
        )
        return x.mean(axis=(1, 2)) if self.last else layers.avg_pool(x, size=5, stride=2)


class XuNet(nn.Module):
    """Xu-Net: is this picture a cover (class 0) or a stego (class 1)?

    Attributes:
      width: multiplies the channels of every group; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
      front: the fixed filters, a name in `FRONTS`.
      outputs: 2 for the logits of cover and stego, 1 for one score.
    """

    width: float = 1.0
    axis_name: str | None = None
    front: str = "kv"
    outputs: int = 2

    @nn.compact
    def __call__(self, planes: Array, *, train: bool) -> Array:
        """Judges a picture.

        Args:
          planes: `[B, H, W, 1]`, 0..255; H and W at least `MINIMUM_SIZE`.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, outputs]`, logits.

        Raises:
          ValueError: the picture is not `[B, H, W, 1]` float32.
          InputError: the picture is smaller than `MINIMUM_SIZE`, or an unknown front.
        """
        layers.check_planes("Xu-Net", planes, minimum_size=MINIMUM_SIZE)
        if self.front not in FRONTS:
            raise InputError(
                f"Xu-Net's front {self.front!r} is unknown; there are {', '.join(sorted(FRONTS))}"
            )
        x = high_pass.residuals(planes, FRONTS[self.front])
        for i, (features, size, activation) in enumerate(GROUPS, start=1):
            x = Group(
                layers.scaled_width(features, self.width),
                size,
                activation,
                absolute=i == 1,
                last=i == len(GROUPS),
                axis_name=self.axis_name,
                name=f"group{i}",
            )(x, train=train)
        return nn.Dense(self.outputs, kernel_init=INIT, name="full")(x)
