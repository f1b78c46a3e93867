"""The networks of SGAN (Volkhonskiy et al. 2016): a DCGAN whose pictures are to be safe covers, and
its two steganalyzers.

A generator makes a picture from noise, a discriminator tells it from a photograph, and one
steganalyzer, trained with them, looks for a message in it; the other is trained afterwards, to
judge the result. SSGAN compares itself with this system.

Noise is `[B, 100]`, usually uniform in (-1, 1). Pictures are `[B, H, W, 3]`, float32 in pixel units
0..255; inside, generator and discriminator work in [-1, 1]. H = W = 64 in the paper; any multiple
of 16 will do. Parameters depend on H and W, so a trained network is for pictures of the size it was
trained on.
"""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from stegojax.errors import InputError
from stegojax.models import high_pass, layers
from stegojax.types import Array

NOISE = 100
"""How many numbers a picture is made from."""

FEATURES = (64, 128, 256, 512)
"""Channels of the discriminator's layers; the generator has them in reverse."""

HALVINGS = 16
"""What the discriminator's four layers divide height and width by."""

LEAK = 0.2
"""Slope of the leaky ReLU below zero."""

MINIMUM_SIZE = 16
"""Smallest height and width of a picture for the steganalyzers."""

dcgan_init = nn.initializers.normal(0.02)
"""Radford, Metz and Chintala's initialisation of transposed convolutions and fully connected
layers.
"""


def leaky_relu(x: Array) -> Array:
    """The leaky ReLU with slope .2 below zero.

    Args:
      x: any shape.

    Returns:
      The shape of `x`.
    """
    return nn.leaky_relu(x, LEAK)


def transposed_conv(
    features: int, size: int, *, use_bias: bool, kernel_init=dcgan_init, name: str
) -> nn.Module:
    """A transposed convolution with stride 2: height and width are doubled; the adjoint of a
    strided convolution with "SAME".

    Args:
      features: channels of the output.
      size: height and width of the kernel.
      use_bias: whether a bias is added.
      kernel_init: initialiser of the kernel.
      name: the layer's name among the parameters.

    Returns:
      A flax module, `[B, H, W, C] -> [B, 2 H, 2 W, features]`.
    """
    return nn.ConvTranspose(
        features,
        (size, size),
        strides=(2, 2),
        padding="SAME",
        use_bias=use_bias,
        kernel_init=kernel_init,
        name=name,
    )


def grow(
    noise: Array,
    *,
    size: int,
    width: float,
    activation: Callable[[Array], Array],
    use_bias: bool,
    train: bool,
    axis_name: str | None,
) -> Array:
    """A DCGAN generator's layers, to be called in a flax module: a fully connected one and four
    that double the picture, the last of them without batch normalisation, as DCGAN has it; SSGAN's
    text gives every one of them one.

    Args:
      noise: `[B, NOISE]`.
      size: height and width of the picture.
      width: multiplies the channels of every hidden layer.
      activation: follows every batch normalisation.
      use_bias: whether the transposed convolutions have biases.
      train: normalise with the batch's own statistics and update the running ones.
      axis_name: mapped axis over which batch statistics are averaged in training.

    Returns:
      `[B, size, size, 3]`, 0..255.

    Raises:
      ValueError: the noise is not `[B, NOISE]` float32.
      InputError: the size is not a multiple of `HALVINGS`.
    """
    if noise.ndim != 2 or noise.shape[1] != NOISE or noise.dtype != jnp.float32:
        raise ValueError(
            f"a generator's noise must be a float32 array [B, {NOISE}], {noise.dtype} "
            f"{noise.shape} was given"
        )
    if size < HALVINGS or size % HALVINGS:
        raise InputError(
            f"the generator makes pictures whose size is a multiple of {HALVINGS}, {size} was "
            "given; change the "
            "size"
        )
    first, *others = (layers.scaled_width(features, width) for features in reversed(FEATURES))
    side = size // HALVINGS
    x = nn.Dense(side * side * first, kernel_init=dcgan_init, name="full")(noise).reshape(
        -1, side, side, first
    )
    x = activation(layers.batch_norm(train=train, axis_name=axis_name, name="norm0")(x))
    for i, features in enumerate(others, start=1):
        x = transposed_conv(features, 5, use_bias=use_bias, name=f"up{i}")(x)
        x = activation(layers.batch_norm(train=train, axis_name=axis_name, name=f"norm{i}")(x))
    x = transposed_conv(3, 5, use_bias=use_bias, name=f"up{len(FEATURES)}")(x)
    return (jnp.tanh(x) + 1.0) * 127.5


def check_pictures(network: str, pictures: Array) -> None:
    """Refuses what a discriminator cannot judge.

    Args:
      network: the network's name, for the message.
      pictures: what should be `[B, H, W, 3]` float32 with H and W multiples of `HALVINGS`.

    Raises:
      ValueError: another rank, number of channels or dtype.
      InputError: another height or width.
    """
    layers.check_planes(network, pictures, minimum_size=HALVINGS, channels=3)
    height, width = pictures.shape[1:3]
    if height % HALVINGS or width % HALVINGS:
        raise InputError(
            f"{network} needs pictures whose height and width are multiples of {HALVINGS}, "
            f"{width}x{height} was "
            "given; use other crops"
        )


