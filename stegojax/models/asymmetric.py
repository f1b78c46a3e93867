"""The adjustment network of the asymmetric-cost GAN: from what has been embedded so far to the
chances of what comes next.

A U-Net that halves height and width eight times and, in one decoder for each direction of change,
doubles them again. It takes maps of a cover (the modifications so far, the change probabilities of
a symmetric scheme) and gives each pixel's probability of being raised and of being lowered. With
one decoder and a picture as its input it is the generator of a symmetric scheme.

Maps are `[B, H, W, C]` float32, probabilities `[B, H, W, branches]` in (0, 1/3), so that leaving a
pixel as it is is always the likeliest. Any H and W: sizes are halved with rounding up, and what is
doubled again is cut to the size of the encoder's map.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from stegojax.errors import InputError
from stegojax.models import layers
from stegojax.types import Array

ENCODER_WIDTHS = (16, 32, 64, 128, 128, 128, 128, 128)
"""Channels of the down-sampling blocks; the decoder's block that comes back to a level has as many.
"""

LAST_WIDTH = 16
"""Channels between the two convolutions of the last up-sampling block."""

LEAK = 0.2
"""Slope of the leaky ReLU below zero."""

OPEN = 2.0
"""Where a gate's score starts: nearly open."""

LARGEST = 1 / 3
"""The supremum of the probability of a change in one direction."""

SMALLEST_SHARE = 1e-5
"""Of `LARGEST`, the probability at which an output starts at least, and the distance to `LARGEST`
at most.
"""


def _block(x: Array, features: int, stride: int, *, train: bool, axis_name: str | None) -> Array:
    """Two convolutions, batch normalisation, leaky ReLU (Section 2.1)."""
    # One pixel of padding on every side, so that outputs lie on the same pixels whatever the parity
    # of the size.
    for i, step in enumerate((stride, 1), start=1):
        x = layers.conv(
            features,
            3,
            stride=step,
            padding=((1, 1), (1, 1)),
            kernel_init=layers.he,
            use_bias=False,
            name=f"conv{i}",
        )(x)
    return nn.leaky_relu(layers.batch_norm(train=train, axis_name=axis_name, name="norm")(x), LEAK)


def _doubled(x: Array, height: int, width: int) -> Array:
    """Every pixel four times, cut to a size."""
    return x.repeat(2, axis=1).repeat(2, axis=2)[:, :height, :width]


class Down(nn.Module):
    """A down-sampling block: height and width are halved, rounded up."""

    features: int
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        return _block(x, self.features, 2, train=train, axis_name=self.axis_name)


class Gate(nn.Module):
    """Attention of Attention U-Net (Oktay et al. 2018, eq. (1) and (2)): of an encoder's map, every
    place is multiplied by how much what comes from below asks for it.
    """

    features: int

    @nn.compact
    def __call__(self, skip: Array, asking: Array) -> Array:
        of_skip = layers.conv(self.features, 1, kernel_init=layers.he, name="skip")(skip)
        of_asking = layers.conv(self.features, 1, kernel_init=layers.he, name="asking")(asking)
        score = layers.conv(
            1, 1, bias_init=nn.initializers.constant(OPEN), kernel_init=layers.he, name="score"
        )(nn.relu(of_skip + of_asking))
        return skip * nn.sigmoid(score)


