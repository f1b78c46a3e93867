"""The networks of Rehman et al. 2017 (Atique's "End-to-end trained CNN encoder-decoder networks for
image steganography"): a grey guest picture hidden in a colour host picture of the same size.

Pictures are `[B, H, W, C]` float32 in pixel units 0..255, in [0, 1] inside. The last layers are
linear: outputs may leave the range and are clipped when they are rounded. Any H and W. There is no
batch normalisation, so `train` changes nothing.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from stegojax.models import layers
from stegojax.types import Array

BRANCH_FEATURES = 16
"""Output channels of the seven layers of both branches of the encoder."""

BRANCH_LAYERS = 7
"""Layers of each branch; after the odd ones the guest's features join the host's."""

DECODER_WIDTHS = (16, 16, 8, 8, 3, 3)
"""Output channels of the decoder's hidden layers."""

HIDE_RADIUS = BRANCH_LAYERS
"""How many pixels in each direction influence one pixel of the stego: seven layers of 3x3."""

REVEAL_RADIUS = len(DECODER_WIDTHS) + 1
"""How many pixels in each direction influence one pixel of the revealed guest: seven layers of 3x3.
"""


def _check_picture(caller: str, name: str, x: Array, channels: int) -> None:
    if x.ndim != 4 or x.shape[-1] != channels or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(
            f"{caller}: {name} must be a float array [B, H, W, {channels}], {x.dtype} {x.shape} "
            "was given"
        )


class Encoder(nn.Module):
    """The encoder: two branches of seven 3x3 convolutions; three 1x1 convolutions make the stego of
    them.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      dtype: what is computed in; parameters and the output are float32.
    """

    width: float = 1.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, cover: Array, secret: Array, *, train: bool) -> Array:
        """Hides `secret`, the guest, in `cover`, the host.

        Args:
          cover: `[B, H, W, 3]`, 0..255.
          secret: `[B, H, W, 1]`, 0..255.
          train: of no effect.

        Returns:
          `[B, H, W, 3]`, the stego in pixel units, neither rounded nor clipped.

        Raises:
          ValueError: the arrays are not such, or differ in batch, height or width.
        """
        _check_picture("atique.Encoder", "the cover", cover, 3)
        _check_picture("atique.Encoder", "the secret", secret, 1)
        if cover.shape[:-1] != secret.shape[:-1]:
            raise ValueError(
                f"atique.Encoder: cover {cover.shape} and secret {secret.shape} differ in B, H or W"
            )
        features = layers.scaled_width(BRANCH_FEATURES, self.width)
        host, guest = (cover / 255.0).astype(self.dtype), (secret / 255.0).astype(self.dtype)
        for layer in range(1, BRANCH_LAYERS + 1):
            host = nn.relu(layers.conv(features, dtype=self.dtype, name=f"host{layer}")(host))
            guest = nn.relu(layers.conv(features, dtype=self.dtype, name=f"guest{layer}")(guest))
            if layer % 2:
                host = jnp.concatenate([host, guest], axis=-1)
        for layer, channels in enumerate((16, 8), start=1):
            channels = layers.scaled_width(channels, self.width)
            host = nn.relu(layers.conv(channels, 1, dtype=self.dtype, name=f"fuse{layer}")(host))
        return layers.conv(3, 1, dtype=self.dtype, name="output")(host).astype(jnp.float32) * 255.0


class Decoder(nn.Module):
    """The decoder: seven 3x3 convolutions.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      dtype: what is computed in; parameters and the output are float32.
    """

    width: float = 1.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, stego: Array, *, train: bool) -> Array:
        """Reveals what is hidden in `stego`.

        Args:
          stego: `[B, H, W, 3]`, 0..255.
          train: of no effect.

        Returns:
          `[B, H, W, 1]`, the revealed guest in pixel units, neither rounded nor clipped.

        Raises:
          ValueError: the stego is not such an array.
        """
        _check_picture("atique.Decoder", "the stego", stego, 3)
        x = (stego / 255.0).astype(self.dtype)
        for layer, channels in enumerate(DECODER_WIDTHS, start=1):
            channels = layers.scaled_width(channels, self.width)
            x = nn.relu(layers.conv(channels, dtype=self.dtype, name=f"layer{layer}")(x))
        return layers.conv(1, dtype=self.dtype, name="output")(x).astype(jnp.float32) * 255.0
