"""Baluja's networks (Baluja 2017, "Hiding images in plain sight"): a picture hidden in a colour
picture of the same size.

A preparation network turns the secret into features, a hiding network fuses them with the cover, a
reveal network takes the secret out of the stego. Each is made of three branches with kernels of 3,
4 and 5 pixels.

Pictures are `[B, H, W, C]` float32 in pixel units 0..255, in [0, 1] inside. The last layers are
linear: outputs may leave the range and are clipped when they are rounded. Any H and W. There is no
batch normalisation, so `train` changes nothing.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from stegojax.models import layers
from stegojax.types import Array

BRANCH_FEATURES = 50
"""Output channels of every layer of every branch."""

KERNELS = (3, 4, 5)
"""Kernel sizes of the branches."""

HIDE_RADIUS = 20
"""How many pixels in each direction influence one pixel of the stego: ten layers of 5x5,
preparation and hiding together.
"""

REVEAL_RADIUS = 10
"""How many pixels in each direction influence one pixel of the revealed picture: five layers of
5x5.
"""


def _check_picture(caller: str, name: str, x: Array, channels: tuple[int, ...]) -> None:
    if x.ndim != 4 or x.shape[-1] not in channels or not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(
            f"{caller}: {name} must be a float array [B, H, W, C] with C among {channels}, "
            f"{x.dtype} {x.shape} was given"
        )


def _conv(features: int, size: int, layer: int, dtype: jnp.dtype, name: str) -> nn.Module:
    # A kernel of even size reaches one pixel further on one side; alternating the side keeps the
    # picture from drifting.
    near, far = (size - 1) // 2, size // 2
    padding = (near, far) if layer % 2 == 0 else (far, near)
    return layers.conv(features, size, padding=(padding, padding), dtype=dtype, name=name)


class Branches(nn.Module):
    """Three branches of four convolutions with kernels 3, 4, 5, side by side, then one more
    convolution of each kernel.

    Attributes:
      width: multiplies the 50 channels of every layer.
      dtype: what is computed in; parameters are float32.
    """

    width: float = 1.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """`[B, H, W, C] -> [B, H, W, 150]` (at width 1)."""
        features = layers.scaled_width(BRANCH_FEATURES, self.width)
        branches = []
        for size in KERNELS:
            branch = x
            for layer in range(4):
                branch = nn.relu(
                    _conv(features, size, layer, self.dtype, f"kernel{size}_layer{layer + 1}")(
                        branch
                    )
                )
            branches.append(branch)
        x = jnp.concatenate(branches, axis=-1)
        return jnp.concatenate(
            [
                nn.relu(_conv(features, size, 4, self.dtype, f"kernel{size}_layer5")(x))
                for size in KERNELS
            ],
            axis=-1,
        )


class Preparation(nn.Module):
    """The preparation network: the secret becomes features for the hiding network.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      dtype: what is computed in; parameters are float32.
    """

    width: float = 1.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, secret: Array, *, train: bool) -> Array:
        """Prepares `secret`.

        Args:
          secret: `[B, H, W, 1]` grey or `[B, H, W, 3]` colour, 0..255; the parameters fit the one
            they were made for.
          train: of no effect.

        Returns:
          `[B, H, W, 150]` features (at width 1).

        Raises:
          ValueError: the secret is not such an array.
        """
        _check_picture("baluja.Preparation", "the secret", secret, (1, 3))
        return Branches(self.width, self.dtype, name="branches")(
            (secret / 255.0).astype(self.dtype)
        )


class Hiding(nn.Module):
    """The hiding network: cover and prepared secret become the stego.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      dtype: what is computed in; parameters and the output are float32.
    """

    width: float = 1.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, cover: Array, prepared: Array, *, train: bool) -> Array:
        """Hides what `prepared` stands for in `cover`.

        Args:
          cover: `[B, H, W, 3]`, 0..255.
          prepared: `[B, H, W, 150]`, the preparation network's output.
          train: of no effect.

        Returns:
          `[B, H, W, 3]`, the stego in pixel units, neither rounded nor clipped.

        Raises:
          ValueError: the cover is not such an array, or cover and features differ in batch, height
            or width.
        """
        _check_picture("baluja.Hiding", "the cover", cover, (3,))
        if prepared.shape[:-1] != cover.shape[:-1]:
            raise ValueError(
                f"baluja.Hiding: cover {cover.shape} and prepared secret {prepared.shape} differ "
                "in B, H or W"
            )
        x = jnp.concatenate(
            [(cover / 255.0).astype(self.dtype), prepared.astype(self.dtype)], axis=-1
        )
        x = Branches(self.width, self.dtype, name="branches")(x)
        return layers.conv(3, 1, dtype=self.dtype, name="output")(x).astype(jnp.float32) * 255.0


class Reveal(nn.Module):
    """The reveal network: the stego becomes the revealed secret.

    Attributes:
      secret_channels: 3 for the paper's colour secrets, 1 for grey ones.
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      dtype: what is computed in; parameters and the output are float32.
    """

    secret_channels: int = 3
    width: float = 1.0
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, stego: Array, *, train: bool) -> Array:
        """Reveals what is hidden in `stego`.

        Args:
          stego: `[B, H, W, 3]`, 0..255.
          train: of no effect.

        Returns:
          `[B, H, W, secret_channels]`, in pixel units, neither rounded nor clipped.

        Raises:
          ValueError: the stego is not such an array.
        """
        _check_picture("baluja.Reveal", "the stego", stego, (3,))
        x = Branches(self.width, self.dtype, name="branches")((stego / 255.0).astype(self.dtype))
        return (
            layers.conv(self.secret_channels, 1, dtype=self.dtype, name="output")(x).astype(
                jnp.float32
            )
            * 255.0
        )
