"""The target: the steganalyzer that adversarial embedding (`advemb`, `ugs`) is to deceive. It
learns to tell covers from stegos of an initial scheme, and may begin from another run's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from stegojax import embed, optimizers
from stegojax.methods import steganalyzer, trained
from stegojax.types import WET_COST, Array, Params, State

_LARGEST = 0.99 * WET_COST


class Fields(NamedTuple):
    """Fields of a config's `method` section; all are those of `steganalyzer.Fields`, but that the
    scheme is the initial one, of one phase.
    """

    network: str
    optimizer: Mapping[str, Any]
    scheme: str = "hill"
    payload: float = 0.4
    curriculum: Sequence[tuple[float, int]] = ()
    width: float = 1.0
    network_from: str = ""


class Target(NamedTuple):
    """What a trained run embeds against.

    base:                        the initial scheme.
    module, params, batch_stats: the steganalyzer.
    """

    base: embed.Scheme
    module: nn.Module
    params: Params
    batch_stats: Params


def arguments(
    fields: Fields, *, steps_per_epoch: int, load: trained.Load | None = None
) -> dict[str, Any]:
    """What a `make` takes to train the target.

    Args:
      fields: of the config.
      steps_per_epoch: the unit of the optimiser's schedule.
      load: loads other runs; None where nothing is begun from them.

    Returns:
      `base`, `module`, `optimizer`, `curriculum` and `start`.

    Raises:
      InputError: a name is unknown, or the steganalyzer to begin from was trained on other stegos.
    """
    trained.check_same_scheme(load, fields.network_from, fields.scheme)
    given = trained.network(load, fields.network_from, steganalyzer.NAME)
    return {
        "base": trained.scheme(fields.scheme, load),
        "module": steganalyzer.build(fields.network, width=fields.width),
        "optimizer": optimizers.make(**fields.optimizer, steps_per_epoch=steps_per_epoch),
        "curriculum": fields.curriculum,
        "start": {} if given is None else {steganalyzer.NAME: given},
    }


def of_run(state: State, fields: Fields, *, load: trained.Load | None = None) -> Target:
    """The target of a trained run.

    Args:
      state: of the run.
      fields: of its config.
      load: loads other runs; needed where the initial scheme is another run's.

    Returns:
      The target, holding the state's parameters.
    """
    state = jax.tree.map(jnp.asarray, state)
    base = trained.freeze(trained.scheme(fields.scheme, load))
    return Target(
        base.attach(state.params.get(steganalyzer.FROZEN, [])),
        steganalyzer.build(fields.network, width=fields.width),
        state.params[steganalyzer.NAME],
        state.batch_stats[steganalyzer.NAME],
    )


def dearer(rho: Array, factor: float) -> Array:
    """Costs of changes that become dearer, but none forbidden.

    Args:
      rho: any shape.
      factor: above 1.

    Returns:
      The same shape.
    """
    return jnp.minimum(rho * factor, _LARGEST)
