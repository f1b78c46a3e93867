"""The training that systems hiding bits have in common: encoder and decoder together, against
steganalyzers; then separable fine-tuning.

A system says what it consists of (`System`), a `Training` how long and by what it is trained; the
stages are

    warm_up    the cover's weight rises from a small share of its own to the whole, so that bits are
               learned before they are hidden
    joint      the whole loss: the encoder and the decoder descend it, the steganalyzers theirs
    separable  `separable.py`

A batch is `{"cover": [B, H, W, C]}`, pixel units 0..255; messages are drawn anew in every step.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from stegojax import losses, optimizers, parallel
from stegojax.errors import InputError
from stegojax.methods import bit_hiding, channels, network, separable
from stegojax.methods.channels import Channel, undamaged
from stegojax.models import sftn as sftn_models
from stegojax.types import Array, Batch, Key, Method, Metrics, Params, Stage, State

UNITS = ("steps", "epochs")
"""What the lengths of the stages may be in."""

ROUNDINGS: dict[str, Callable[[Key, Array], Array]] = {
    "none": lambda key, stego: stego,
    "straight_through": lambda key, stego: sftn_models.straight_through_rounding(stego),
    "noise": sftn_models.rounding_noise,
}
"""What stands for rounding while encoder and decoder are trained together: `(key, stego) -> stego`,
by name.
"""

CODERS = ("encoder", "decoder")


class Networks(NamedTuple):
    """The modules of a system with one steganalyzer.

    encoder:      `(cover, message) -> output`.
    decoder:      `stego -> output`.
    steganalyzer: `pictures -> scores [B, 1]`; None for none.
    """

    encoder: nn.Module
    decoder: nn.Module
    steganalyzer: nn.Module | None = None


class Steganalyzer(NamedTuple):
    """A network that encoder and decoder are trained against.

    module: `pictures -> scores [B, 1]`.
    loss:   `(scores of covers, scores of stegos) -> [B]`, which the steganalyzer descends.
    deceit: the same, which encoder and decoder descend.
    weight: of `deceit`.
    sees:   `(cover, stego, message, output of the decoder) -> (cover, stego)`: what it is shown in
            their place, of one shape.
    """

    module: nn.Module
    loss: Callable[[Array, Array], Array]
    deceit: Callable[[Array, Array], Array]
    weight: float
    sees: Callable[[Array, Array, Array, Array], tuple[Array, Array]] = (
        lambda cover, stego, message, output: (cover, stego)
    )


class System(NamedTuple):
    """Networks that hide bits in pictures and read them, and their losses.

    shape:               of the messages.
    encoder:             the module `(cover, message) -> output`.
    decoder:             the module `stego -> output`.
    message_loss:        `(output of the decoder, message) -> [B]`.
    cover_loss:          `(cover, stego) -> [B]`.
    steganalyzers:       by network name.
    stego:               `(cover, output of the encoder) -> stego`, not yet rounded.
    logits:              `output of the decoder -> logits`, positive for 1.
    steganalyzers_first: whether they take their step before encoder and decoder, which then face
                         the new ones.
    contrast:            `(output of the decoder for covers, for stegos) -> [B]`, or None: one more
                         loss, with its weight in it.
    receptive_radius, size_multiple: see `Method`.
    """

    shape: bit_hiding.MessageShape
    encoder: nn.Module
    decoder: nn.Module
    message_loss: Callable[[Array, Array], Array]
    cover_loss: Callable[[Array, Array], Array]
    steganalyzers: Mapping[str, Steganalyzer]
    stego: Callable[[Array, Array], Array] = lambda cover, output: output
    logits: Callable[[Array], Array] = lambda output: output
    steganalyzers_first: bool = False
    contrast: Callable[[Array, Array], Array] | None = None
    receptive_radius: int | None = None
    size_multiple: int = 1


class Lengths(NamedTuple):
    """Steps of the stages; all but the joint one may be left out with 0."""

    warm_up: int
    joint: int
    separable: int


class Training(NamedTuple):
    """How a system is trained.

    lengths:                 of the stages.
    optimizer:               of encoder and decoder.
    steganalyzer_optimizer:  of each steganalyzer.
    image_decoder_optimizer: of the separable stage.
    message_weight, cover_weight: of the losses; each steganalyzer has its own.
    first_cover_weight:      share of `cover_weight` at the first step of the warm-up, from which it
                             grows by the same factor in every step.
    joint_choice:            the held-out figure by whose best evaluation in the joint stage the
                             state is chosen that is fine-tuned; "" for the last state.
    rounding:                what stands for rounding in the first two stages, see `ROUNDINGS`.
    noise:                   what lies between stego and decoder in all stages.
    """

    lengths: Lengths
    optimizer: optax.GradientTransformation
    steganalyzer_optimizer: optax.GradientTransformation
    image_decoder_optimizer: optax.GradientTransformation
    message_weight: float
    cover_weight: float
    first_cover_weight: float = 0.02
    joint_choice: str = ""
    rounding: Callable[[Key, Array], Array] = ROUNDINGS["none"]
    noise: Channel = undamaged


class Fields(NamedTuple):
    """What the `method` section of a config says of the training, beside a method's own fields.

    optimizer, steganalyzer_optimizer, image_decoder_optimizer: the arguments of `optimizers.make`.
    stage_lengths: how long warm-up, joint and separable stage last.
    stage_unit:    what they are in, a name in `UNITS`.
    rounding:      a name in `ROUNDINGS`.
    noise:         what may happen to the stego, one of them in every step, see `channels.noise`;
                   none for no damage.
    message_weight, cover_weight, first_cover_weight, joint_choice: see `Training`.
    """

    optimizer: Mapping[str, Any]
    steganalyzer_optimizer: Mapping[str, Any]
    image_decoder_optimizer: Mapping[str, Any]
    message_weight: float
    cover_weight: float
    stage_lengths: Sequence[float]
    stage_unit: str = "steps"
    first_cover_weight: float = 0.02
    joint_choice: str = ""
    rounding: str = "none"
    noise: Sequence[str] = ()


def training(fields: Fields, *, steps_per_epoch: int) -> Training:
    """A training as a config names it.

    Args:
      fields: of the config.
      steps_per_epoch: the unit of the schedules.

    Returns:
      The training.

    Raises:
      InputError: a number or name is out of range.
    """
    if fields.rounding not in ROUNDINGS:
        raise InputError(
            f"method.rounding {fields.rounding!r} is unknown; there are {', '.join(ROUNDINGS)}"
        )
    descents = (
        optimizers.make(**given, steps_per_epoch=steps_per_epoch)
        for given in (
            fields.optimizer,
            fields.steganalyzer_optimizer,
            fields.image_decoder_optimizer,
        )
    )
    return Training(
        _lengths(tuple(fields.stage_lengths), fields.stage_unit, steps_per_epoch),
        *descents,
        fields.message_weight,
        fields.cover_weight,
        fields.first_cover_weight,
        fields.joint_choice,
        ROUNDINGS[fields.rounding],
        channels.one_of(list(channels.by_name(fields.noise).values())),
    )


def squared_error(scale: float) -> Callable[[Array, Array], Array]:
    """The mean squared difference of covers and stegos as a loss.

    Args:
      scale: how many grey levels are 1: 127.5 for papers with pictures in [-1, 1].

    Returns:
      `(cover, stego) -> [B]`.
    """
    return functools.partial(losses.mse, max_value=scale)


def absolute_error(scale: float) -> Callable[[Array, Array], Array]:
    """The mean absolute difference of covers and stegos as a loss.

    Args:
      scale: how many grey levels are 1.

    Returns:
      `(cover, stego) -> [B]`.
    """
    return functools.partial(losses.mean_absolute_error, max_value=scale)


def classifier(module: nn.Module, weight: float) -> Steganalyzer:
    """A steganalyzer with positive scores for covers, trained by cross entropy and deceived without
    saturation: those of Hayes and Danezis 2017 and of HiDDeN.

    Args:
      module: `pictures -> [B, 1]`, logits.
      weight: of the deceit.

    Returns:
      The steganalyzer with its losses.
    """

    def loss(covers: Array, stegos: Array) -> Array:
        return losses.bit_cross_entropy(covers, jnp.ones_like(covers)) + losses.bit_cross_entropy(
            stegos, jnp.zeros_like(stegos)
        )

    def deceit(covers: Array, stegos: Array) -> Array:
        del covers
        return losses.bit_cross_entropy(stegos, jnp.ones_like(stegos))

    return Steganalyzer(module, loss, deceit, weight)


def against(
    module: nn.Module | None, steganalyzer: Callable[[nn.Module], Steganalyzer]
) -> dict[str, Steganalyzer]:
    """The steganalyzers of a system that has one or none.

    Args:
      module: of the steganalyzer, or None.
      steganalyzer: `module -> Steganalyzer`, which adds the losses.

    Returns:
      By network name.
    """
    return {} if module is None else {"steganalyzer": steganalyzer(module)}


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


def make(system: System, training: Training) -> Method:
    """The training of a system as a `Method`; its networks are "encoder", "decoder", the
    steganalyzers and, at last, "image_decoder".

    Args:
      system: what is trained.
      training: how.

    Returns:
      The method.

    Raises:
      InputError: a number is out of range.
    """
    _check(system, training)
    train_step = partial(_train_step, system, training)
    lengths = training.lengths._asdict()
    stages = [
        Stage(name, lengths[name], train_step) for name in ("warm_up", "joint") if lengths[name]
    ]
    if training.lengths.separable:
        stages.append(
            separable.stage(
                steps=training.lengths.separable,
                embed=partial(_embed, system),
                decoder=system.decoder,
                message_loss=system.message_loss,
                shape=system.shape,
                channel=training.noise,
                choice=training.joint_choice,
                optimizer=training.image_decoder_optimizer,
            )
        )
    return Method(
        partial(_init, system, training),
        train_step,
        bit_hiding.predict_with(
            partial(_embed, system),
            partial(_read, system, separable.NAME),
            system.shape,
            partial(_read, system, "decoder"),
        ),
        bit_hiding.measure,
        tuple(stages),
        receptive_radius=system.receptive_radius,
        size_multiple=system.size_multiple,
        refresh=partial(_refresh, system, training),
    )


def _check(system: System, training: Training) -> None:
    weights = [training.message_weight, training.cover_weight]
    weights += [steganalyzer.weight for steganalyzer in system.steganalyzers.values()]
    if min(weights) < 0 or not 0 < training.first_cover_weight <= 1:
        shown = ", ".join(f"{weight:g}" for weight in (*weights, training.first_cover_weight))
        raise InputError(
            "the weights of losses must not be negative, and method.first_cover_weight above 0 "
            f"and at most 1; got {shown}"
        )
    if min(training.lengths) < 0 or training.lengths.joint < 1:
        raise InputError(
            "no stage may last less than 0 steps, and the joint one not less than 1; got "
            f"{tuple(training.lengths)}"
        )
    if training.joint_choice and not training.lengths.separable:
        raise InputError(
            f"method.joint_choice={training.joint_choice!r} chooses what the separable stage "
            "begins from; give it a length in method.stage_lengths, or leave the choice empty"
        )


def _lengths(given: tuple[float, ...], unit: str, steps_per_epoch: int) -> Lengths:
    if unit not in UNITS:
        raise InputError(f"method.stage_unit {unit!r} is unknown; there are {', '.join(UNITS)}")
    names = Lengths._fields
    if len(given) != len(names) or min(given) < 0 or not given[1] > 0:
        raise InputError(
            f"method.stage_lengths needs {len(names)} numbers, for {', '.join(names)}, none below "
            f"0 and the joint stage's above; got {given}"
        )
    one = steps_per_epoch if unit == "epochs" else 1
    return Lengths(*(max(1, round(length * one)) if length else 0 for length in given))


def _init(system: System, training: Training, key: Key, batch: Batch) -> State:
    cover = batch["cover"]
    if cover.shape[-1] != system.shape.channels:
        raise InputError(
            f"this method hides in pictures of {system.shape.channels} channels, and the data's "
            f"have {cover.shape[-1]}; set data.colour={system.shape.channels == 3}"
        )
    keys = network.split_keys(key, *CODERS, *system.steganalyzers)
    message = jnp.zeros((cover.shape[0], *bit_hiding.message_size(cover, system.shape)))
    params, stats = {}, {}
    params["encoder"], stats["encoder"] = network.initialise(
        keys["encoder"], system.encoder, cover, message
    )
    params["decoder"], stats["decoder"] = network.initialise(keys["decoder"], system.decoder, cover)
    opt_state = {"coders": training.optimizer.init(params)}
    # What a steganalyzer sees has the shape of pictures or of messages.
    output = jax.eval_shape(
        lambda: network.apply(system.decoder, params["decoder"], stats["decoder"], cover)
    )
    for name, steganalyzer in system.steganalyzers.items():
        shown, _ = jax.eval_shape(steganalyzer.sees, cover, cover, message, output)
        params[name], stats[name] = network.initialise(
            keys[name], steganalyzer.module, jnp.zeros(shown.shape, shown.dtype)
        )
        opt_state[name] = training.steganalyzer_optimizer.init(params[name])
    return State(jnp.int32(0), params, stats, opt_state)


def _hide_and_read(
    params: dict[str, Params],
    stats: dict[str, Params],
    batch: Batch,
    key: Key,
    system: System,
    training: Training,
) -> tuple[Array, Array, Array, dict[str, Params]]:
    """Stego, message, the decoder's output and the new statistics of both, in training."""
    message_key, rounding_key, noise_key = jax.random.split(key, 3)
    cover = batch["cover"]
    message = bit_hiding.draw(message_key, cover, system.shape)
    output, encoder_stats = network.apply_training(
        system.encoder, params["encoder"], stats["encoder"], cover, message
    )
    stego = system.stego(cover, output)
    keys = parallel.example_keys(rounding_key, cover.shape[0])
    written = jax.vmap(training.rounding)(keys, stego)
    output, decoder_stats = training.noise(
        noise_key,
        written,
        cover,
        lambda arrived: network.apply_training(
            system.decoder, params["decoder"], stats["decoder"], arrived
        ),
    )
    return stego, message, output, {"encoder": encoder_stats, "decoder": decoder_stats}


