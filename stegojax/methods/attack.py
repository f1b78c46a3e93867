"""A steganalyzer trained on what a frozen method embeds, in pairs of cover and stego: ISGAN's Table
6.

The method under attack is part of the state, without an optimiser: its stegos are made inside the
step, rounded, and no gradient reaches it. The same steganalyzer is tested on another method's
stegos by putting that one in its place (`attack`).
"""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
import optax

from stegojax.images import rgb_to_ycbcr
from stegojax.methods import steganalyzer
from stegojax.types import Method, State


class InYCbCr(nn.Module):
    """A steganalyzer of YCbCr pictures that is given RGB ones, `[B, H, W, 3]`, 0..255.

    Attributes:
      network: the module that judges them.
    """

    network: nn.Module

    @nn.compact
    def __call__(self, pictures, *, train: bool):
        return self.network(rgb_to_ycbcr(pictures), train=train)


def make(
    module: nn.Module,
    attacked: Method,
    attacked_state: State,
    optimizer: optax.GradientTransformation,
) -> Method:
    """The training of a steganalyzer as a `Method`.

    Args:
      module: takes pictures `[B, H, W, 3]` and gives logits `[B, 2]`, label 1 for stego.
      attacked: the method whose stegos are to be told from covers; a batch is what its `predict`
        takes.
      attacked_state: its trained state.
      optimizer: the steganalyzer's.

    Returns:
      The method, see `steganalyzer.make`.
    """

    def stegos(frozen, batch, key, payload):
        del payload
        params, batch_stats = frozen
        return attacked.predict(State(jnp.int32(0), params, batch_stats, {}), batch, key)["stego"]

    simulator = steganalyzer.Simulator(stegos, _frozen(attacked_state))
    return steganalyzer.make(module, optimizer, simulator)


def attack(state: State, attacked_state: State) -> State:
    """A steganalyzer's state with another trained method of the same networks in the place of the
    one it attacks.

    Args:
      state: of a method of `make`.
      attacked_state: of the other method.

    Returns:
      The steganalyzer's state.
    """
    return state._replace(params={**state.params, steganalyzer.FROZEN: _frozen(attacked_state)})


def _frozen(state: State):
    return state.params, state.batch_stats
