"""Baluja's and Atique's systems: encoder and decoder for whole pictures, trained on squared errors,
without an adversary.

Both minimise `cover_weight |c - c'|^2 + secret_weight |s - s'|^2`; they differ in their networks,
in Baluja's noise on the stego before it is revealed (Baluja 2017), and in Atique's penalty on the
weights (Rehman et al. 2017), which is the optimiser's `weight_decay`. Pictures are 0..255, hidden
in all three channels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from stegojax import losses, optimizers, parallel
from stegojax.errors import InputError
from stegojax.methods import network, picture_hiding, trained
from stegojax.methods.fields import read
from stegojax.models import atique, baluja
from stegojax.types import Array, Batch, Key, Method, Metrics, Params, State


class Networks(NamedTuple):
    """The two halves of such a system.

    init:             `(key, cover, secret) -> params` per network.
    embed:            `(params, cover, secret) -> stego`, not rounded.
    reveal:           `(params, stego) -> revealed`, not rounded.
    receptive_radius: as in `Method`.
    """

    init: Callable[[Key, Array, Array], dict[str, Params]]
    embed: Callable[[dict[str, Params], Array, Array], Array]
    reveal: Callable[[dict[str, Params], Array], Array]
    receptive_radius: int


class Objective(NamedTuple):
    """What the networks descend.

    picture_loss:                `(x, y) -> [B]`, of covers and stegos and of secrets and what is
                                 revealed.
    cover_weight, secret_weight: of the two.
    noise:                       standard deviation, in grey levels, of the Gaussian noise that is
                                 added to the stego before it is revealed.
    """

    picture_loss: Callable[[Array, Array], Array]
    cover_weight: float
    secret_weight: float
    noise: float


def baluja_networks(*, width: float = 1.0, secret_colour: bool = False) -> Networks:
    """Preparation, hiding and reveal network of Baluja (2017).

    Args:
      width: factor on every hidden channel count; 1 is the paper's.
      secret_colour: whether secrets are colour pictures, as in the paper, or grey ones, as where
        ISGAN is compared with it.

    Returns:
      The system's halves, with the networks "preparation", "hiding" and "reveal".
    """
    preparation, hiding = baluja.Preparation(width=width), baluja.Hiding(width=width)
    channels = 3 if secret_colour else 1
    reveal = baluja.Reveal(width=width, secret_channels=channels)

    def init(key, cover, secret):
        if secret.shape[-1] != channels:
            raise InputError(
                f"the data's secrets have {secret.shape[-1]} channels and the run's {channels}: "
                "set data.secret_colour and method.secret_colour alike"
            )
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


def atique_networks(*, width: float = 1.0, secret_colour: bool = False) -> Networks:
    """Encoder and decoder of Rehman et al. (2017).

    Args:
      width: factor on every hidden channel count; 1 is the paper's.
      secret_colour: must be False: these networks hide grey pictures.

    Returns:
      The system's halves, with the networks "encoder" and "decoder".

    Raises:
      InputError: colour is asked for.
    """
    if secret_colour:
        raise InputError("method.secret_colour=True is for Baluja's networks; Atique's hide grey")
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
    networks: Networks,
    *,
    optimizer: optax.GradientTransformation,
    cover_weight: float = 1.0,
    secret_weight: float = 1.0,
    noise: float = 0.0,
    picture_loss: Callable[[Array, Array], Array] = losses.mse,
) -> Method:
    """Such a system as a `Method`.

    Args:
      networks: the system's halves.
      optimizer: of all networks.
      cover_weight, secret_weight: of the two losses.
      noise: standard deviation, in grey levels, of the Gaussian noise added to the stego before it
        is revealed in training.
      picture_loss: `(x, y) -> [B]`; the squared error is taken on values in [0, 1].

    Returns:
      The method.

    Raises:
      InputError: a weight or the noise is negative.
    """
    if min(cover_weight, secret_weight, noise) < 0:
        raise InputError("cover_weight, secret_weight and noise must not be negative")
    objective = Objective(picture_loss, cover_weight, secret_weight, noise)
    return Method(
        partial(_init, networks, optimizer),
        partial(_train_step, networks, objective, optimizer),
        picture_hiding.predict_with(
            lambda state, cover, secret: networks.embed(state.params, cover, secret),
            lambda state, stego: networks.reveal(state.params, stego),
        ),
        picture_hiding.measure,
        receptive_radius=networks.receptive_radius,
    )


class Fields(NamedTuple):
    """The `method` section of a config.

    optimizer: the arguments of `optimizers.make`.
    width, secret_colour: of the networks.
    cover_weight, secret_weight, noise: see `make`.
    """

    optimizer: Mapping[str, Any]
    cover_weight: float = 1.0
    secret_weight: float = 1.0
    noise: float = 0.0
    width: float = 1.0
    secret_colour: bool = False


def from_config(
    networks: Callable[..., Networks],
    section: Mapping[str, Any],
    *,
    steps_per_epoch: int,
    load: trained.Load | None = None,
) -> Method:
    """Such a system as a config names it.

    Args:
      networks: `baluja_networks` or `atique_networks`.
      section: see `Fields`.
      steps_per_epoch: the unit of the optimiser's schedule.
      load: not used.

    Returns:
      The method.

    Raises:
      InputError: a field is unknown, or a number is out of range.
    """
    del load
    fields = read(Fields, section)
    return make(
        networks(width=fields.width, secret_colour=fields.secret_colour),
        optimizer=optimizers.make(**fields.optimizer, steps_per_epoch=steps_per_epoch),
        cover_weight=fields.cover_weight,
        secret_weight=fields.secret_weight,
        noise=fields.noise,
    )


def _init(
    networks: Networks, optimizer: optax.GradientTransformation, key: Key, batch: Batch
) -> State:
    params = networks.init(key, batch["cover"], batch["secret"])
    return State(
        jnp.int32(0), params, {name: {} for name in params}, {"all": optimizer.init(params)}
    )


def _loss(
    params: dict[str, Params], batch: Batch, key: Key, networks: Networks, objective: Objective
) -> tuple[Array, Metrics]:
    stego = networks.embed(params, batch["cover"], batch["secret"])
    received = stego
    if objective.noise:
        keys = parallel.example_keys(key, stego.shape[0])
        received = stego + objective.noise * jax.vmap(
            lambda key: jax.random.normal(key, stego.shape[1:])
        )(keys)
    cover_loss = objective.picture_loss(batch["cover"], stego)
    secret_loss = objective.picture_loss(batch["secret"], networks.reveal(params, received))
    total = jnp.mean(objective.cover_weight * cover_loss + objective.secret_weight * secret_loss)
    return total, {"loss_cover": jnp.mean(cover_loss), "loss_secret": jnp.mean(secret_loss)}


def _train_step(
    networks: Networks,
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: State,
    batch: Batch,
    key: Key,
) -> tuple[State, Metrics]:
    (loss, leaves), gradients = jax.value_and_grad(_loss, has_aux=True)(
        state.params, batch, key, networks, objective
    )
    params, opt_state, norm = network.descend(
        optimizer, gradients, state.opt_state["all"], state.params
    )
    state = State(state.step + 1, params, state.batch_stats, {"all": opt_state})
    return state, parallel.mean({"loss": loss, "gradient_norm": norm, **leaves})
