"""The training that systems hiding bits have in common: encoder and decoder together, against
critics; then separable fine-tuning.

A system says what it consists of (`System`) and how it weighs its losses; the stages are

    warm_up    the cover's weight rises from a small share of its own to the whole, so that bits are
               learned before they are hidden
    joint      the whole loss: the encoder and the decoder descend it, the critics theirs
    separable  `separable.py`

A batch is `{"cover": [B, H, W, C]}`, pixel units 0..255; messages are drawn anew in every step.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from stegojax import losses, optimizers, parallel
from stegojax.errors import InputError
from stegojax.methods import bit_hiding, network, separable
from stegojax.models import sftn as sftn_models
from stegojax.types import Array, Method, Stage, State

STAGES = ("warm_up", "joint", "separable")
"""The stages' names."""

UNITS = ("steps", "epochs")
"""What the lengths of the stages may be in."""

ROUNDINGS = {
    "none": lambda key, stego: stego,
    "straight_through": lambda key, stego: sftn_models.straight_through_rounding(stego),
    "noise": sftn_models.rounding_noise,
}
"""What stands for rounding while encoder and decoder are trained together: `(key, stego) -> stego`,
by name.
"""


class Critic(NamedTuple):
    """A network that judges what a system makes.

    module: `pictures -> [B, 1]`.
    loss:   `(scores of what is real, scores of what is made) -> [B]`, which the critic descends.
    deceit: the same, which encoder and decoder descend.
    weight: of `deceit`.
    judged: `(cover, stego, message, output of the decoder) -> (real, made)`, what the critic sees,
      of one shape.
    """

    module: nn.Module
    loss: Callable[[Array, Array], Array]
    deceit: Callable[[Array, Array], Array]
    weight: float
    judged: Callable[[Array, Array, Array, Array], tuple[Array, Array]] = (
        lambda cover, stego, message, output: (cover, stego)
    )


class System(NamedTuple):
    """Networks that hide bits in pictures and read them, and their losses.

    shape:        of the messages.
    encoder:      the module `(cover, message) -> output`.
    decoder:      the module `stego -> output`.
    message_loss: `(output of the decoder, message) -> [B]`.
    cover_loss:   `(cover, stego) -> [B]`.
    critics:      by network name.
    stego:        `(cover, output of the encoder) -> stego`, not yet rounded.
    logits:       `output of the decoder -> logits`, positive for 1.
    critic_first: whether critics take their step before encoder and decoder, which then face the
                  new ones.
    contrast:     `(output of the decoder for covers, for stegos) -> [B]`, or None: one more loss,
                  with its weight in it.
    receptive_radius, size_multiple: see `Method`.
    """

    shape: bit_hiding.MessageShape
    encoder: nn.Module
    decoder: nn.Module
    message_loss: Callable[[Array, Array], Array]
    cover_loss: Callable[[Array, Array], Array]
    critics: dict[str, Critic]
    stego: Callable[[Array, Array], Array] = lambda cover, output: output
    logits: Callable[[Array], Array] = lambda output: output
    critic_first: bool = False
    contrast: Callable[[Array, Array], Array] | None = None
    receptive_radius: int | None = None
    size_multiple: int = 1


def squared_error(scale: float) -> Callable[[Array, Array], Array]:
    """The mean squared difference of covers and stegos as a loss.

    Args:
      scale: how many grey levels are 1: 127.5 for papers with pictures in [-1, 1].

    Returns:
      `(cover, stego) -> [B]`.
    """
    return functools.partial(losses.mse, max_value=scale)


def absolute_error(scale: float) -> Callable[[Array, Array], Array]:
    """The mean absolute difference of covers and stegos as a loss; see `squared_error`."""
    return functools.partial(losses.mean_absolute_error, max_value=scale)


