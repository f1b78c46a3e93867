"""The networks of SFTN (anti-rounding image steganography with a separable fine-tuned network): one
bit in every grey pixel.

The embedding generator turns a cover and its message into a map of modifications; the stego matrix,
their sum, has fractions, the stego image has none. Two extractors of one architecture read the
message: one is trained together with the generator on stego matrices, the other starts from it and
is trained on stego images while the generator stays as it is. Variants of the ablation study are
options. The steganalyzer is `xunet.XuNet(outputs=1)`.

Planes are `[B, H, W, C]`, float32 in pixel units 0..255, C = 1 in the paper, and are fed unscaled:
batch normalisation follows the first convolution. Messages are float32 maps of bits {0, 1}, `[B, H,
W, D]`, and what is read is logits, positive for 1. Any H and W. Everything is computed in float32:
half precision has too few digits for changes of one grey level in 256.
"""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from stegojax.errors import InputError
from stegojax.images import round_to_pixels
from stegojax.models import layers
from stegojax.models.steganogan import check_hiding, fused_features
from stegojax.types import Array, Key

WIDTH = 32
"""Channels of the hidden layers; the multi-scale fusion block and the residual dense block give
twice as many.
"""

UNITS = 3
"""Units of the generator; one more convolution follows."""

DILATIONS = (1, 2, 3)
"""Dilations, equal to the paddings, of the 3x3 convolutions side by side in the multi-scale fusion
block.
"""

DENSE_LAYERS = 3
"""Convolutions of the residual dense block before the one that fuses them."""

LEAK = 0.1
"""Slope of the leaky ReLU below zero."""

LIMIT = 10.0
"""Largest modification of a pixel in either direction, eq. (14)."""

HIDE_RADIUS = UNITS + 1
"""How many pixels in each direction influence one modification: four layers of 3x3."""

REVEAL_RADIUS = 1 + (max(DILATIONS) + 1) + DENSE_LAYERS + 3
"""How many pixels in each direction influence one bit read: three more layers of 3x3 follow the two
blocks.
"""

EXTRACTORS = ("proposed", "like_generator", "plain")
"""The extractors' names: the paper's; structure A, wired as the generator; structure C,
convolutions in the blocks' places.
"""


class BasicConv(nn.Module):
    """Convolution 3x3, batch normalisation, leaky ReLU.

    Attributes:
      features: channels.
      axis_name: mapped axis over which batch statistics are averaged in training.
    """

    features: int
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        x = layers.conv(self.features, name="conv")(x)
        return nn.leaky_relu(
            layers.batch_norm(train=train, axis_name=self.axis_name, name="norm")(x), LEAK
        )


class MultiScaleFusion(nn.Module):
    """The multi-scale fusion block: convolutions of different reach side by side, then a
    `BasicConv` of twice their channels.

    Attributes:
      features: channels of each convolution.
      axis_name: mapped axis over which batch statistics are averaged in training.
    """

    features: int
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        scales = [
            nn.Conv(
                self.features,
                (3, 3),
                kernel_dilation=(d, d),
                kernel_init=layers.xavier,
                name=f"scale{d}",
            )(x)
            for d in DILATIONS
        ]
        x = nn.leaky_relu(jnp.concatenate(scales, axis=-1), LEAK)
        return BasicConv(2 * self.features, self.axis_name, name="fuse")(x, train=train)


class ResidualDense(nn.Module):
    """Residual dense block (Zhang et al. 2018, RDN): each layer sees all before it, a 1x1 layer
    fuses them, the input is added.

    Attributes:
      growth: channels of each layer.
    """

    growth: int

    @nn.compact
    def __call__(self, x: Array) -> Array:
        found = [x]
        for i in range(1, DENSE_LAYERS + 1):
            found.append(
                nn.relu(layers.conv(self.growth, name=f"layer{i}")(jnp.concatenate(found, axis=-1)))
            )
        return x + layers.conv(x.shape[-1], 1, name="fuse")(jnp.concatenate(found, axis=-1))