def _scores(
    module: nn.Module, params: Params, stats: Params, covers: Array, stegos: Array
) -> tuple[Array, Array, Params]:
    """A steganalyzer's scores of both and its new statistics; side by side, since alone each would
    be normalised away.
    """
    both, stats = network.apply_training(module, params, stats, jnp.concatenate([covers, stegos]))
    return both[: covers.shape[0]], both[covers.shape[0] :], stats


def _cover_share(step: Array, training: Training) -> Array | float:
    """The share of the cover's weight at a step."""
    steps = training.lengths.warm_up
    left = jnp.maximum(0.0, 1.0 - step / steps) if steps else 0.0
    return training.first_cover_weight**left


def _coder_loss(
    params: dict[str, Params],
    opponents: dict[str, Params],
    state: State,
    batch: Batch,
    key: Key,
    system: System,
    training: Training,
) -> tuple[Array, tuple[dict[str, Params], dict[str, tuple[Array, Array]], Metrics]]:
    """The loss of encoder and decoder against these steganalyzers; beside it the new statistics,
    what each steganalyzer sees, and the leaves.
    """
    cover = batch["cover"]
    stego, message, output, stats = _hide_and_read(
        params, state.batch_stats, batch, key, system, training
    )
    message_loss, cover_loss = system.message_loss(output, message), system.cover_loss(cover, stego)
    share = _cover_share(state.step, training)
    total = training.message_weight * message_loss + share * training.cover_weight * cover_loss
    is_right = (system.logits(output) > 0) == (message > 0.5)
    leaves = {
        "message_loss": message_loss,
        "cover_loss": cover_loss,
        "accuracy": is_right.astype(jnp.float32),
    }
    seen = {}
    for name, steganalyzer in system.steganalyzers.items():
        seen[name] = steganalyzer.sees(cover, stego, message, output)
        of_covers, of_stegos, _ = _scores(
            steganalyzer.module, opponents[name], state.batch_stats[name], *seen[name]
        )
        leaves[f"{name}_deceit"] = steganalyzer.deceit(of_covers, of_stegos)
        total = total + steganalyzer.weight * leaves[f"{name}_deceit"]
    if system.contrast is not None:
        from_cover, _ = network.apply_training(
            system.decoder, params["decoder"], state.batch_stats["decoder"], cover
        )
        leaves["contrast"] = system.contrast(from_cover, output)
        total = total + leaves["contrast"]
    return jnp.mean(total), (stats, jax.lax.stop_gradient(seen), leaves)