def classifier(module: nn.Module, weight: float) -> Critic:
    """A critic that learns to tell covers (positive scores) from stegos, and that is deceived
    without saturation.

    The adversaries of Hayes and Danezis 2017 and of HiDDeN, with cross entropies.

    Args:
      module: `pictures -> [B, 1]`, logits.
      weight: of the deceit.
    """

    def loss(real: Array, made: Array) -> Array:
        return losses.bit_cross_entropy(real, jnp.ones_like(real)) + losses.bit_cross_entropy(
            made, jnp.zeros_like(made)
        )

    def deceit(real: Array, made: Array) -> Array:
        del real
        return losses.bit_cross_entropy(made, jnp.ones_like(made))

    return Critic(module, loss, deceit, weight)


SURE = 1e-3
"""How near to 0 and 1 a probability may come before its logit is taken."""


def logits_of(probabilities: Array) -> Array:
    """The logits of estimated probabilities, which may lie outside 0 to 1.

    Args:
      probabilities: of 1, any shape.

    Returns:
      Same shape, within +-ln((1 - SURE) / SURE); 0 at one half.
    """
    inside = jnp.clip(probabilities, SURE, 1.0 - SURE)
    return jnp.log(inside) - jnp.log1p(-inside)


def make(
    system: System,
    *,
    steps_per_epoch: int,
    optimizer: Mapping[str, Any],
    critic_optimizer: Mapping[str, Any],
    image_decoder_optimizer: Mapping[str, Any],
    message_weight: float,
    cover_weight: float,
    stage_lengths: Sequence[float],
    stage_unit: str = "steps",
    first_cover_weight: float = 0.02,
    joint_choice: str = "",
    rounding: str = "none",
    noise: separable.Channel = separable.undamaged,
    constrain: optax.GradientTransformation | None = None,
) -> Method:
    """The training of a system as a `Method`; its networks are "encoder", "decoder", the critics
    and, at last, "image_decoder".

    Args:
      system: what is trained.
      steps_per_epoch: the unit of the schedules.
      optimizer: of encoder and decoder, the arguments of `optimizers.make`.
      critic_optimizer, image_decoder_optimizer: of each critic and of the separable stage,
        likewise.
      message_weight, cover_weight: of the losses; each critic has its own.
      stage_lengths: how long warm-up, joint and separable stage last; all but the joint stage may
        be left out with 0.
      stage_unit: what they are in, a name in `UNITS`.
      first_cover_weight: share of `cover_weight` at the first step of the warm-up, from which it
        grows by the same factor in every step.
      joint_choice: the held-out figure by whose best evaluation in the joint stage the state is
        chosen that is fine-tuned; "" for the last state.
      rounding: what stands for rounding in the first two stages, a name in `ROUNDINGS`.
      noise: the channel between stego and decoder in all stages.
      constrain: applied to the critics' updates at last.

    Raises:
      InputError: a number or name is out of range.
    """
    if rounding not in ROUNDINGS:
        raise InputError(
            f"method.rounding {rounding!r} is unknown; there are {', '.join(ROUNDINGS)}"
        )
    weights = [message_weight, cover_weight, *(critic.weight for critic in system.critics.values())]
    if min(weights) < 0 or not 0 < first_cover_weight <= 1:
        raise InputError(
            "the weights of losses must not be negative, and method.first_cover_weight above 0 "
            "and at most 1; got "
            f"{', '.join(f'{weight:g}' for weight in (*weights, first_cover_weight))}"
        )
    lengths = _lengths(tuple(stage_lengths), stage_unit, steps_per_epoch)
    if joint_choice and not lengths["separable"]:
        raise InputError(
            f"method.joint_choice={joint_choice!r} chooses what the separable stage begins from; "
            "give it a "
            "length in method.stage_lengths, or leave the choice empty"
        )
    coder_steps = optimizers.make(**optimizer, steps_per_epoch=steps_per_epoch)
    critic_steps = optimizers.make(**critic_optimizer, steps_per_epoch=steps_per_epoch)
    critic_steps = critic_steps if constrain is None else optax.chain(critic_steps, constrain)

    def init(key, batch):
        cover = batch["cover"]
        if cover.shape[-1] != system.shape.channels:
            wanted = "True" if system.shape.channels == 3 else "False"
            raise InputError(
                f"this method hides in pictures of {system.shape.channels} channels, and the "
                "data's have "
                f"{cover.shape[-1]}; set data.colour={wanted}"
            )
        keys = network.split_keys(key, "encoder", "decoder", *system.critics)
        message = jnp.zeros((cover.shape[0], *_message_size(cover, system.shape)))
        params, stats = {}, {}
        params["encoder"], stats["encoder"] = network.initialise(
            keys["encoder"], system.encoder, cover, message
        )
        params["decoder"], stats["decoder"] = network.initialise(
            keys["decoder"], system.decoder, cover
        )
        opt_state = {"coders": coder_steps.init(params)}
        # What a critic sees has the shape of pictures or of messages.
        output = jax.eval_shape(
            lambda: network.apply(system.decoder, params["decoder"], stats["decoder"], cover)
        )
        for name, critic in system.critics.items():
            real, _ = jax.eval_shape(critic.judged, cover, cover, message, output)
            params[name], stats[name] = network.initialise(
                keys[name], critic.module, jnp.zeros(real.shape, real.dtype)
            )
            opt_state[name] = critic_steps.init(params[name])
        return State(jnp.int32(0), params, stats, opt_state)

    def hide_and_read(params, stats, batch, key):
        """Stego, message, the decoder's output and the new statistics of both, in training."""
        message_key, rounding_key, noise_key = jax.random.split(key, 3)
        cover = batch["cover"]
        message = bit_hiding.draw(message_key, cover, system.shape)
        output, encoder_stats = network.apply_training(
            system.encoder, params["encoder"], stats["encoder"], cover, message
        )
        stego = system.stego(cover, output)
        keys = parallel.example_keys(rounding_key, cover.shape[0])
        written = jax.vmap(ROUNDINGS[rounding])(keys, stego)
        output, decoder_stats = noise(
            noise_key,
            written,
            cover,
            lambda arrived: network.apply_training(
                system.decoder, params["decoder"], stats["decoder"], arrived
            ),
        )
        return stego, message, output, {"encoder": encoder_stats, "decoder": decoder_stats}

    def scores(critic, params, stats, real, made):
        """A critic's scores of both and its new statistics; side by side, since alone each would be
        normalised away.
        """
        both, stats = network.apply_training(
            critic.module, params, stats, jnp.concatenate([real, made])
        )
        return both[: real.shape[0]], both[real.shape[0] :], stats

    def coder_loss(params, state, critics, batch, key):
        """The loss of encoder and decoder, with all that the critics' steps need."""
        cover = batch["cover"]
        stego, message, output, stats = hide_and_read(params, state.batch_stats, batch, key)
        message_loss, cover_loss = (
            system.message_loss(output, message),
            system.cover_loss(cover, stego),
        )
        left = (
            jnp.maximum(0.0, 1.0 - state.step / lengths["warm_up"]) if lengths["warm_up"] else 0.0
        )
        share = first_cover_weight**left
        total = message_weight * message_loss + share * cover_weight * cover_loss
        right = (system.logits(output) > 0) == (message > 0.5)
        values = {
            "message_loss": message_loss,
            "cover_loss": cover_loss,
            "accuracy": right.astype(jnp.float32),
        }
        judged = {}
        for name, critic in system.critics.items():
            judged[name] = critic.judged(cover, stego, message, output)
            real, made, _ = scores(critic, critics[name], state.batch_stats[name], *judged[name])
            deceit = critic.deceit(real, made)
            total = total + critic.weight * deceit
            values[f"{name}_deceit"] = deceit
        if system.contrast is not None:
            from_cover, _ = network.apply_training(
                system.decoder, params["decoder"], state.batch_stats["decoder"], cover
            )
            values["contrast"] = system.contrast(from_cover, output)
            total = total + values["contrast"]
        return jnp.mean(total), (stats, jax.lax.stop_gradient(judged), values)

    def train_step(state, batch, key):
        coders = {name: state.params[name] for name in ("encoder", "decoder")}
        critics = {name: state.params[name] for name in system.critics}
        stats, opt_state = dict(state.batch_stats), dict(state.opt_state)
        values = {}

        def step_critics(judged):
            for name, critic in system.critics.items():

                def loss_fn(params, critic=critic, name=name):
                    real, made, stats = scores(
                        critic, params, state.batch_stats[name], *judged[name]
                    )
                    return jnp.mean(critic.loss(real, made)), stats

                (loss, stats[name]), gradients = jax.value_and_grad(loss_fn, has_aux=True)(
                    critics[name]
                )
                critics[name], opt_state[name], _ = network.descend(
                    critic_steps, gradients, opt_state[name], critics[name]
                )
                values[f"{name}_loss"] = loss

        if system.critic_first:
            # The compiler merges these stegos with those below: they are the same.
            _, (_, judged, _) = coder_loss(coders, state, critics, batch, key)
            step_critics(judged)
        (loss, (coder_stats, judged, found)), gradients = jax.value_and_grad(
            coder_loss, has_aux=True
        )(coders, state, critics, batch, key)
        if not system.critic_first:
            step_critics(judged)
        coders, opt_state["coders"], norm = network.descend(
            coder_steps, gradients, opt_state["coders"], coders
        )
        values |= {
            "loss": loss,
            "gradient_norm": norm,
            **{name: jnp.mean(value) for name, value in found.items()},
        }
        state = State(state.step + 1, {**coders, **critics}, {**stats, **coder_stats}, opt_state)
        return state, parallel.mean(values)

    def embed(state, cover, message):
        output = network.apply(
            system.encoder, state.params["encoder"], state.batch_stats["encoder"], cover, message
        )
        return system.stego(cover, output)

    def read_with(name):
        def read(state, stego):
            used = name if name in state.params else "decoder"
            return system.logits(
                network.apply(system.decoder, state.params[used], state.batch_stats[used], stego)
            )

        return read

    def refresh(state, batch, key):
        if separable.NAME in state.params:
            return separable.refresh(
                state,
                batch,
                key,
                embed=embed,
                decoder=system.decoder,
                shape=system.shape,
                channel=noise,
            )
        *_, stats = hide_and_read(state.params, state.batch_stats, batch, key)
        return state._replace(batch_stats={**state.batch_stats, **stats})

    stages = [
        Stage(name, lengths[name], train_step) for name in ("warm_up", "joint") if lengths[name]
    ]
    if lengths["separable"]:
        stages.append(
            separable.stage(
                steps=lengths["separable"],
                embed=embed,
                decoder=system.decoder,
                message_loss=system.message_loss,
                shape=system.shape,
                channel=noise,
                choice=joint_choice,
                optimizer=optimizers.make(
                    **image_decoder_optimizer, steps_per_epoch=steps_per_epoch
                ),
            )
        )
    predict = bit_hiding.predict_with(
        embed, read_with(separable.NAME), system.shape, read_with("decoder")
    )
    return Method(
        init,
        train_step,
        predict,
        bit_hiding.measure,
        tuple(stages),
        receptive_radius=system.receptive_radius,
        size_multiple=system.size_multiple,
        refresh=refresh,
    )


def _lengths(given: tuple[float, ...], unit: str, steps_per_epoch: int) -> dict[str, int]:
    """The stages' lengths in steps, by name."""
    if unit not in UNITS:
        raise InputError(f"method.stage_unit {unit!r} is unknown; there are {', '.join(UNITS)}")
    if len(given) != len(STAGES) or min(given) < 0 or not given[1] > 0:
        raise InputError(
            f"method.stage_lengths needs {len(STAGES)} numbers, for {', '.join(STAGES)}, none "
            "below 0 and the joint "
            f"stage's above; got {given}"
        )
    one = steps_per_epoch if unit == "epochs" else 1
    return {
        name: max(1, round(length * one)) if length else 0 for name, length in zip(STAGES, given)
    }


def _message_size(cover: Array, shape: bit_hiding.MessageShape) -> tuple[int, ...]:
    return cover.shape[1:3] + (shape.depth,) if shape.depth else (shape.length,)
