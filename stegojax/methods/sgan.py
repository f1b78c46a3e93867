"""SGAN: a DCGAN whose pictures are to look real and to be good to hide in (Volkhonskiy, Borisenko,
Burnaev 2016).

The system that SSGAN is compared with; the game is `generation.game`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn

from stegojax import optimizers, parallel
from stegojax.methods import generation, trained
from stegojax.methods.fields import read
from stegojax.models import dcgan
from stegojax.types import Method


class Fields(NamedTuple):
    """The `method` section of a config.

    optimizer:              of generator and discriminator, the arguments of `optimizers.make`.
    steganalyzer_optimizer: of the steganalyzer, likewise.
    size:                   height and width of the pictures, a multiple of 16.
    width:                  factor on every hidden channel count; 1
                            is the paper's.
    alpha, discriminator_updates, generator_updates: see `generation.Rules`.
    scheme, payload:        of the embedding, see `generation.simulator`.
    deceit:                 a name in `generation.DECEITS`.
    """

    optimizer: Mapping[str, Any]
    steganalyzer_optimizer: Mapping[str, Any]
    size: int = 64
    width: float = 1.0
    alpha: float = 0.5
    scheme: str = "lsb-matching"
    payload: float = 0.4
    deceit: str = "cover"
    discriminator_updates: int = 1
    generator_updates: int = 2


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """SGAN as a config names it: `generation.game` with DCGAN's networks and cross entropies.

    Args:
      section: see `Fields`.
      steps_per_epoch: the unit of the optimisers' schedules.
      load: not used.

    Returns:
      The method.

    Raises:
      InputError: a field or a name is unknown, or a number is out of range.
    """
    del load
    fields = read(Fields, section)
    options = dict(width=fields.width, axis_name=parallel.AXIS)
    players = optimizers.make(**fields.optimizer, steps_per_epoch=steps_per_epoch)
    steganalyzers = optimizers.make(
        **fields.steganalyzer_optimizer, steps_per_epoch=steps_per_epoch
    )
    return generation.game(
        generation.Networks(
            dcgan.Generator(size=fields.size, **options),
            dcgan.Discriminator(**options),
            dcgan.Steganalyzer(**options),
        ),
        generation.CROSS_ENTROPY._replace(deceit=generation.deceit(fields.deceit)),
        generation.Optimizers(players, players, steganalyzers),
        generation.Rules(fields.alpha, fields.discriminator_updates, fields.generator_updates),
        generation.simulator(fields.scheme, payload=fields.payload),
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
