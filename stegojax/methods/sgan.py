"""SGAN: a DCGAN whose pictures are to look real and to be good to hide in (Volkhonskiy, Borisenko,
Burnaev 2016).

The system that SSGAN is compared with; the game is `generation.game`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn

from stegojax import optimizers, parallel
from stegojax.methods import generation
from stegojax.methods.fields import from_fields
from stegojax.models import dcgan
from stegojax.types import Method


@from_fields
def from_config(
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
    """SGAN as a config names it: `generation.game` with DCGAN's networks and cross entropies.

    Args:
      steps_per_epoch: the unit of the optimisers' schedules.
      optimizer: of generator and discriminator, the arguments of `optimizers.make`.
      steganalyzer_optimizer: of the steganalyzer, likewise.
      size: height and width of the pictures, a multiple of 16.
      width: factor on every hidden channel count; 1 is the paper's.
      alpha, discriminator_updates, generator_updates: see `generation.Rules`.
      scheme, payload: of the embedding, see `generation.simulator`.
      deceit: a name in `generation.DECEITS`.

    Raises:
      InputError: a number is out of range, or a name is unknown.
    """
    options = dict(width=width, axis_name=parallel.AXIS)
    players = optimizers.make(**optimizer, steps_per_epoch=steps_per_epoch)
    steganalyzers = optimizers.make(**steganalyzer_optimizer, steps_per_epoch=steps_per_epoch)
    return generation.game(
        generation.Networks(
            dcgan.Generator(size=size, **options),
            dcgan.Discriminator(**options),
            dcgan.Steganalyzer(**options),
        ),
        generation.CROSS_ENTROPY._replace(deceit=generation.deceit(deceit)),
        generation.Optimizers(players, players, steganalyzers),
        generation.Rules(alpha, discriminator_updates, generator_updates),
        generation.simulator(scheme, payload=payload),
    )


def independent_steganalyzer(section: Mapping[str, Any]) -> nn.Module:
    """S*, which is trained afterwards and judges the system.

    Args:
      section: the config's `method`.

    Returns:
      The module.
    """
    del section
    return dcgan.IndependentSteganalyzer(axis_name=parallel.AXIS)
