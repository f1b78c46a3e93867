"""The generator of SPAR-RL (Tang et al. 2021) and UT-GAN (Yang et al. 2020): from a picture to a
map of where it may be changed.

A U-Net without biases: height and width are halved eight times by strided convolutions and doubled
eight times by transposed ones, each of which gets the encoder's output of its size beside it. On
the way down the activation comes before the convolution and what is passed across has none, so that
both sides apply their own.

Pictures are `[B, H, W, C]` float32 as the caller scales them; the output `[B, H, W, 1]` is not
bounded. Any H and W from 2^depth on: sizes are halved with rounding up, and what is doubled again
is cut to the size of the encoder's map.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
from jax import lax

from stegojax.errors import InputError
from stegojax.models import layers
from stegojax.types import Array

WIDTHS = (16, 32, 64, 128, 128, 128, 128, 128)
"""Channels of the encoder's layers; the decoder's layer that comes back to a level has as many."""

LEAK = 0.2
"""Slope of the encoder's leaky ReLU below zero."""

DROPPED = 3
"""How many of the decoder's first layers have dropout."""

KERNEL = 5
"""Height and width of the decoder's kernels."""


class Doubling(nn.Module):
    """A transposed convolution of kernel 5 and stride 2, the adjoint of a strided one with "SAME":
    height and width are doubled.

    It is computed as a convolution of kernel 3 that gives all four pixels of the larger map at
    once, which on a CPU takes a fraction of the time.
    """

    features: int
    bias: float | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param(
            "kernel", nn.initializers.normal(0.02), (KERNEL, KERNEL, x.shape[-1], self.features)
        )
        # Taps 4, 2, 0 reach the odd rows from the row before, their own and the next; 3 and 1 the
        # even ones.
        padded = jnp.pad(kernel, ((1, 0), (1, 0), (0, 0), (0, 0)))[::-1, ::-1]
        taps = padded.reshape(3, 2, 3, 2, *kernel.shape[2:])[:, ::-1, :, ::-1]
        taps = taps.transpose(0, 2, 4, 1, 3, 5).reshape(3, 3, x.shape[-1], 4 * self.features)
        fours = lax.conv_general_dilated(
            x, taps, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        batch, height, width, _ = x.shape
        fours = fours.reshape(batch, height, width, 2, 2, self.features)
        x = fours.transpose(0, 1, 3, 2, 4, 5).reshape(batch, 2 * height, 2 * width, self.features)
        if self.bias is None:
            return x
        bias = self.param("bias", nn.initializers.constant(self.bias), (self.features,))
        return x + bias[None, None, None]


class UNet(nn.Module):
    """The generator of SPAR-RL and UT-GAN; 4,095,088 parameters.

    Attributes:
      width: multiplies the channels of every layer; 1 is the full network.
      depth: how often height and width are halved, 1..8; 8 is the papers'.
      dropout: share of values that the decoder's first three layers drop in training; the papers'
        .5.
      output_bias: where the output starts, which then has a bias; None for the papers' network,
        which has none and starts about 0.
      modes: whether the output is scaled and shifted mode by mode (`layers.Modes`); H and W are
        multiples of 8 then.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    width: float = 1.0
    depth: int = len(WIDTHS)
    dropout: float = 0.0
    output_bias: float | None = None
    modes: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, maps: Array, *, train: bool) -> Array:
        """Gives a number for every pixel.

        Args:
          maps: `[B, H, W, C]`.
          train: normalise with the batch's own statistics, update the running ones, and drop.

        Returns:
          `[B, H, W, 1]`.

        Raises:
          ValueError: the maps are not `[B, H, W, C]` float32.
          InputError: the depth is out of range, or the maps are smaller than 2^depth.
        """
        check_maps("unet.UNet", maps)
        if not 1 <= self.depth <= len(WIDTHS):
            raise InputError(
                f"a generator has between 1 and {len(WIDTHS)} levels, {self.depth} were asked for"
            )
        least, (height, width) = 2**self.depth, maps.shape[1:3]
        if min(height, width) < least:
            raise InputError(
                f"this generator halves a picture {self.depth} times and needs sides of at least "
                f"{least} pixels; {width}x{height} was given: take larger pictures, or train one "
                "with a smaller method.depth"
            )
        widths = [layers.scaled_width(features, self.width) for features in WIDTHS[: self.depth]]
        x, across = maps, []
        for i, features in enumerate(widths, start=1):
            x = nn.leaky_relu(x, LEAK) if i > 1 else x
            x = layers.conv(
                features,
                3,
                stride=2,
                use_bias=False,
                kernel_init=nn.initializers.truncated_normal(0.02),
                name=f"down{i}",
            )(x)
            x = self._norm(f"norm_down{i}", train)(x)
            across.append(x)
        for i, skip in enumerate(reversed(across[:-1]), start=1):
            x = Doubling(widths[self.depth - 1 - i], name=f"up{i}")(nn.relu(x))
            x = self._norm(f"norm_up{i}", train)(x[:, : skip.shape[1], : skip.shape[2]])
            if i <= DROPPED and self.dropout:
                x = nn.Dropout(self.dropout, deterministic=not train)(x)
            x = jnp.concatenate([x, skip], axis=-1)
        x = Doubling(1, self.output_bias, name=f"up{self.depth}")(nn.relu(x))
        x = x[:, :height, :width]
        return layers.Modes(name="modes")(x) if self.modes else x

    def _norm(self, name: str, train: bool) -> nn.Module:
        return layers.batch_norm(train=train, axis_name=self.axis_name, name=name)


def check_maps(caller: str, maps: Array) -> None:
    """Refuses what is no batch of maps.

    Args:
      caller: for the message.
      maps: what should be `[B, H, W, C]` float32, without an empty axis.

    Raises:
      ValueError: it is none.
    """
    if maps.ndim != 4 or maps.dtype != jnp.float32 or 0 in maps.shape:
        raise ValueError(
            f"{caller}: maps must be a float32 array [B, H, W, C], {maps.dtype} {maps.shape} was "
            "given"
        )
