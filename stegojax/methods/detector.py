"""A steganalyzer trained on what a frozen method embeds, in pairs of cover and stego: ISGAN's Table
6.

The method under attack is part of the state (`params["attacked"]`), without an optimiser: its
stegos are made inside the step, rounded, and no gradient reaches it. The same detector is tested on
another method's stegos by putting that one in its place (`attack`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from stegojax import losses, optimizers, parallel
from stegojax.images import rgb_to_ycbcr
from stegojax.methods import network
from stegojax.types import Array, Method, State

COVER, STEGO = 0, 1


def make(
    steganalyzer: nn.Module,
    attacked: Method,
    attacked_state: State,
    *,
    steps_per_epoch: int,
    optimizer: Mapping[str, Any],
) -> Method:
    """The training of a steganalyzer as a `Method`.

    Args:
      steganalyzer: a module that takes YCbCr pictures `[B, H, W, 3]` and gives logits `[B, 2]`,
        label 1 for stego.
      attacked: the method whose stegos are to be told from covers; a batch is what its `predict`
        takes.
      attacked_state: its trained state.
      steps_per_epoch: the unit of the optimiser's schedule.
      optimizer: the arguments of `optimizers.make`.
    """
    optimizer_steps = optimizers.make(**optimizer, steps_per_epoch=steps_per_epoch)

    def init(key, batch):
        params, stats = network.initialise(key, steganalyzer, batch["cover"])
        return attack(
            State(
                jnp.int32(0),
                {"steganalyzer": params},
                {"steganalyzer": stats},
                {"steganalyzer": optimizer_steps.init(params)},
            ),
            attacked_state,
        )

    def stegos(state: State, batch, key) -> Array:
        frozen = State(state.step, state.params["attacked"], state.batch_stats["attacked"], {})
        return jax.lax.stop_gradient(attacked.predict(frozen, batch, key)["stego"])

    def loss_fn(params, stats, cover, stego):
        logits, stats = network.apply_training(
            steganalyzer, params, stats, rgb_to_ycbcr(jnp.concatenate([cover, stego]))
        )
        labels = jnp.repeat(jnp.asarray([COVER, STEGO]), cover.shape[0])
        value = jnp.mean(losses.softmax_cross_entropy(logits, labels))
        return value, (stats, jnp.mean(jnp.argmax(logits, axis=-1) == labels))

    def train_step(state, batch, key):
        stego = stegos(state, batch, key)
        params, stats, opt_state = (
            dict(state.params),
            dict(state.batch_stats),
            dict(state.opt_state),
        )
        (loss, (stats["steganalyzer"], accuracy)), gradients = jax.value_and_grad(
            loss_fn, has_aux=True
        )(params["steganalyzer"], stats["steganalyzer"], batch["cover"], stego)
        params["steganalyzer"], opt_state["steganalyzer"], norm = network.descend(
            optimizer_steps, gradients, opt_state["steganalyzer"], params["steganalyzer"]
        )
        values = {"loss": loss, "accuracy": accuracy, "gradient_norm": norm}
        return State(state.step + 1, params, stats, opt_state), parallel.mean(values)

    def predict(state, batch, key):
        stego = stegos(state, batch, key)
        params, stats = state.params["steganalyzer"], state.batch_stats["steganalyzer"]

        def score(pictures):
            return jax.nn.softmax(
                network.apply(steganalyzer, params, stats, rgb_to_ycbcr(pictures))
            )[:, STEGO]

        return {"stego": stego, "cover_score": score(batch["cover"]), "stego_score": score(stego)}

    def measure(batch, outputs):
        right = (outputs["cover_score"] < 0.5).astype(jnp.float32) + (outputs["stego_score"] >= 0.5)
        return {"accuracy": right / 2}

    return Method(init, train_step, predict, measure)


def attack(state: State, attacked_state: State) -> State:
    """A detector's state with another trained method of the same networks put in place of the one
    it attacks.
    """
    return state._replace(
        params={**state.params, "attacked": attacked_state.params},
        batch_stats={**state.batch_stats, "attacked": attacked_state.batch_stats},
    )