class Up(nn.Module):
    """An up-sampling block: doubled to the size of the encoder's map of that level, which is put
    beside the result, through a gate where there is attention.
    """

    features: int
    attention: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, skip: Array, *, train: bool) -> Array:
        x = _block(
            _doubled(x, *skip.shape[1:3]), self.features, 1, train=train, axis_name=self.axis_name
        )
        if self.attention:
            skip = Gate(max(1, self.features // 2), name="gate")(skip, x)
        return jnp.concatenate([x, skip], axis=-1)


class Encoder(nn.Module):
    """The down-sampling blocks; returns the output of each."""

    width: float = 1.0
    depth: int = len(ENCODER_WIDTHS)
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> list[Array]:
        outputs = []
        for i, features in enumerate(ENCODER_WIDTHS[: self.depth], start=1):
            x = Down(layers.scaled_width(features, self.width), self.axis_name, name=f"down{i}")(
                x, train=train
            )
            outputs.append(x)
        return outputs


class Decoder(nn.Module):
    """The up-sampling blocks: from the encoder's outputs to one number per pixel, not bounded.

    The last block, which gives the output, has no batch normalisation; the paper gives each one.
    """

    width: float = 1.0
    output_bias: float = 0.0
    attention: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, outputs: list[Array], height: int, width: int, *, train: bool) -> Array:
        x = outputs[-1]
        for level in range(len(outputs) - 1, 0, -1):
            features = layers.scaled_width(ENCODER_WIDTHS[level - 1], self.width)
            up = Up(features, self.attention, self.axis_name, name=f"up{level}")
            x = up(x, outputs[level - 1], train=train)
        x = layers.conv(
            layers.scaled_width(LAST_WIDTH, self.width), 3, kernel_init=layers.he, name="last1"
        )(_doubled(x, height, width))
        return layers.conv(
            1,
            3,
            kernel_init=nn.initializers.normal(0.02),
            bias_init=nn.initializers.constant(self.output_bias),
            name="last2",
        )(x)


class Adjustment(nn.Module):
    """The generator: maps of a cover become the probabilities of its changes (Section 2.1, Figure
    2).

    Attributes:
      width: multiplies the channels of every layer; 1 is the full network.
      depth: number of down-sampling and of up-sampling blocks, 1..8; 8 is the paper's.
      branches: number of decoders, each of which gives one map: 2 for the two directions.
      two_encoders: whether every channel of the input has an encoder of its own (the paper's input
        #3).
      output_bias: where the unbounded output starts; the probability starts near
        sigmoid(output_bias) / 3.
      from_last_map: whether the last map of the input, a probability of either change, is where the
        output starts, half of it for each direction; the decoders then give what is added to its
        logit.
      attention: whether what each decoder takes from the encoders goes through gates.
      modes: whether the decoders' outputs are scaled and shifted mode by mode (`layers.Modes`); H
        and W are multiples of 8 then.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    width: float = 1.0
    depth: int = len(ENCODER_WIDTHS)
    branches: int = 2
    two_encoders: bool = False
    output_bias: float = -2.0
    from_last_map: bool = False
    attention: bool = False
    modes: bool = False
    axis_name: str | None = None

    @nn.compact
    def __call__(self, maps: Array, *, train: bool) -> Array:
        """Gives the probabilities of changes.

        Args:
          maps: `[B, H, W, C]`, any H and W.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, H, W, branches]` in (0, 1/3): of +1 and of -1 where there are two branches.

        Raises:
          ValueError: the maps are not `[B, H, W, C]` float32, or not whole blocks of modes.
          InputError: the depth is out of range.
        """
        if maps.ndim != 4 or maps.dtype != jnp.float32 or 0 in maps.shape:
            raise ValueError(
                f"asymmetric.Adjustment: maps must be a float32 array [B, H, W, C], {maps.dtype} "
                f"{maps.shape} "
                "was given"
            )
        if not 1 <= self.depth <= len(ENCODER_WIDTHS):
            raise InputError(
                f"a generator has between 1 and {len(ENCODER_WIDTHS)} levels, {self.depth} were "
                "asked for"
            )
        height, width = maps.shape[1:3]
        if self.modes and (height % 8 or width % 8):
            raise ValueError(f"modes lie in blocks of 8x8, and the maps are {height}x{width}")
        parts = jnp.split(maps, maps.shape[-1], axis=-1) if self.two_encoders else [maps]
        encoded = [
            Encoder(self.width, self.depth, self.axis_name, name=f"encoder{i}")(part, train=train)
            for i, part in enumerate(parts, start=1)
        ]
        outputs = [jnp.concatenate(level, axis=-1) for level in zip(*encoded, strict=True)]
        bias = 0.0 if self.from_last_map else self.output_bias
        found = [
            Decoder(self.width, bias, self.attention, self.axis_name, name=f"decoder{i}")(
                outputs, height, width, train=train
            )
            for i in range(1, self.branches + 1)
        ]
        unbounded = jnp.concatenate(found, axis=-1)
        unbounded = layers.Modes(name="modes")(unbounded) if self.modes else unbounded
        if self.from_last_map:
            share = jnp.clip(maps[..., -1:] / (2 * LARGEST), SMALLEST_SHARE, 1 - SMALLEST_SHARE)
            unbounded = unbounded + jnp.log(share / (1 - share))
        return LARGEST * nn.sigmoid(unbounded)
