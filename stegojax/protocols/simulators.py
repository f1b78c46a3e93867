"""What stands in for the staircase while costs are learned: how near each simulator is to it, and
what gradient it lets through. UT-GAN's paper makes this comparison of its double tanh with
ASDL-GAN's network.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from stegojax import probabilities, run
from stegojax.costs import COSTS
from stegojax.methods import adjustment, cost_learner, simulators
from stegojax.models import asdlgan
from stegojax.tables import markdown
from stegojax.types import Array, ChangeProbabilities, Params

STEPS = 100
"""Steps of the training of a network that is compared, as in ASDL-GAN's own first stage."""

_COVERS = 16
_FRACTION = (0.05, 0.95)
_STEEP = 0.1
_TITLES = (
    "Simulator",
    "MSE",
    "wrong when rounded (%)",
    "fractional of the changed (%)",
    "slope above .1 (% of pixels)",
    "mean slope",
    "largest slope",
)


def evaluate(
    config: ml_collections.ConfigDict, workdir: pathlib.Path, loaded: run.Loaded
) -> tuple[str, dict[str, Any]]:
    """The table of simulators, on HILL's change probabilities of held-out covers at the run's
    payload.

    Args:
      config: of the run.
      workdir: of the run.
      loaded: the run, whose own simulator is compared where it has learned one.

    Returns:
      The table, and "simulators", by name, the figures of each.
    """
    del workdir
    with run.loader(config, "held_out") as loader:
        covers = np.concatenate([batch["cover"] for batch, _ in zip(loader, range(_COVERS))])
    costs = COSTS["hill"](jnp.asarray(covers[:_COVERS, ..., 0]))
    chances = adjustment.change_probabilities(costs, config.method.payload)
    compared: dict[str, cost_learner.Draw] = {
        "staircase": probabilities.staircase,
        "straight through": probabilities.straight_through,
        "double tanh": probabilities.double_tanh,
    }
    for activation in asdlgan.ACTIVATIONS:
        module = asdlgan.EmbeddingSimulator(activation)
        compared[f"TES, {activation}"] = simulators.learned(module, trained(module))
    if simulators.NAME in loaded.state.params:
        module = asdlgan.EmbeddingSimulator(config.method.tes_activation)
        own = jax.tree.map(jnp.asarray, loaded.state.params[simulators.NAME])
        compared["TES, this run's"] = simulators.learned(module, own)
    results = {name: figures(draw, chances) for name, draw in compared.items()}
    rows = [[name, *(f"{value:.3g}" for value in row.values())] for name, row in results.items()]
    text = "Simulators beside the staircase, HILL's probabilities:\n\n" + markdown(_TITLES, rows)
    return text, {"simulators": results}


def trained(module: asdlgan.EmbeddingSimulator) -> Params:
    """A network that has learned to imitate the staircase.

    Args:
      module: the network.

    Returns:
      Its parameters.
    """
    empty = cost_learner.State(jnp.int32(0), {}, {}, {})
    state = simulators.begun(jax.random.key(0), module, empty, STEPS)
    step = jax.jit(simulators.imitation_step(module, STEPS))
    for number in range(STEPS):
        state, _ = step(state, {}, jax.random.key(number))
    return state.params[simulators.NAME]


def figures(draw: Callable[..., Array], chances: ChangeProbabilities) -> dict[str, float]:
    """How near a simulator is to the staircase, and its slope by P, the probability of a change.

    Args:
      draw: `(key, probabilities) -> modifications`.
      chances: any shape; both directions are equally likely.

    Returns:
      "mse"; "wrong", "fractional" and "steep" in percent; "slope", the mean of its size, and
      "largest_slope".
    """
    key, change = jax.random.key(1), chances.plus + chances.minus

    def of_change(change):
        return draw(key, ChangeProbabilities(change / 2, change / 2))

    given, pull = jax.vjp(of_change, change)
    slope = np.abs(np.asarray(pull(jnp.ones_like(change))[0]))
    wanted, given = np.asarray(probabilities.staircase(key, chances)), np.asarray(given)
    size = np.abs(given)
    changed = size > _FRACTION[0]
    return {
        "mse": float(np.mean((given - wanted) ** 2)),
        "wrong": 100 * float(np.mean(np.round(given) != wanted)),
        "fractional": 100 * float(np.mean(size[changed] < _FRACTION[1])),
        "steep": 100 * float(np.mean(slope > _STEEP)),
        "slope": float(slope.mean()),
        "largest_slope": float(slope.max()),
    }