class Generator(nn.Module):
    """SGAN's generator: a picture from noise.

    Attributes:
      size: height and width of the pictures, a multiple of `HALVINGS`.
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    size: int = 64
    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, noise: Array, *, train: bool) -> Array:
        """Makes pictures.

        Args:
          noise: `[B, NOISE]`.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, size, size, 3]`, 0..255, not rounded.

        Raises:
          ValueError: the noise is not `[B, NOISE]` float32.
          InputError: the size is not a multiple of `HALVINGS`.
        """
        return grow(
            noise,
            size=self.size,
            width=self.width,
            activation=nn.relu,
            use_bias=False,
            train=train,
            axis_name=self.axis_name,
        )


def _judge(network: nn.Module, x: Array, *, train: bool) -> Array:
    """Four layers that halve the picture, each normalising its input, and their flat output."""
    for i, features in enumerate(FEATURES, start=1):
        x = layers.batch_norm(train=train, axis_name=network.axis_name, name=f"norm{i}")(x)
        x = layers.conv(layers.scaled_width(features, network.width), 5, stride=2, name=f"conv{i}")(
            x
        )
        x = leaky_relu(x)
    return x


class Discriminator(nn.Module):
    """SGAN's discriminator: is this picture a photograph or made by the generator?

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, pictures: Array, *, train: bool) -> Array:
        """Judges pictures.

        Args:
          pictures: `[B, H, W, 3]`, 0..255; H and W multiples of `HALVINGS`.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B]`, the logit of being a photograph.

        Raises:
          ValueError: the pictures are not `[B, H, W, 3]` float32.
          InputError: height or width is not a multiple of `HALVINGS`.
        """
        check_pictures("SGAN's discriminator", pictures)
        x = _judge(self, pictures / 127.5 - 1.0, train=train)
        return nn.Dense(1, kernel_init=dcgan_init, name="full")(x.reshape(x.shape[0], -1))[:, 0]


class Steganalyzer(nn.Module):
    """SGAN's S, the steganalyzer that is trained with the generator: is there a message in this
    picture?

    The discriminator behind a fixed high-pass filter of every channel, with one batch normalisation
    more at the end.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, pictures: Array, *, train: bool) -> Array:
        """Judges pictures.

        Args:
          pictures: `[B, H, W, 3]`, 0..255; H and W multiples of `HALVINGS`.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, 2]`, logits of cover and stego; their difference is the released network's one logit.

        Raises:
          ValueError: the pictures are not `[B, H, W, 3]` float32.
          InputError: height or width is not a multiple of `HALVINGS`.
        """
        check_pictures("SGAN's steganalyzer", pictures)
        x = _judge(self, high_pass.residuals(pictures, high_pass.KV_NORMALISED), train=train)
        x = layers.batch_norm(
            train=train, axis_name=self.axis_name, name=f"norm{len(FEATURES) + 1}"
        )(x)
        stego = nn.Dense(1, kernel_init=dcgan_init, name="full")(x.reshape(x.shape[0], -1))
        return jnp.concatenate([jnp.zeros_like(stego), stego], axis=-1)


class IndependentSteganalyzer(nn.Module):
    """SGAN's S*, the steganalyzer that is trained afterwards and judges the system: is there a
    message in this picture?

    Four convolutions and two maxima at full resolution behind a fixed high-pass filter of every
    channel; its first fully connected layer has most of the parameters.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: of no effect, since it has no batch statistics; there so that it takes what the
        other steganalyzers take.
    """

    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, pictures: Array, *, train: bool) -> Array:
        """Judges pictures.

        Args:
          pictures: `[B, H, W, 3]`, 0..255; H and W at least `MINIMUM_SIZE`.
          train: of no effect, as `axis_name`.

        Returns:
          `[B, 2]`, logits of cover and stego.

        Raises:
          ValueError: the pictures are not `[B, H, W, 3]` float32.
          InputError: the pictures are smaller than `MINIMUM_SIZE`.
        """
        layers.check_planes(
            "SGAN's independent steganalyzer", pictures, minimum_size=MINIMUM_SIZE, channels=3
        )
        init = nn.initializers.truncated_normal(0.02)
        x = high_pass.residuals(pictures, high_pass.KV_NORMALISED)
        for i, (features, size, window) in enumerate(
            ((10, 7, None), (20, 5, 4), (30, 3, None), (40, 3, 2)), start=1
        ):
            x = nn.relu(
                layers.conv(
                    layers.scaled_width(features, self.width),
                    size,
                    kernel_init=init,
                    name=f"conv{i}",
                )(x)
            )
            x = x if window is None else nn.max_pool(x, (window, window), padding="SAME")
        x = nn.Dense(layers.scaled_width(100, self.width), kernel_init=layers.xavier, name="full1")(
            x.reshape(x.shape[0], -1)
        )
        return nn.Dense(2, kernel_init=layers.xavier, name="full2")(jnp.tanh(x))
