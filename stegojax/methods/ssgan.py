"""SSGAN: a Wasserstein GAN whose pictures are to look real and to be good to hide in (Shi, Dong,
Wang, Qian, Zhang 2017).

The game is `generation.game`; the critic is kept from being steep by clipping its weights, or by a
gradient penalty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn

from stegojax import parallel
from stegojax.errors import InputError
from stegojax.methods import generation
from stegojax.models import gncnn
from stegojax.models import ssgan as models
from stegojax.types import Method


def make(
    *,
    steps_per_epoch: int,
    optimizer: Mapping[str, Any],
    steganalyzer_optimizer: Mapping[str, Any],
    size: int = 64,
    width: float = 1.0,
    alpha: float = 0.9,
    scheme: str = "lsb-matching",
    payload: float = 0.4,
    deceit: str = "cover",
    discriminator_updates: int = 1,
    generator_updates: int = 2,
    clip: float = 0.01,
    penalty: float = 0.0,
    normalise: str = "all",
    normalise_steganalyzer: bool = False,
) -> Method:
    """SSGAN as a `Method`, Section 2.2 of the paper; its networks are "generator", "discriminator"
    and "steganalyzer".

    Args:
      steps_per_epoch, optimizer, steganalyzer_optimizer, alpha, scheme, payload, deceit,
        discriminator_updates,
        generator_updates: see `generation.game`.
      size: height and width of the pictures, a multiple of 16.
      width: factor on every hidden channel count of generator and critic; 1 is the paper's.
      clip: bound of the critic's weights; 0 with a gradient penalty.
      penalty: weight of the gradient penalty in place of clipping; 0 for none.
      normalise: which of the critic's layers have a batch normalisation, see `models.ssgan.Critic`;
        "none" with a penalty.
      normalise_steganalyzer: batch normalisation in the steganalyzer, see
        `models.gncnn.SmallGNCNN`.

    Raises:
      InputError: a number is out of range, or the critic is bounded in neither or both ways.
    """
    if normalise not in models.NORMALISE:
        raise InputError(
            f"method.normalise {normalise!r} is unknown; there are {', '.join(models.NORMALISE)}"
        )
    if (clip > 0) == (penalty > 0):
        raise InputError(
            "a Wasserstein critic is bounded by clipping or by a penalty: one of "
            f"method.clip={clip} and "
            f"method.penalty={penalty} must be above 0 and the other 0"
        )
    if penalty and normalise != "none":
        raise InputError(
            "a gradient penalty needs a critic that judges every picture by itself; set "
            "method.normalise=none"
        )
    options = dict(width=width, axis_name=parallel.AXIS)
    networks = generation.Networks(
        models.Generator(size=size, **options),
        models.Critic(normalise=normalise, **options),
        gncnn.SmallGNCNN(axis_name=parallel.AXIS, normalise=normalise_steganalyzer),
    )
    return generation.game(
        networks,
        generation.WASSERSTEIN,
        steps_per_epoch=steps_per_epoch,
        optimizer=optimizer,
        steganalyzer_optimizer=steganalyzer_optimizer,
        size=size,
        alpha=alpha,
        scheme=scheme,
        payload=payload,
        deceit=deceit,
        discriminator_updates=discriminator_updates,
        generator_updates=generator_updates,
        clip=clip,
        penalty=penalty,
    )


def independent_steganalyzer(**section) -> nn.Module:
    """S*, which is trained afterwards and judges the system: the network of S, as the paper
    says.
    """
    return gncnn.SmallGNCNN(
        axis_name=parallel.AXIS, normalise=section.get("normalise_steganalyzer", False)
    )
