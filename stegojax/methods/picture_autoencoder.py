"""Baluja's and Atique's systems: encoder and decoder for whole pictures, trained on squared errors,
without an adversary.

Both minimise `cover_weight |c - c'|^2 + secret_weight |s - s'|^2`; they differ in their networks,
in Baluja's noise on the stego before it is revealed (Baluja 2017), and in Atique's penalty on the
weights (Rehman et al. 2017), which is the optimiser's `weight_decay`. Pictures are 0..255, hidden
in all three channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from stegojax import losses, optimizers, parallel
from stegojax.errors import InputError
from stegojax.methods import network, picture_hiding
from stegojax.models import atique, baluja
from stegojax.types import Array, Key, Method, Params, State


class Networks(NamedTuple):
    """The two halves of such a system.

    init:   `(key, cover, secret) -> params` per network.
    embed:  `(params, cover, secret) -> stego`, not rounded.
    reveal: `(params, stego) -> revealed`, not rounded.
    receptive_radius: as in `Method`.
    """

    init: Callable[[Key, Array, Array], dict[str, Params]]
    embed: Callable[[dict[str, Params], Array, Array], Array]
    reveal: Callable[[dict[str, Params], Array], Array]
    receptive_radius: int


def baluja_networks(*, width: float) -> Networks:
    """Preparation, hiding and reveal network of Baluja (2017)."""
    preparation, hiding = baluja.Preparation(width=width), baluja.Hiding(width=width)
    reveal = baluja.Reveal(width=width, secret_channels=1)

    def init(key, cover, secret):
        keys = network.split_keys(key, "preparation", "hiding", "reveal")
        params = {"preparation": network.initialise(keys["preparation"], preparation, secret)[0]}
        prepared = network.apply(preparation, params["preparation"], {}, secret)
        params["hiding"] = network.initialise(keys["hiding"], hiding, cover, prepared)[0]
        params["reveal"] = network.initialise(keys["reveal"], reveal, cover)[0]
        return params

    def embed(params, cover, secret):
        prepared = network.apply(preparation, params["preparation"], {}, secret)
        return network.apply(hiding, params["hiding"], {}, cover, prepared)

    return Networks(
        init,
        embed,
        lambda params, stego: network.apply(reveal, params["reveal"], {}, stego),
        max(baluja.HIDE_RADIUS, baluja.REVEAL_RADIUS),
    )


def atique_networks(*, width: float) -> Networks:
    """Encoder and decoder of Rehman et al. (2017)."""
    encoder, decoder = atique.Encoder(width=width), atique.Decoder(width=width)

    def init(key, cover, secret):
        keys = network.split_keys(key, "encoder", "decoder")
        return {
            "encoder": network.initialise(keys["encoder"], encoder, cover, secret)[0],
            "decoder": network.initialise(keys["decoder"], decoder, cover)[0],
        }

    return Networks(
        init,
        lambda params, cover, secret: network.apply(encoder, params["encoder"], {}, cover, secret),
        lambda params, stego: network.apply(decoder, params["decoder"], {}, stego),
        max(atique.HIDE_RADIUS, atique.REVEAL_RADIUS),
    )


def make(
    networks: Callable[..., Networks],
    *,
    steps_per_epoch: int,
    optimizer: Mapping[str, Any],
    cover_weight: float = 1.0,
    secret_weight: float = 1.0,
    noise: float = 0.0,
    width: float = 1.0,
    picture_loss: Callable[[Array, Array], Array] = losses.mse,
) -> Method:
    """Such a system as a `Method`.

    Args:
      networks: `baluja_networks` or `atique_networks`.
      steps_per_epoch: the unit of the optimiser's schedule.
      optimizer: the arguments of `optimizers.make`.
      cover_weight, secret_weight: of the two squared errors, taken on values in [0, 1].
      noise: standard deviation, in pixel units, of the Gaussian noise added to the stego before it
        is revealed in training.
      width: factor on every hidden channel count; 1 is the paper's.
      picture_loss: `(x, y) -> [B]` in place of the squared error.

    Raises:
      InputError: a weight or the noise is negative.
    """
    if min(cover_weight, secret_weight, noise) < 0:
        raise InputError("cover_weight, secret_weight and noise must not be negative")
    parts = networks(width=width)
    optimizer_steps = optimizers.make(**optimizer, steps_per_epoch=steps_per_epoch)

    def init(key, batch):
        params = parts.init(key, batch["cover"], batch["secret"])
        return State(
            jnp.int32(0),
            params,
            {name: {} for name in params},
            {"all": optimizer_steps.init(params)},
        )

    def loss_fn(params, batch, key):
        stego = parts.embed(params, batch["cover"], batch["secret"])
        received = stego
        if noise:
            keys = parallel.example_keys(key, stego.shape[0])
            received = stego + noise * jax.vmap(
                lambda key: jax.random.normal(key, stego.shape[1:])
            )(keys)
        cover_loss = picture_loss(batch["cover"], stego)
        secret_loss = picture_loss(batch["secret"], parts.reveal(params, received))
        values = {"loss_cover": jnp.mean(cover_loss), "loss_secret": jnp.mean(secret_loss)}
        return jnp.mean(cover_weight * cover_loss + secret_weight * secret_loss), values

    def train_step(state, batch, key):
        (loss, values), gradients = jax.value_and_grad(loss_fn, has_aux=True)(
            state.params, batch, key
        )
        params, opt_state, norm = network.descend(
            optimizer_steps, gradients, state.opt_state["all"], state.params
        )
        values = {"loss": loss, "gradient_norm": norm, **values}
        return State(state.step + 1, params, state.batch_stats, {"all": opt_state}), parallel.mean(
            values
        )

    return Method(
        init,
        train_step,
        picture_hiding.predict_with(
            lambda state, cover, secret: parts.embed(state.params, cover, secret),
            lambda state, stego: parts.reveal(state.params, stego),
        ),
        picture_hiding.measure,
        receptive_radius=parts.receptive_radius,
    )