def _steganalyzer_loss(
    params: Params, stats: Params, seen: tuple[Array, Array], steganalyzer: Steganalyzer
) -> tuple[Array, Params]:
    of_covers, of_stegos, stats = _scores(steganalyzer.module, params, stats, *seen)
    return jnp.mean(steganalyzer.loss(of_covers, of_stegos)), stats


def _descend_steganalyzers(
    state: State, seen: dict[str, tuple[Array, Array]], system: System, training: Training
) -> tuple[State, Metrics]:
    """The state after a step of every steganalyzer, and their losses."""
    params, stats, opt_state = (
        dict(part) for part in (state.params, state.batch_stats, state.opt_state)
    )
    values = {}
    for name, steganalyzer in system.steganalyzers.items():
        (values[f"{name}_loss"], stats[name]), gradients = jax.value_and_grad(
            _steganalyzer_loss, has_aux=True
        )(params[name], stats[name], seen[name], steganalyzer)
        params[name], opt_state[name], _ = network.descend(
            training.steganalyzer_optimizer, gradients, opt_state[name], params[name]
        )
    return state._replace(params=params, batch_stats=stats, opt_state=opt_state), values


def _train_step(
    system: System, training: Training, state: State, batch: Batch, key: Key
) -> tuple[State, Metrics]:
    coders = {name: state.params[name] for name in CODERS}
    after, values = state, {}
    if system.steganalyzers_first:
        # The compiler merges these stegos with those below: they are the same.
        _, (_, seen, _) = _coder_loss(coders, state.params, state, batch, key, system, training)
        after, values = _descend_steganalyzers(state, seen, system, training)
    (loss, (coder_stats, seen, leaves)), gradients = jax.value_and_grad(_coder_loss, has_aux=True)(
        coders, after.params, state, batch, key, system, training
    )
    if not system.steganalyzers_first:
        after, values = _descend_steganalyzers(state, seen, system, training)
    coders, coders_state, norm = network.descend(
        training.optimizer, gradients, state.opt_state["coders"], coders
    )
    values |= {"loss": loss, "gradient_norm": norm}
    values |= {name: jnp.mean(value) for name, value in leaves.items()}
    state = State(
        state.step + 1,
        {**after.params, **coders},
        {**after.batch_stats, **coder_stats},
        {**after.opt_state, "coders": coders_state},
    )
    return state, parallel.mean(values)


def _embed(system: System, state: State, cover: Array, message: Array) -> Array:
    output = network.apply(
        system.encoder, state.params["encoder"], state.batch_stats["encoder"], cover, message
    )
    return system.stego(cover, output)


def _read(system: System, name: str, state: State, stego: Array) -> Array:
    """Logits by the decoder of that name, or by the first one where there is none yet."""
    used = name if name in state.params else "decoder"
    return system.logits(
        network.apply(system.decoder, state.params[used], state.batch_stats[used], stego)
    )


def _refresh(system: System, training: Training, state: State, batch: Batch, key: Key) -> State:
    if separable.NAME in state.params:
        return separable.refresh(
            state,
            batch,
            key,
            embed=partial(_embed, system),
            decoder=system.decoder,
            shape=system.shape,
            channel=training.noise,
        )
    *_, stats = _hide_and_read(state.params, state.batch_stats, batch, key, system, training)
    return state._replace(batch_stats={**state.batch_stats, **stats})
