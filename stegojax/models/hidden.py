"""The networks and noise layers of HiDDeN (Zhu et al. 2018): L bits hidden in a picture so that
they survive damage to it.

Encoder, decoder and steganalyzer are rows of one unit: convolution 3x3, batch normalisation, ReLU.
Between encoder and decoder a noise layer damages the stego; `NOISES` has them by name, all of one
form, `(key, stego, cover) -> damaged stego`, and differentiable.

Pictures are `[B, H, W, C]`, float32 in pixel units 0..255, in [-1, 1] inside; messages are bits {0,
1} as float32, `[B, L]`, and what is read is an estimate of them, 1 above one half. Any H and W. The
decoder averages over the whole picture.
"""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.costs import dct
from stegojax.errors import InputError
from stegojax.images import rgb_to_ycbcr, ycbcr_to_rgb
from stegojax.models import layers
from stegojax.types import Array, Key

WIDTH = 64
"""Channels of every hidden layer."""

ENCODER_UNITS, DECODER_UNITS, STEGANALYZER_UNITS = 4, 7, 3
"""Units of the encoder before the message joins, of the decoder before the one with a channel per
bit, of the steganalyzer.
"""

JPEG_KEPT = (25, 9, 9)
"""How many DCT coefficients of Y, U and V, in zig-zag order, JPEG-Mask keeps."""


class Unit(nn.Module):
    """Convolution 3x3, batch normalisation, ReLU.

    Attributes:
      features: channels.
      axis_name: mapped axis over which batch statistics are averaged in training.
    """

    features: int
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        x = layers.conv(self.features, name="conv")(x)
        return nn.relu(layers.batch_norm(train=train, axis_name=self.axis_name, name="norm")(x))


class _Row(nn.Module):
    """Units in a row."""

    units: int
    features: int
    axis_name: str | None

    @nn.compact
    def __call__(self, x: Array, *, train: bool) -> Array:
        for i in range(1, self.units + 1):
            x = Unit(self.features, self.axis_name, name=f"unit{i}")(x, train=train)
        return x


