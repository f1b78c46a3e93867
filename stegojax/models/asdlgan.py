"""The networks of ASDL-GAN (Tang et al. 2017), as far as what is published says: a generator that
keeps the picture's size, and the ternary embedding simulator (TES).

Pictures are `[B, H, W, C]` float32 as the caller scales them; the generator's output `[B, H, W, 1]`
is not bounded. The simulator takes any arrays of probabilities and noise, element by element.
"""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from stegojax.errors import InputError
from stegojax.models import layers
from stegojax.models.unet import check_maps
from stegojax.types import Array

GROUPS = 25
"""Groups of convolution, batch normalisation and ReLU, the last of which is the output alone."""

FEATURES = 16
"""Channels of every group but the last; the paper's are not at hand."""

HIDDEN = (10, 10, 10, 10)
"""Units of the simulator's hidden layers."""

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"sigmoid": nn.sigmoid, "tanh": jnp.tanh}
"""Of the simulator's hidden layers; the paper's are sigmoids."""


class FullSize(nn.Module):
    """A generator that neither halves nor doubles: groups of 3x3 convolution, batch normalisation
    and ReLU, of which every other one has a shortcut around it and the one before.

    Attributes:
      width: multiplies the channels.
      groups: how many, from 2 on; 25 are the paper's.
      output_bias: where the output starts; None for no bias.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    width: float = 1.0
    groups: int = GROUPS
    output_bias: float | None = None
    axis_name: str | None = None

    @nn.compact
    def __call__(self, maps: Array, *, train: bool) -> Array:
        """Gives a number for every pixel.

        Args:
          maps: `[B, H, W, C]`, any H and W.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, H, W, 1]`.

        Raises:
          ValueError: the maps are not `[B, H, W, C]` float32.
          InputError: there are fewer than two groups.
        """
        check_maps("asdlgan.FullSize", maps)
        if self.groups < 2:
            raise InputError(f"this generator has at least 2 groups, {self.groups} were asked for")
        x = shortcut = maps
        for i in range(1, self.groups):
            x = layers.conv(
                layers.scaled_width(FEATURES, self.width),
                3,
                use_bias=False,
                kernel_init=layers.he,
                name=f"conv{i}",
            )(x)
            x = layers.batch_norm(train=train, axis_name=self.axis_name, name=f"norm{i}")(x)
            x = nn.relu(x)
            if i % 2:
                x = x + shortcut if i > 1 else x
                shortcut = x
        bias = self.output_bias
        return layers.conv(
            1,
            3,
            use_bias=bias is not None,
            kernel_init=nn.initializers.normal(0.02),
            bias_init=nn.initializers.constant(bias or 0.0),
            name=f"conv{self.groups}",
        )(x)


class EmbeddingSimulator(nn.Module):
    """TES: from the probability of a change and noise to a modification, by four hidden layers of
    ten units. It is trained to imitate the staircase before it is used.

    Attributes:
      activation: of the hidden layers, a name in `ACTIVATIONS`.
    """

    activation: str = "sigmoid"

    @nn.compact
    def __call__(self, change: Array, noise: Array, *, train: bool = False) -> Array:
        """Simulates an embedding.

        Args:
          change: P, the probability of either change, any shape.
          noise: in [0, 1), same shape.
          train: not used.

        Returns:
          The modifications, same shape, rarely whole numbers.

        Raises:
          InputError: the activation is unknown.
        """
        del train
        if self.activation not in ACTIVATIONS:
            raise InputError(
                f"the simulator's activation {self.activation!r} is unknown; there are "
                f"{', '.join(ACTIVATIONS)}"
            )
        x = jnp.stack([change, noise], axis=-1)
        for i, units in enumerate(HIDDEN, start=1):
            x = ACTIVATIONS[self.activation](nn.Dense(units, name=f"hidden{i}")(x))
        return nn.Dense(1, name="output")(x)[..., 0]
