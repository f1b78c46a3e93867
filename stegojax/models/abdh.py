"""ABDH-like networks: bits hidden where an attention mask looks, after "Attention based data
hiding" (Yu, AAAI 2020).

The original's code is not public: the parts are known (ResNet-50's first layers for the mask,
CycleGAN's generator twice, two PatchGAN steganalyzers), their sizes and joints less so, and figures
are to be reported as ABDH-like. The attention begins from random parameters and is trained with the
rest, because no pre-trained ones come with this package. The secret is a map of bits here, so the
extractor ends in logits.

Pictures are `[B, H, W, C]`, float32 in pixel units 0..255, in [-1, 1] inside; messages are float32
maps of bits {0, 1}, `[B, H, W, D]`, and what is read is logits, positive for 1. Any H and W from
`MINIMUM_SIZE` on (the steganalyzer's from `PATCH_MINIMUM_SIZE` on): halved with rounding up, and
what is doubled again is cut to the size it had. Instance normalisation, without parameters, looks
at the whole picture, which therefore cannot be processed in tiles. Everything is computed in
float32.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from stegojax.models import layers
from stegojax.models.steganogan import check_hiding
from stegojax.types import Array

RESNET_LAYERS = ((64, 3), (128, 4))
"""Inner channels and number of bottlenecks of ResNet-50's first two layers, neither of which halves
the map here.
"""

EXPANSION = 4
"""How many times the inner channels a bottleneck gives."""

ATTENTION_WIDTHS = (256, 64)
"""Channels of the 3x3 layers between ResNet's features and the mask."""

GENERATOR_WIDTHS = (64, 128, 256)
"""Channels of the generators at full, half and quarter size."""

BLOCKS = 9
"""Residual blocks of the generators."""

DISCRIMINATOR_WIDTHS = (64, 128, 256, 512)
"""Channels of the steganalyzer's hidden layers; all but the last halve height and width."""

MINIMUM_SIZE = 8
"""Smallest height and width of a picture: reflection needs two pixels at a quarter of the size."""

PATCH_MINIMUM_SIZE = 24
"""Smallest height and width of a picture for the steganalyzer, whose last two layers take a row and
a column each.
"""

LEAK = 0.2
"""Slope of the steganalyzer's leaky ReLU below zero."""

INIT = nn.initializers.normal(0.02)
"""CycleGAN's initialiser of every kernel: N(0, 0.02)."""


def instance_norm(x: Array) -> Array:
    """Gives every channel of every picture the mean 0 and the variance 1 (Ulyanov, Vedaldi and
    Lempitsky 2016).

    Args:
      x: `[B, H, W, C]`.

    Returns:
      Same shape; 1e-5 is added to the variance, so a flat channel becomes 0.
    """
    x = x - x.mean(axis=(1, 2), keepdims=True)
    return x * lax.rsqrt(jnp.square(x).mean(axis=(1, 2), keepdims=True) + 1e-5)


def _reflected(x: Array, n: int) -> Array:
    return jnp.pad(x, ((0, 0), (n, n), (n, n), (0, 0)), mode="reflect")


class Bottleneck(nn.Module):
    """ResNet's bottleneck: 1x1, 3x3 and 1x1 convolutions without bias, batch normalisation after
    each; a shortcut is added.

    Attributes:
      features: inner channels; four times as many come out.
      project: whether the shortcut is a normalised 1x1 convolution instead of the input.
      axis_name: mapped axis over which batch statistics are averaged in training.
    """

    features: int
    project: bool
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        def unit(y, features, size, name):
            y = layers.conv(features, size, use_bias=False, kernel_init=layers.he, name=name)(y)
            return layers.batch_norm(train=train, axis_name=self.axis_name, name=f"{name}_norm")(y)

        y = nn.relu(unit(x, self.features, 1, "reduce"))
        y = nn.relu(unit(y, self.features, 3, "middle"))
        y = unit(y, EXPANSION * self.features, 1, "expand")
        return nn.relu(
            y + (unit(x, EXPANSION * self.features, 1, "shortcut") if self.project else x)
        )


