"""SGAN: a DCGAN whose pictures are to look real and to be good to hide in (Volkhonskiy, Borisenko,
Burnaev 2016).

The system that SSGAN is compared with; the game is `generation.game`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn

from stegojax import parallel
from stegojax.methods import generation
from stegojax.models import dcgan
from stegojax.types import Method


def make(
    *,
    steps_per_epoch: int,
    optimizer: Mapping[str, Any],
    steganalyzer_optimizer: Mapping[str, Any],
    size: int = 64,
    width: float = 1.0,
    alpha: float = 0.5,
    scheme: str = "lsb-matching",
    payload: float = 0.4,
    deceit: str = "cover",
    discriminator_updates: int = 1,
    generator_updates: int = 2,
) -> Method:
    """SGAN as a `Method`; its networks are "generator", "discriminator" and "steganalyzer".

    Args:
      steps_per_epoch, optimizer, steganalyzer_optimizer, alpha, scheme, payload, deceit,
        discriminator_updates,
        generator_updates: see `generation.game`.
      size: height and width of the pictures, a multiple of 16.
      width: factor on every hidden channel count; 1 is the paper's.

    Raises:
      InputError: a number is out of range.
    """
    options = dict(width=width, axis_name=parallel.AXIS)
    networks = generation.Networks(
        dcgan.Generator(size=size, **options),
        dcgan.Discriminator(**options),
        dcgan.Steganalyzer(**options),
    )
    return generation.game(
        networks,
        generation.CROSS_ENTROPY,
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
    )


def independent_steganalyzer(**section) -> nn.Module:
    """S*, which is trained afterwards and judges the system."""
    del section
    return dcgan.IndependentSteganalyzer(axis_name=parallel.AXIS)
