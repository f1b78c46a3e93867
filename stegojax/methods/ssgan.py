"""SSGAN: a Wasserstein GAN whose pictures are to look real and to be good to hide in (Shi, Dong,
Wang, Qian, Zhang 2017).

The game is `generation.game`; the discriminator is kept from being steep by clipping its weights,
or by a gradient penalty.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn

from stegojax import optimizers, parallel
from stegojax.errors import InputError
from stegojax.methods import generation, trained
from stegojax.methods.fields import read
from stegojax.models import gncnn
from stegojax.models import ssgan as models
from stegojax.types import Method


class Fields(NamedTuple):
    """The `method` section of a config.

    optimizer:              of generator and discriminator, the arguments of `optimizers.make`.
    steganalyzer_optimizer: of the steganalyzer, likewise.
    size:                   height and width of the pictures, a multiple of 16.
    width:                  factor on every hidden channel count of generator and discriminator; 1
                            is the paper's.
    alpha, discriminator_updates, generator_updates: see `generation.Rules`.
    scheme, payload:        of the embedding, see `generation.simulator`.
    deceit:                 a name in `generation.DECEITS`.
    clip:                   bound of the discriminator's weights; 0 with a gradient penalty.
    penalty:                weight of the gradient penalty in place of clipping; 0 for none.
    normalise:              which of the discriminator's layers have a batch normalisation, see
                            `models.ssgan.Discriminator`; "none" with a penalty.
    normalise_steganalyzer: batch normalisation in the steganalyzer, see
                            `models.gncnn.SmallGNCNN`.
    """

    optimizer: Mapping[str, Any]
    steganalyzer_optimizer: Mapping[str, Any]
    size: int = 64
    width: float = 1.0
    alpha: float = 0.9
    scheme: str = "lsb-matching"
    payload: float = 0.4
    deceit: str = "cover"
    discriminator_updates: int = 1
    generator_updates: int = 2
    clip: float = 0.01
    penalty: float = 0.0
    normalise: str = "all"
    normalise_steganalyzer: bool = False


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """SSGAN as a config names it, Section 2.2 of the paper: `generation.game` with a Wasserstein
    discriminator and GNCNN.

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
    if fields.normalise not in models.NORMALISE:
        raise InputError(
            f"method.normalise {fields.normalise!r} is unknown; there are "
            f"{', '.join(models.NORMALISE)}"
        )
    if (fields.clip > 0) == (fields.penalty > 0):
        raise InputError(
            "a Wasserstein discriminator is bounded by clipping or by a penalty: one of "
            f"method.clip={fields.clip} and method.penalty={fields.penalty} must be above 0 and "
            "the other 0"
        )
    if fields.penalty and fields.normalise != "none":
        raise InputError(
            "a gradient penalty needs a discriminator that judges every picture by itself; set "
            "method.normalise=none"
        )
    options = dict(width=fields.width, axis_name=parallel.AXIS)
    players = optimizers.make(**fields.optimizer, steps_per_epoch=steps_per_epoch)
    steganalyzers = optimizers.make(
        **fields.steganalyzer_optimizer, steps_per_epoch=steps_per_epoch
    )
    return generation.game(
        generation.Networks(
            models.Generator(size=fields.size, **options),
            models.Discriminator(normalise=fields.normalise, **options),
            gncnn.SmallGNCNN(axis_name=parallel.AXIS, normalise=fields.normalise_steganalyzer),
        ),
        generation.WASSERSTEIN._replace(deceit=generation.deceit(fields.deceit)),
        generation.Optimizers(players, players, steganalyzers),
        generation.Rules(
            fields.alpha,
            fields.discriminator_updates,
            fields.generator_updates,
            fields.clip,
            fields.penalty,
        ),
        generation.simulator(fields.scheme, payload=fields.payload),
    )


def independent_steganalyzer(section: Mapping[str, Any]) -> nn.Module:
    """S*, which is trained afterwards and judges the system: the network of S, as the paper says.

    Args:
      section: the config's `method`.

    Returns:
      The module.
    """
    return gncnn.SmallGNCNN(
        axis_name=parallel.AXIS, normalise=read(Fields, section).normalise_steganalyzer
    )
