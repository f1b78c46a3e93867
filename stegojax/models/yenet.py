"""Ye-Net (Ye, Ni and Yi 2017): a convolutional steganalyzer whose first layer begins as the spatial
rich model's filters.

The 30 high-pass kernels are where the training of the first layer starts, not fixed; truncation
bounds their residuals. No borders are filled in anywhere, and there is no batch normalisation.

Planes are `[B, H, W, 1]`, float32 in pixel units 0..255. The classifier reads every position of the
last map, so the number of parameters depends on H and W, and a trained network judges pictures of
the size it was trained on.
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from stegojax.models import high_pass, layers
from stegojax.types import Array

MINIMUM_SIZE = 160
"""Smallest height and width of a picture: the one of which nine layers leave a single position."""

LAYERS = (
    (30, 3, 1, 0),
    (30, 3, 1, 0),
    (30, 3, 1, 2),
    (32, 5, 1, 3),
    (32, 5, 1, 3),
    (32, 5, 1, 3),
    (16, 3, 1, 0),
    (16, 3, 3, 0),
)
"""Channels, kernel size, stride, and the window of the average pooling that follows (0 for none) of
layers 2 to 9.
"""

THRESHOLD = 3.0
"""Residuals are truncated to +- this."""


def _rich_model(key, shape, dtype=jnp.float32) -> Array:
    return jnp.asarray(high_pass.SRM.transpose(1, 2, 0).reshape(shape), dtype)


class Layer(nn.Module):
    """Convolution without borders, ReLU, and average pooling with stride 2 if asked for.

    Attributes:
      features: channels.
      size: height and width of the kernel.
      stride: of the convolution.
      pool: height and width of the pooling's window; 0 for no pooling.
    """

    features: int
    size: int
    stride: int = 1
    pool: int = 0

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = nn.relu(
            layers.conv(
                self.features,
                self.size,
                stride=self.stride,
                padding="VALID",
                bias_init=nn.initializers.constant(0.2),
                name="conv",
            )(x)
        )
        return layers.padded_avg_pool(x, size=self.pool, stride=2) if self.pool else x


class YeNet(nn.Module):
    """Ye-Net: is this picture a cover (class 0) or a stego (class 1)?

    Attributes:
      width: multiplies the channels of layers 2 to 9 (the first keeps its 30 filters); 1 is the
        paper's network.
      axis_name: as every steganalyzer's; nothing here is normalised, so it has nothing to average.
    """

    width: float = 1.0
    axis_name: str | None = None

    @nn.compact
    def __call__(self, planes: Array, *, train: bool) -> Array:
        """Judges a picture.

        Args:
          planes: `[B, H, W, 1]`, 0..255; H and W at least `MINIMUM_SIZE`.
          train: as every steganalyzer's; the network computes the same in training.

        Returns:
          `[B, 2]`, logits of cover and stego.

        Raises:
          ValueError: the picture is not `[B, H, W, 1]` float32.
          InputError: the picture is smaller than `MINIMUM_SIZE`.
        """
        del train
        layers.check_planes("Ye-Net", planes, minimum_size=MINIMUM_SIZE)
        x = layers.truncate(
            layers.conv(
                len(high_pass.SRM), 5, padding="VALID", kernel_init=_rich_model, name="layer1"
            )(planes),
            THRESHOLD,
        )
        for i, (features, size, stride, pool) in enumerate(LAYERS, start=2):
            x = Layer(
                layers.scaled_width(features, self.width), size, stride, pool, name=f"layer{i}"
            )(x)
        return nn.Dense(2, kernel_init=nn.initializers.normal(0.01), name="full")(
            x.reshape(x.shape[0], -1)
        )