class Encoder(nn.Module):
    """The encoder: cover and message become the stego.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, cover: Array, message: Array, *, train: bool) -> Array:
        """Hides `message` in `cover`.

        Args:
          cover: `[B, H, W, C]`, 0..255.
          message: `[B, L]`, bits {0, 1} as float32.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, H, W, C]`, the stego in pixel units, neither rounded nor clipped.

        Raises:
          ValueError: the arrays are not such.
        """
        layers.check_planes("hidden.Encoder", cover, minimum_size=1, channels=None)
        if message.ndim != 2 or message.dtype != jnp.float32 or message.shape[0] != cover.shape[0]:
            raise ValueError(
                f"hidden.Encoder: the message must be float32 bits [B, L], {message.dtype} "
                f"{message.shape} was "
                f"given with a cover {cover.shape}"
            )
        picture = cover / 127.5 - 1.0
        features = layers.scaled_width(WIDTH, self.width)
        x = _Row(ENCODER_UNITS, features, self.axis_name, name="row")(picture, train=train)
        everywhere = jnp.broadcast_to(
            message[:, None, None, :], (*cover.shape[:3], message.shape[1])
        )
        x = Unit(features, self.axis_name, name="fuse")(
            jnp.concatenate([x, everywhere, picture], axis=-1), train=train
        )
        return (layers.conv(cover.shape[-1], 1, name="output")(x) + 1.0) * 127.5


class Decoder(nn.Module):
    """The decoder: the damaged stego becomes the message.

    Attributes:
      length: L, bits per picture; the paper's 30.
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    length: int = 30
    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, stego: Array, *, train: bool) -> Array:
        """Reads the message in `stego`.

        Args:
          stego: `[B, H, W, C]`, 0..255, of any size.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, length]`, estimates of the bits, not bounded: 1 above one half.

        Raises:
          ValueError: the stego is not such an array.
        """
        layers.check_planes("hidden.Decoder", stego, minimum_size=1, channels=None)
        features = layers.scaled_width(WIDTH, self.width)
        x = _Row(DECODER_UNITS, features, self.axis_name, name="row")(
            stego / 127.5 - 1.0, train=train
        )
        x = Unit(self.length, self.axis_name, name="bits")(x, train=train).mean(axis=(1, 2))
        return nn.Dense(self.length, kernel_init=layers.xavier, name="full")(x)


class Steganalyzer(nn.Module):
    """The steganalyzer, the paper's adversary: is this picture a cover or a stego?

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
    """

    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, pictures: Array, *, train: bool) -> Array:
        """Judges a picture.

        Args:
          pictures: `[B, H, W, C]`, 0..255.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, 1]`, logits; which sign stands for a cover is up to the labels it is trained with.

        Raises:
          ValueError: the picture is not such an array.
        """
        layers.check_planes("hidden.Steganalyzer", pictures, minimum_size=1, channels=None)
        features = layers.scaled_width(WIDTH, self.width)
        x = _Row(STEGANALYZER_UNITS, features, self.axis_name, name="row")(
            pictures / 127.5 - 1.0, train=train
        )
        return nn.Dense(1, kernel_init=layers.xavier, name="full")(x.mean(axis=(1, 2)))


def identity(key: Key, stego: Array, cover: Array) -> Array:
    """No damage.

    Args:
      key: of no effect.
      stego: `[B, H, W, C]`, 0..255.
      cover: same shape, of no effect.

    Returns:
      The stego.
    """
    _check_pair("identity", stego, cover)
    return stego


def dropout(key: Key, stego: Array, cover: Array, *, keep: float = 0.3) -> Array:
    """Puts the cover's pixels back, each with a chance of its own.

    HiDDeN, Section 3.2, Dropout.

    Args:
      key: PRNG key.
      stego: `[B, H, W, C]`, 0..255.
      cover: same shape.
      keep: probability of a pixel, with all its channels, to remain the stego's; 0..1.

    Returns:
      Same shape.

    Raises:
      ValueError: the pictures are not of one shape.
      InputError: the probability is out of range.
    """
    _check_pair("dropout", stego, cover)
    if not 0 <= keep <= 1:
        raise InputError(f"dropout keeps a share of pixels between 0 and 1, {keep} was given")
    return jnp.where(jax.random.bernoulli(key, keep, (*stego.shape[:3], 1)), stego, cover)


def _square(caller: str, height: int, width: int, keep: float) -> int:
    """The side of a square with a share of a picture's area."""
    side = math.floor(math.sqrt(keep * height * width) + 1e-6) if keep > 0 else 0
    if not 1 <= side <= min(height, width):
        raise InputError(
            f"{caller}: no square has {keep} of the area of a picture of {width}x{height} pixels; "
            "choose another share"
        )
    return side


def _corners(key: Key, batch: int, height: int, width: int, side: int) -> tuple[Array, Array]:
    """Where a square in each picture begins: rows and columns, `[B]` each, all positions alike."""
    rows, columns = jax.random.split(key)
    return tuple(
        jax.random.randint(k, (batch,), 0, n - side + 1)
        for k, n in ((rows, height), (columns, width))
    )


def cropout(key: Key, stego: Array, cover: Array, *, keep: float = 0.3) -> Array:
    """Puts the cover's pixels back outside a random square.

    HiDDeN, Section 3.2, Cropout; each picture has a square of its own.

    Args:
      key: PRNG key.
      stego: `[B, H, W, C]`, 0..255.
      cover: same shape.
      keep: the square's share of the area; its side is rounded down to whole pixels.

    Returns:
      Same shape.

    Raises:
      ValueError: the pictures are not of one shape.
      InputError: no square of that share fits the picture.
    """
    _check_pair("cropout", stego, cover)
    batch, height, width, _ = stego.shape
    side = _square("cropout", height, width, keep)
    rows, columns = (corner[:, None] for corner in _corners(key, batch, height, width, side))
    in_rows, in_columns = (
        (jnp.arange(n)[None] >= start) & (jnp.arange(n)[None] < start + side)
        for n, start in ((height, rows), (width, columns))
    )
    return jnp.where((in_rows[:, :, None] & in_columns[:, None, :])[..., None], stego, cover)


def crop(key: Key, stego: Array, cover: Array, *, keep: float = 0.035) -> Array:
    """Cuts a random square out of the stego.

    HiDDeN, Section 3.2, Crop; each picture has a square of its own.

    Args:
      key: PRNG key.
      stego: `[B, H, W, C]`, 0..255.
      cover: same shape, of no effect.
      keep: the square's share of the area; its side is rounded down to whole pixels.

    Returns:
      `[B, side, side, C]`.

    Raises:
      ValueError: the pictures are not of one shape.
      InputError: no square of that share fits the picture.
    """
    _check_pair("crop", stego, cover)
    batch, height, width, channels = stego.shape
    side = _square("crop", height, width, keep)
    rows, columns = _corners(key, batch, height, width, side)
    return jax.vmap(lambda x, i, j: lax.dynamic_slice(x, (i, j, 0), (side, side, channels)))(
        stego, rows, columns
    )


def _blur_matrix(n: int, sigma: float) -> np.ndarray:
    """`[n, n]`: row i averages positions around i with Gaussian weights; the first and last
    continue beyond the ends.
    """
    radius = math.ceil(2 * sigma)
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    matrix = np.zeros((n, n))
    for offset, weight in zip(offsets, weights / weights.sum(), strict=True):
        np.add.at(matrix, (np.arange(n), np.clip(np.arange(n) + offset, 0, n - 1)), weight)
    return matrix.astype(np.float32)


def gaussian_blur(key: Key, stego: Array, cover: Array, *, sigma: float = 2.0) -> Array:
    """Blurs the stego with a Gaussian that ends at two standard deviations, as the authors' does;
    borders are continued.

    HiDDeN, Section 3.2, Gaussian.

    Args:
      key: of no effect.
      stego: `[B, H, W, C]`, 0..255.
      cover: same shape, of no effect.
      sigma: standard deviation in pixels, positive.

    Returns:
      Same shape.

    Raises:
      ValueError: the pictures are not of one shape.
      InputError: sigma is not positive.
    """
    _check_pair("gaussian_blur", stego, cover)
    if sigma <= 0:
        raise InputError(f"a blur needs a positive standard deviation, {sigma} was given")
    rows, columns = (jnp.asarray(_blur_matrix(n, sigma)) for n in stego.shape[1:3])
    return jnp.einsum("ih,bhwc,jw->bijc", rows, stego, columns, precision=lax.Precision.HIGHEST)


def zigzag(kept: int) -> np.ndarray:
    """The mask of the first coefficients of an 8x8 block in JPEG's zig-zag order.

    Args:
      kept: how many, 0..64.

    Returns:
      bool `[8, 8]`, frequencies by row and column.

    Raises:
      InputError: the number is out of range.
    """
    if not 0 <= kept <= 64:
        raise InputError(f"a block has 64 coefficients, {kept} were asked for")
    order = sorted(
        np.ndindex(8, 8), key=lambda p: (p[0] + p[1], p[0] if (p[0] + p[1]) % 2 else p[1])
    )
    mask = np.zeros((8, 8), bool)
    for i, j in order[:kept]:
        mask[i, j] = True
    return mask


def _masked_blocks(stego: Array, mask: Array) -> Array:
    """Multiplies the DCT coefficients of 8x8 blocks by a mask `[B or 1, rows of blocks or 1,
    columns or 1, 8, 8, C]`.

    Colour is turned into luma and chroma for it, and borders are continued to whole blocks.
    """
    batch, height, width, channels = stego.shape
    x = rgb_to_ycbcr(stego) if channels == 3 else stego
    x = jnp.pad(x, ((0, 0), (0, -height % 8), (0, -width % 8), (0, 0)), mode="edge")
    rows, columns = x.shape[1] // 8, x.shape[2] // 8
    basis = jnp.asarray(dct.BASIS, jnp.float32)
    blocks = x.reshape(batch, rows, 8, columns, 8, channels)
    # The grey level of all-zero coefficients is JPEG's, half the range.
    spectra = jnp.einsum(
        "ki,brisjc,lj->brsklc", basis, blocks - 128.0, basis, precision=lax.Precision.HIGHEST
    )
    blocks = (
        jnp.einsum(
            "ki,brsklc,lj->brisjc", basis, spectra * mask, basis, precision=lax.Precision.HIGHEST
        )
        + 128.0
    )
    x = blocks.reshape(x.shape)[:, :height, :width]
    return ycbcr_to_rgb(x) if channels == 3 else x


def jpeg_mask(
    key: Key, stego: Array, cover: Array, *, kept: tuple[int, int, int] = JPEG_KEPT
) -> Array:
    """Keeps the lowest frequencies of every 8x8 block: what JPEG compression does to the others,
    differentiably.

    HiDDeN, Section 3.2, JPEG-Mask.

    Args:
      key: of no effect.
      stego: `[B, H, W, 1 or 3]`, 0..255.
      cover: same shape, of no effect.
      kept: how many DCT coefficients in zig-zag order are kept of luma and of the two chroma
        channels; the first alone counts for grey pictures.

    Returns:
      Same shape, pixel units, not clipped.

    Raises:
      ValueError: the pictures are not of one shape, or neither grey nor colour.
      InputError: a number is out of range.
    """
    _check_pair("jpeg_mask", stego, cover, channels=(1, 3))
    mask = np.stack([zigzag(kept[c]) for c in range(stego.shape[-1])], axis=-1).astype(np.float32)
    return _masked_blocks(stego, jnp.asarray(mask)[None, None, None])


def jpeg_keep_probabilities(quality: int) -> np.ndarray:
    """The chance of each DCT coefficient to survive JPEG-Drop: (1 - ln(q) / 7)^2, between .1 and
    .9, q its quantisation step.

    The authors' code (jirenz/HiDDeN, DCT_layer.lua), where the steps are JPEG's example tables
    scaled to a quality, within 1..128. The mean of a block always survives, the second of the two
    forms there.

    Args:
      quality: 1..100.

    Returns:
      float32 `[8, 8, 3]`: of luma and twice of chroma.

    Raises:
      InputError: the quality is out of range.
    """
    if not 1 <= quality <= 100:
        raise InputError(f"JPEG quality is between 1 and 100, {quality} was given")
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    tables = np.stack([dct.LUMINANCE, dct.CHROMINANCE, dct.CHROMINANCE], axis=-1)
    steps = np.clip((scale * tables + 50) / 100, 1, 128)
    chances = np.clip((1 - np.log(steps) / 7) ** 2, 0.1, 0.9)
    chances[0, 0] = 1
    return chances.astype(np.float32)


def jpeg_drop(key: Key, stego: Array, cover: Array, *, quality: int = 50) -> Array:
    """Sets DCT coefficients of every 8x8 block to zero at random, the more often the coarser JPEG
    would quantise them.

    HiDDeN, Section 3.2, JPEG-Drop; the chances are `jpeg_keep_probabilities`.

    Args:
      key: PRNG key.
      stego: `[B, H, W, 1 or 3]`, 0..255.
      cover: same shape, of no effect.
      quality: 1..100.

    Returns:
      Same shape, pixel units, not clipped.

    Raises:
      ValueError: the pictures are not of one shape, or neither grey nor colour.
      InputError: the quality is out of range.
    """
    _check_pair("jpeg_drop", stego, cover, channels=(1, 3))
    batch, height, width, channels = stego.shape
    chances = jnp.asarray(jpeg_keep_probabilities(quality)[..., :channels])
    shape = (batch, -(-height // 8), -(-width // 8), 8, 8, channels)
    return _masked_blocks(
        stego, jax.random.bernoulli(key, chances[None, None, None], shape).astype(jnp.float32)
    )


NOISES = {
    "identity": identity,
    "dropout": dropout,
    "cropout": cropout,
    "crop": crop,
    "gaussian_blur": gaussian_blur,
    "jpeg_mask": jpeg_mask,
    "jpeg_drop": jpeg_drop,
}
"""The noise layers by name."""


def _check_pair(
    caller: str, stego: Array, cover: Array, *, channels: tuple[int, ...] | None = None
) -> None:
    if (
        stego.ndim != 4
        or stego.shape != cover.shape
        or not stego.dtype == cover.dtype == jnp.float32
    ):
        raise ValueError(
            f"hidden.{caller}: stego and cover must be float32 of one shape [B, H, W, C], "
            f"{stego.dtype} "
            f"{stego.shape} and {cover.dtype} {cover.shape} were given"
        )
    if channels is not None and stego.shape[-1] not in channels:
        raise ValueError(
            f"hidden.{caller}: pictures must have {' or '.join(map(str, channels))} channels, "
            f"{stego.shape} was "
            "given"
        )
