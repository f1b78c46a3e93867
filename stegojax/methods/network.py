"""What every method does with a network: initialise it, apply it with or without training
statistics, take a step.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import optax

from stegojax import parallel
from stegojax.types import Array, Key, Params


def initialise(key: Key, module: nn.Module, *inputs: Array) -> tuple[Params, Params]:
    """The initial parameters and BatchNorm statistics of a module.

    Args:
      key: PRNG key.
      module: called with `train`.
      inputs: arrays of the shapes that it takes.

    Returns:
      Parameters, and statistics: `{}` without BatchNorm.
    """
    variables = module.init(key, *inputs, train=False)
    return variables["params"], variables.get("batch_stats", {})


def apply(module: nn.Module, params: Params, batch_stats: Params, *inputs: Array) -> Any:
    """Applies a module with its running statistics, which stay as they are.

    Args:
      module: called with `train=False`.
      params, batch_stats: as `initialise` gives them.
      inputs: what it takes.

    Returns:
      Its output.
    """
    return module.apply(_variables(params, batch_stats), *inputs, train=False)


def apply_training(
    module: nn.Module, params: Params, batch_stats: Params, *inputs: Array, key: Key | None = None
) -> tuple[Any, Params]:
    """Applies a module with the batch's statistics.

    Args:
      module, params, batch_stats, inputs: as for `apply`.
      key: what dropout draws from, for modules that have it.

    Returns:
      Its output and the new running statistics.
    """
    output, changed = module.apply(
        _variables(params, batch_stats),
        *inputs,
        train=True,
        mutable=["batch_stats"],
        rngs=None if key is None else {"dropout": key},
    )
    return output, changed.get("batch_stats", {})


def _variables(params: Params, batch_stats: Params) -> dict[str, Params]:
    return {"params": params, "batch_stats": batch_stats} if batch_stats else {"params": params}


def descend(
    optimizer: optax.GradientTransformation, gradients: Params, opt_state: Any, params: Params
) -> tuple[Params, Any, Array]:
    """One step of an optimiser; gradients are averaged over all devices.

    Args:
      optimizer: whose step it is.
      gradients: of this device's share of the batch, a tree like `params`.
      opt_state: the optimiser's.
      params: what is trained.

    Returns:
      The new parameters, the new optimiser state, and the averaged gradients' global norm.
    """
    gradients = parallel.mean(gradients)
    updates, opt_state = optimizer.update(gradients, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, optax.tree.norm(gradients)


def split_keys(key: Key, *names: str) -> dict[str, Key]:
    """One key for each name, which does not depend on the other names.

    Args:
      key: PRNG key.
      names: of networks, or of what else is drawn.

    Returns:
      Name -> key.
    """
    return {
        name: jax.random.fold_in(
            key, sum(ord(letter) * 31**i for i, letter in enumerate(name)) % (1 << 31)
        )
        for name in names
    }