class Generator(nn.Module):
    """The embedding generator (Figure 5, Table I): cover and message become the map of
    modifications.

    Attributes:
      concatenate: whether each layer sees the features of all before it; False is structure B of
        the ablation study.
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    concatenate: bool = True
    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, cover: Array, message: Array, *, train: bool) -> Array:
        """Finds the modifications that hide `message` in `cover`.

        Args:
          cover: `[B, H, W, C]`, 0..255.
          message: `[B, H, W, D]`, bits {0, 1} as float32.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, H, W, C]`, modifications in grey levels, neither bounded nor rounded (see
          `stego_matrix`, `stego_image`).

        Raises:
          ValueError: the arrays are not such.
        """
        check_hiding("sftn.Generator", cover, message)
        features = layers.scaled_width(WIDTH, self.width)
        units = [
            functools.partial(BasicConv(features, self.axis_name, name=f"unit{i}"), train=train)
            for i in range(1, UNITS + 1)
        ]
        x = fused_features(units, cover, message, concatenate=self.concatenate)
        return layers.conv(cover.shape[-1], name="output")(x)


class Extractor(nn.Module):
    """The stego matrix extractor and the stego image extractor (Figure 6, Table I), and their
    variants.

    Attributes:
      depth: D, bits per pixel; the paper's 1.
      kind: a name in `EXTRACTORS`.
      concatenate: whether the last units see earlier features too; False is structure B of the
        ablation study.
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    depth: int = 1
    kind: str = "proposed"
    concatenate: bool = True
    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, stego: Array, *, train: bool) -> Array:
        """Reads the message in `stego`.

        Args:
          stego: `[B, H, W, C]`, stego matrix or stego image, 0..255.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, H, W, depth]`, logits; their sigmoid is the paper's extracted message.

        Raises:
          ValueError: the stego is not such an array.
          InputError: an unknown kind.
        """
        layers.check_planes("sftn.Extractor", stego, minimum_size=1, channels=None)
        if self.kind not in EXTRACTORS:
            raise InputError(
                f"SFTN's extractor {self.kind!r} is unknown; there are {', '.join(EXTRACTORS)}"
            )
        features = layers.scaled_width(WIDTH, self.width)

        def unit(channels, name):
            return functools.partial(BasicConv(channels, self.axis_name, name=name), train=train)

        def beside(x, earlier):
            return jnp.concatenate([x, earlier], axis=-1) if self.concatenate else x

        if self.kind == "like_generator":
            units = [unit(features, f"unit{i}") for i in range(1, UNITS + 1)]
            return layers.conv(self.depth, name="output")(
                fused_features(units, stego, concatenate=self.concatenate)
            )
        x1 = unit(features, "unit1")(stego)
        if self.kind == "plain":
            x2 = layers.conv(2 * features, name="plain2")(x1)
            x3 = layers.conv(2 * features, name="plain3")(x2)
        else:
            x2 = MultiScaleFusion(features, self.axis_name, name="fusion2")(x1, train=train)
            x3 = ResidualDense(features, name="dense3")(x2)
        x4 = unit(features, "unit4")(beside(x3, x2))
        x5 = unit(self.depth, "unit5")(beside(x4, x1))
        return layers.conv(self.depth, name="output")(x5)


def stego_matrix(cover: Array, modifications: Array, *, limit: float | None = LIMIT) -> Array:
    """The cover with its modifications, with fractions: X, what the networks are trained on
    together.

    SFTN, Table I (X = I4 + cover), with the modifications bounded as eq. (14) bounds them for the
    stego image, so that both stages of training see the same; the paper does not say so. Beyond the
    bound the gradient is zero.

    Args:
      cover: `[B, H, W, C]`, 0..255.
      modifications: same shape, grey levels.
      limit: largest modification in either direction, positive; None for no bound.

    Returns:
      Same shape, pixel units, neither rounded nor clipped to 0..255.

    Raises:
      ValueError: the shapes differ or the arrays are not float32, or the limit is not positive.
    """
    _check_sum("stego_matrix", cover, modifications, limit)
    return cover + (modifications if limit is None else layers.truncate(modifications, limit))


def stego_image(cover: Array, modifications: Array, *, limit: float = LIMIT) -> Array:
    """The cover with its modifications as an 8-bit file holds it: I_S =
    round(clip_0..255(clip_-limit..limit(I4) + cover)).

    SFTN, eq. (14); halves are rounded to even.

    Args:
      cover: `[B, H, W, C]`, 0..255.
      modifications: same shape, grey levels.
      limit: largest modification in either direction, positive.

    Returns:
      Same shape, whole numbers 0..255. Its gradient is zero.

    Raises:
      ValueError: the shapes differ or the arrays are not float32, or the limit is not positive.
    """
    _check_sum("stego_image", cover, modifications, limit)
    return round_to_pixels(cover + layers.truncate(modifications, limit))


def straight_through_rounding(stego: Array) -> Array:
    """Rounds and clips to 0..255, and lets the gradient pass as if nothing had been rounded; beyond
    the range it is zero.

    The estimator of Bengio, Leonard and Courville 2013, as the baseline to SFTN's two stages of
    training.

    Args:
      stego: float32, any shape, pixel units.

    Returns:
      Same shape, whole numbers 0..255.

    Raises:
      ValueError: the array is not float32.
    """
    _check_float("straight_through_rounding", stego)
    inside = jnp.clip(stego, 0.0, 255.0)
    return inside + lax.stop_gradient(jnp.round(inside) - inside)


def rounding_noise(key: Key, stego: Array) -> Array:
    """Adds noise uniform in (-1/2, 1/2), which stands for rounding in training, and clips to
    0..255.

    The other baseline to SFTN's two stages of training: additive noise in the place of quantisation
    (Balle, Laparra and Simoncelli 2017, of learned compression).

    Args:
      key: PRNG key.
      stego: float32, any shape, pixel units.

    Returns:
      Same shape, 0..255, not whole numbers.

    Raises:
      ValueError: the array is not float32.
    """
    _check_float("rounding_noise", stego)
    return jnp.clip(
        stego + jax.random.uniform(key, stego.shape, minval=-0.5, maxval=0.5), 0.0, 255.0
    )


def _check_float(caller: str, x: Array) -> None:
    if x.dtype != jnp.float32:
        raise ValueError(f"{caller}: a float32 array is needed, {x.dtype} was given")


def _check_sum(caller: str, cover: Array, modifications: Array, limit: float | None) -> None:
    _check_float(caller, cover)
    _check_float(caller, modifications)
    if cover.shape != modifications.shape:
        raise ValueError(
            f"{caller}: cover {cover.shape} and modifications {modifications.shape} differ in shape"
        )
    if limit is not None and limit <= 0:
        raise ValueError(f"{caller}: the limit must be positive, {limit} was given")
