"""A simulator of embedding that is a network: trained to imitate the staircase, then frozen.

ASDL-GAN's TES (Tang et al. 2017) takes the probability P of a change, half of it in each direction,
and noise.
"""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from stegojax import parallel, probabilities
from stegojax.methods import cost_learner
from stegojax.methods import network as networks
from stegojax.types import Array, ChangeProbabilities, Key, Params, State

NAME = "tes"
"""The network's name in states."""

PAIRS = 4096
"""Pairs of P and noise in an update."""

UPDATES = 40
"""Updates in a step: the network is so small that a step of one would be waiting alone."""

RATE = 1e-2
"""Of Adam at the start; it falls to 0 as a cosine does."""

LARGEST_CHANGE = 2 / 3
"""P is drawn up to this."""


def learned(module: nn.Module, params: Params) -> cost_learner.Draw:
    """A network as a simulator.

    Args:
      module: `(P, noise) -> modifications`.
      params: its parameters.

    Returns:
      `(key, probabilities) -> modifications`, with a gradient; it draws the noise of
      `probabilities.staircase`.
    """

    def draw(key: Key, chances: ChangeProbabilities) -> Array:
        noise = jax.random.uniform(key, chances.plus.shape)
        change = chances.plus + chances.minus
        modifications = module.apply({"params": jax.lax.stop_gradient(params)}, change, noise)
        # What is certain stays so: a saturated pixel must not leave the range by a rounding.
        return jnp.where(change > 0, modifications, 0.0)

    return draw


def begun(key: Key, module: nn.Module, state: State, steps: int) -> State:
    """A state with the network in it, before it is trained.

    Args:
      key: PRNG key.
      module: the network.
      state: of all others.
      steps: how long it will be trained.

    Returns:
      The state.
    """
    some = jnp.zeros(1)
    params, _ = networks.initialise(key, module, some, some)
    return state._replace(
        params={**state.params, NAME: params},
        batch_stats={**state.batch_stats, NAME: {}},
        opt_state={**state.opt_state, NAME: _optimizer(steps).init(params)},
    )


def finished(state: State) -> State:
    """A state in which the network is trained no more.

    Args:
      state: of the last step of its training.

    Returns:
      The state.
    """
    opt_state = {name: value for name, value in state.opt_state.items() if name != NAME}
    return state._replace(opt_state=opt_state)


def imitation_step(module: nn.Module, steps: int) -> Callable:
    """The train step in which a network learns to be the staircase.

    Args:
      module: the network.
      steps: how many of them there are.

    Returns:
      `(state, batch, key) -> (state, metrics)`, see `types.Method.train_step`; the batch is not
      looked at. "loss" is the mean squared difference, "wrong" the share that differs when rounded.
    """
    optimizer = _optimizer(steps)

    def update(carry, key):
        params, opt_state = carry
        change_key, noise_key = jax.random.split(key)
        change = jax.random.uniform(change_key, (PAIRS,), maxval=LARGEST_CHANGE)
        noise = jax.random.uniform(noise_key, (PAIRS,))
        wanted = probabilities.on_staircase(noise, ChangeProbabilities(change / 2, change / 2))

        def loss_fn(params):
            given = module.apply({"params": params}, change, noise)
            return jnp.mean((given - wanted) ** 2), jnp.mean(jnp.round(given) != wanted)

        (loss, wrong), gradients = jax.value_and_grad(loss_fn, has_aux=True)(params)
        params, opt_state, norm = networks.descend(optimizer, gradients, opt_state, params)
        return (params, opt_state), (loss, wrong, norm)

    def step(state, batch, key):
        del batch
        (params, opt_state), (loss, wrong, norm) = jax.lax.scan(
            update, (state.params[NAME], state.opt_state[NAME]), jax.random.split(key, UPDATES)
        )
        values = {"loss": jnp.mean(loss), "wrong": jnp.mean(wrong), "gradient_norm": jnp.mean(norm)}
        after = state._replace(
            step=state.step + 1,
            params={**state.params, NAME: params},
            opt_state={**state.opt_state, NAME: opt_state},
        )
        return after, parallel.mean(values)

    return step


def _optimizer(steps: int) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(RATE, steps * UPDATES))