class Attention(nn.Module):
    """The attention model: where a picture can be changed, between 0 and 1.

    ResNet-50 to the end of its second layer, without that layer's stride; two normalised 3x3
    convolutions; one 1x1; sigmoid; brought back to the picture's size by bilinear interpolation.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the full network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, pictures: Array, *, train: bool) -> Array:
        """Finds a picture's mask.

        Args:
          pictures: `[B, H, W, C]`, 0..255; H and W at least `MINIMUM_SIZE`.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, H, W, 1]` in (0, 1).

        Raises:
          ValueError: the picture is not such an array.
          InputError: the picture is smaller than `MINIMUM_SIZE`.
        """
        layers.check_planes("ABDH's attention", pictures, minimum_size=MINIMUM_SIZE, channels=None)
        features = [layers.scaled_width(inner, self.width) for inner, _ in RESNET_LAYERS]
        x = layers.conv(
            features[0], 7, stride=2, use_bias=False, kernel_init=layers.he, name="stem"
        )(pictures / 127.5 - 1.0)
        x = nn.relu(layers.batch_norm(train=train, axis_name=self.axis_name, name="stem_norm")(x))
        x = nn.max_pool(x, (3, 3), (2, 2), padding="SAME")
        for i, (inner, (_, count)) in enumerate(zip(features, RESNET_LAYERS, strict=True), start=1):
            for j in range(1, count + 1):
                x = Bottleneck(inner, j == 1, self.axis_name, name=f"layer{i}_block{j}")(
                    x, train=train
                )
        for i, channels in enumerate(ATTENTION_WIDTHS, start=1):
            x = layers.conv(
                layers.scaled_width(channels, self.width), kernel_init=INIT, name=f"mask{i}"
            )(x)
            x = nn.relu(instance_norm(x))
        x = nn.sigmoid(layers.conv(1, 1, kernel_init=INIT, name="output")(x))
        return jax.image.resize(x, (*pictures.shape[:3], 1), "bilinear", antialias=False)


class ResidualBlock(nn.Module):
    """CycleGAN's residual block: two 3x3 convolutions of the map with reflected borders,
    normalised; the input is added.
    """

    @nn.compact
    def __call__(self, x: Array) -> Array:
        y = x
        for i in (1, 2):
            y = layers.conv(x.shape[-1], padding="VALID", kernel_init=INIT, name=f"conv{i}")(
                _reflected(y, 1)
            )
            y = instance_norm(y)
            y = nn.relu(y) if i == 1 else y
        return x + y


class _Generator(nn.Module):
    """CycleGAN's generator without its last activation: 7x7, halved twice, residual blocks, doubled
    twice, 7x7.
    """

    outputs: int
    blocks: int
    width: float

    @nn.compact
    def __call__(self, x: Array) -> Array:
        full, *smaller = (
            layers.scaled_width(channels, self.width) for channels in GENERATOR_WIDTHS
        )
        x = layers.conv(full, 7, padding="VALID", kernel_init=INIT, name="first")(_reflected(x, 3))
        x = nn.relu(instance_norm(x))
        sizes = []
        for i, features in enumerate(smaller, start=1):
            sizes.append((x.shape, f"up{i}"))
            x = nn.relu(
                instance_norm(layers.conv(features, stride=2, kernel_init=INIT, name=f"down{i}")(x))
            )
        for i in range(1, self.blocks + 1):
            x = ResidualBlock(name=f"block{i}")(x)
        for (_, height, width, features), name in reversed(sizes):
            x = nn.ConvTranspose(features, (3, 3), strides=(2, 2), kernel_init=INIT, name=name)(x)[
                :, :height, :width
            ]
            x = nn.relu(instance_norm(x))
        return layers.conv(self.outputs, 7, padding="VALID", kernel_init=INIT, name="last")(
            _reflected(x, 3)
        )


class Generator(nn.Module):
    """The target image generator: cover, message and masks become the stego, a picture made anew.

    Attributes:
      blocks: residual blocks; 9 is CycleGAN's.
      width: multiplies the channels of every hidden layer; 1 is the full network.
    """

    blocks: int = BLOCKS
    width: float = 1.0

    @nn.compact
    def __call__(self, cover: Array, message: Array, masks: Array, *, train: bool) -> Array:
        """Hides `message` in a picture like `cover`.

        Args:
          cover: `[B, H, W, C]`, 0..255; H and W at least `MINIMUM_SIZE`.
          message: `[B, H, W, D]`, bits {0, 1} as float32.
          masks: `[B, H, W, K]` in [0, 1], the attention's.
          train: of no effect.

        Returns:
          `[B, H, W, C]`, the stego, 0..255, not rounded.

        Raises:
          ValueError: the arrays are not such.
          InputError: the cover is smaller than `MINIMUM_SIZE`.
        """
        layers.check_planes("ABDH's generator", cover, minimum_size=MINIMUM_SIZE, channels=None)
        check_hiding("abdh.Generator", cover, message)
        if masks.ndim != 4 or masks.dtype != jnp.float32 or masks.shape[:3] != cover.shape[:3]:
            raise ValueError(
                "abdh.Generator: the masks must be float32 [B, H, W, K] of the cover's B, H and W, "
                f"{masks.dtype} {masks.shape} was given with a cover {cover.shape}"
            )
        x = jnp.concatenate([cover / 127.5 - 1.0, 2.0 * message - 1.0, masks], axis=-1)
        x = _Generator(cover.shape[-1], self.blocks, self.width, name="generator")(x)
        return (jnp.tanh(x) + 1.0) * 127.5


class Encoder(nn.Module):
    """Attention and target image generator as one: cover and message become the stego.

    Attributes:
      blocks: residual blocks of the generator; 9 is CycleGAN's.
      width: multiplies the channels of every hidden layer; 1 is the full network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    blocks: int = BLOCKS
    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, cover: Array, message: Array, *, train: bool) -> Array:
        """Hides `message` in a picture like `cover`, where the cover's mask allows.

        Args:
          cover: `[B, H, W, C]`, 0..255; H and W at least `MINIMUM_SIZE`.
          message: `[B, H, W, D]`, bits {0, 1} as float32.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, H, W, C]`, the stego, 0..255, not rounded.

        Raises:
          ValueError: the arrays are not such.
          InputError: the cover is smaller than `MINIMUM_SIZE`.
        """
        masks = Attention(self.width, self.axis_name, name="attention")(cover, train=train)
        return Generator(self.blocks, self.width, name="generator")(
            cover, message, masks, train=train
        )


class Extractor(nn.Module):
    """The secret image generator: the stego becomes the message.

    Attributes:
      depth: D, bits per pixel.
      blocks: residual blocks; 9 is CycleGAN's.
      width: multiplies the channels of every hidden layer; 1 is the full network.
    """

    depth: int = 1
    blocks: int = BLOCKS
    width: float = 1.0

    @nn.compact
    def __call__(self, stego: Array, *, train: bool) -> Array:
        """Reads the message in `stego`.

        Args:
          stego: `[B, H, W, C]`, 0..255; H and W at least `MINIMUM_SIZE`.
          train: of no effect.

        Returns:
          `[B, H, W, depth]`, logits, positive for 1.

        Raises:
          ValueError: the stego is not such an array.
          InputError: the stego is smaller than `MINIMUM_SIZE`.
        """
        layers.check_planes("ABDH's extractor", stego, minimum_size=MINIMUM_SIZE, channels=None)
        return _Generator(self.depth, self.blocks, self.width, name="generator")(
            stego / 127.5 - 1.0
        )


class Steganalyzer(nn.Module):
    """A PatchGAN's classifier: how much the patches of a picture look like a cover's, on average.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the full network.
    """

    width: float = 1.0

    @nn.compact
    def __call__(self, pictures: Array, *, train: bool) -> Array:
        """Judges a picture.

        Args:
          pictures: `[B, H, W, C]`, 0..255; H and W at least `PATCH_MINIMUM_SIZE`.
          train: of no effect.

        Returns:
          `[B, 1]`, the mean of the patches' scores.

        Raises:
          ValueError: the picture is not such an array.
          InputError: the picture is smaller than `PATCH_MINIMUM_SIZE`.
        """
        layers.check_planes(
            "ABDH's steganalyzer", pictures, minimum_size=PATCH_MINIMUM_SIZE, channels=None
        )
        x = pictures / 127.5 - 1.0
        around = ((1, 1), (1, 1))
        for i, features in enumerate(DISCRIMINATOR_WIDTHS, start=1):
            stride = 1 if i == len(DISCRIMINATOR_WIDTHS) else 2
            x = layers.conv(
                layers.scaled_width(features, self.width),
                4,
                stride=stride,
                padding=around,
                kernel_init=INIT,
                name=f"conv{i}",
            )(x)
            x = nn.leaky_relu(x if i == 1 else instance_norm(x), LEAK)
        return layers.conv(1, 4, padding=around, kernel_init=INIT, name="output")(x).mean(
            axis=(1, 2)
        )
