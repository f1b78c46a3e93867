"""The networks of SSGAN (Shi, Dong, Wang, Qian and Zhang 2017): a Wasserstein GAN whose pictures
are to be safe covers.

The generator makes a picture from noise, the discriminator scores how much it looks like a
photograph. The third network, the steganalyzer, is `gncnn.SmallGNCNN`.

Noise is `[B, 100]`, usually uniform in (-1, 1). Pictures are `[B, H, W, 3]`, float32 in pixel units
0..255; inside, both networks work in [-1, 1]. H = W = 64 in the paper; any multiple of 16 will do.
Parameters depend on H and W, so a trained network is for pictures of the size it was trained on.
"""

from __future__ import annotations

import flax.linen as nn

from stegojax.models import dcgan, layers
from stegojax.types import Array

NORMALISE = ("all", "but_first", "none")
"""Which layers of the discriminator have a batch normalisation."""


class Generator(nn.Module):
    """SSGAN's generator (Figure 2): a picture from noise.

    Attributes:
      size: height and width of the pictures, a multiple of `dcgan.HALVINGS`.
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
          noise: `[B, dcgan.NOISE]`.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B, size, size, 3]`, 0..255, not rounded.

        Raises:
          ValueError: the noise is not `[B, dcgan.NOISE]` float32.
          InputError: the size is not a multiple of `dcgan.HALVINGS`.
        """
        return dcgan.grow(
            noise,
            size=self.size,
            width=self.width,
            activation=dcgan.leaky_relu,
            use_bias=True,
            train=train,
            axis_name=self.axis_name,
        )


class Discriminator(nn.Module):
    """SSGAN's discriminator D (Figure 3), a Wasserstein critic: the larger, the more like a
    photograph.

    Attributes:
      width: multiplies the channels of every hidden layer; 1 is the paper's network.
      axis_name: mapped axis over which batch statistics are averaged in training; None for one
        device.
      normalise: which layers have a batch normalisation: "all" as in the paper; "but_first",
        DCGAN's habit, for a training that diverges; "none", so that every picture is scored by
        itself, which a gradient penalty needs.
    """

    width: float = 1.0
    axis_name: str | None = None
    normalise: str = "all"

    @nn.compact
    def __call__(self, pictures: Array, *, train: bool) -> Array:
        """Scores pictures.

        Args:
          pictures: `[B, H, W, 3]`, 0..255; H and W multiples of `dcgan.HALVINGS`.
          train: normalise with the batch's own statistics and update the running ones.

        Returns:
          `[B]`, the score, of any sign.

        Raises:
          ValueError: the pictures are not `[B, H, W, 3]` float32, or `normalise` is unknown.
          InputError: height or width is not a multiple of `dcgan.HALVINGS`.
        """
        dcgan.check_pictures("SSGAN's discriminator", pictures)
        if self.normalise not in NORMALISE:
            raise ValueError(
                f"ssgan.Discriminator: normalise must be one of {', '.join(NORMALISE)}, "
                f"{self.normalise!r} was given"
            )
        x = pictures / 127.5 - 1.0
        for i, features in enumerate(dcgan.FEATURES, start=1):
            x = layers.conv(
                layers.scaled_width(features, self.width), 5, stride=2, name=f"conv{i}"
            )(x)
            if self.normalise == "all" or (self.normalise == "but_first" and i > 1):
                x = layers.batch_norm(train=train, axis_name=self.axis_name, name=f"norm{i}")(x)
            x = dcgan.leaky_relu(x)
        return nn.Dense(1, kernel_init=dcgan.dcgan_init, name="full")(x.reshape(x.shape[0], -1))[
            :, 0
        ]
