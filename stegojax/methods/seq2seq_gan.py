"""Seq2Seq-GAN: a sentence becomes a picture, under a key where one is used, and the picture the
sentence again.

Sender: LSTM and generator; receiver: a second convolutional network and a second LSTM; all four are
trained together on the receiver's words, against a discriminator that knows photographs
("Generative image steganography based on Seq2Seq and GAN", 25th Meeting on Image Recognition and
Understanding). The text leaves its losses open; those here are, by their weights,

    token_weight        cross entropy of every next word, the words before it being known
    state_weight        squared error between the state that the generator was given and the state
                        that was read
    adversarial_weight  the generator's deceit of the discriminator, in the form that does not
                        saturate
    negative_weight     under a wrong key the receiver's LSTM is to end the sentence before its
                        first word

The LSTMs take many more steps to learn than the networks of pictures, and each costs them little.
So a first stage may train them alone, the state with noise going straight from the one to the
other.

A batch is `{"ids": int32 [B, T], "photograph": [B, H, H, 3]}`, pictures in pixel units 0..255,
from data of the kind "sentences". Keys are drawn anew for every example of every step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from stegojax import losses, parallel
from stegojax.data.tokenizer import END, PADDING
from stegojax.errors import InputError
from stegojax.images import round_to_pixels
from stegojax.methods import network, trained
from stegojax.methods.fields import read
from stegojax.models import seq2seq_gan as models
from stegojax.optimizers import make as make_optimizer
from stegojax.types import Array, Batch, Key, Method, Metrics, Params, Stage, State

SENTENCES = ("sentence_encoder", "sentence_decoder")
PICTURES = ("generator", "state_reader")
PARTS = {"sentences": SENTENCES, "pictures": PICTURES}
"""The networks that each optimiser trains, but for the discriminator's."""

KeyArrays = Mapping[str, Array]
"""A key as the networks take it: arrays by name, one row for each example."""


class Keying(NamedTuple):
    """How a key takes part.

    arrays:    names of the arrays that a key consists of.
    draw:      `(key, numbers of the state) -> KeyArrays` of one example: a random key.
    send:      `(states, KeyArrays) -> states`, what the generator is given of the LSTM's.
    receive:   `(states, KeyArrays) -> states`, what the receiver's LSTM begins with.
    generator: what it does inside the generator, see `models.Generator`.
    reader:    what it does inside the receiver's convolutional network, see `models.StateReader`.
    received:  whether the receiver needs the key.
    """

    arrays: tuple[str, ...] = ()
    draw: Callable[..., dict[str, Array]] = lambda key, numbers=0: {}
    send: Callable[[Array, KeyArrays], Array] = lambda states, own: states
    receive: Callable[[Array, KeyArrays], Array] = lambda states, own: states
    generator: str = "none"
    reader: str = "none"
    received: bool = False


def _draw_secret(key: Key, numbers: int = 0) -> dict[str, Array]:
    del numbers
    return {"secret": jax.random.normal(key, (models.SECRET,))}


def _scramble_of(own: KeyArrays) -> models.Scramble:
    return models.Scramble(own["order"], own["signs"])


KEYINGS = {
    "none": Keying(),
    "plane": Keying(("secret",), _draw_secret, generator="plane"),
    "modulation": Keying(
        ("secret",), _draw_secret, generator="modulation", reader="modulation", received=True
    ),
    "scramble": Keying(
        ("order", "signs"),
        lambda key, numbers=2 * models.STATE: models.random_scramble(key, numbers)._asdict(),
        send=lambda states, own: models.scramble(states, _scramble_of(own)),
        receive=lambda states, own: models.unscramble(states, _scramble_of(own)),
        received=True,
    ),
}
"""By name: no key; a plane of the generator's input, as in the paper's Section 5, where the
receiver does without it; a modulation of every channel on both sides; the state permuted and its
signs turned.
"""


class Networks(NamedTuple):
    """The modules; those of pictures with batch statistics averaged over `parallel.AXIS`.

    sentence_encoder: `(ids [B, T], mask [B, T]) -> states [B, 2, S]`.
    sentence_decoder: `(states, ids) -> logits [B, T, V]` of every next word.
    generator:        `(states, secret where its keying has one) -> pictures [B, H, H, 3]`.
    state_reader:     `(pictures, secret where its keying has one) -> states`.
    discriminator:    `pictures -> logits [B]`, positive for photographs; None for none.
    """

    sentence_encoder: nn.Module
    sentence_decoder: nn.Module
    generator: nn.Module
    state_reader: nn.Module
    discriminator: nn.Module | None = None


class Optimizers(NamedTuple):
    """Of both LSTMs, of the generator and the receiver's convolutional network, and of the
    discriminator.
    """

    sentences: optax.GradientTransformation
    pictures: optax.GradientTransformation
    discriminator: optax.GradientTransformation


def squared_state_error(read: Array, sent: Array) -> Array:
    """The mean squared difference of states.

    Args:
      read, sent: `[B, 2, S]`.

    Returns:
      `[B]`.
    """
    return jnp.mean((read - sent) ** 2, axis=(1, 2))


def binary_cross_entropy(logits: Array, labels: Array) -> Array:
    """Of one logit for each example.

    Args:
      logits, labels: `[B]`.

    Returns:
      `[B]`.
    """
    return losses.bit_cross_entropy(logits[:, None], labels[:, None])


class Objective(NamedTuple):
    """What the networks descend; see the module for the weights.

    token_loss:         `(logits [B, T, V], labels [B, T], mask [B, T]) -> [B]`.
    state_loss:         `(states read, states sent) -> [B]`.
    discriminator_loss: `(logits [B], labels [B]) -> [B]`, also of the generator, with the label of
                        photographs.
    """

    token_weight: float = 10.0
    state_weight: float = 0.0
    adversarial_weight: float = 1.0
    negative_weight: float = 0.0
    token_loss: Callable[[Array, Array, Array], Array] = losses.token_cross_entropy
    state_loss: Callable[[Array, Array], Array] = squared_state_error
    discriminator_loss: Callable[[Array, Array], Array] = binary_cross_entropy


class Drawn(NamedTuple):
    """What is drawn for the examples of a batch: a key, another key, the noise of the state, and
    the fractions that rounding takes away, of the generated picture and of the photograph.
    """

    own: KeyArrays
    other: KeyArrays
    noise: Array
    fractions: Array


def make(
    networks: Networks,
    keying: Keying,
    optimizers: Optimizers,
    *,
    length: int,
    objective: Objective = Objective(),
    noise: float = 0.0,
    stage_steps: Sequence[int] = (),
    channel_noise: float = 0.3,
) -> Method:
    """Seq2Seq-GAN as a `Method`; its networks are named as the fields of `Networks`.

    Args:
      networks: the modules.
      keying: how the key takes part.
      optimizers: by what they are trained.
      length: T, of the rows of word numbers.
      objective: what they descend.
      noise: standard deviation of what is added to the state before the generator, so that one
        sentence has many pictures.
      stage_steps: steps of the first stage, with the LSTMs alone, and of the second, with
        everything; () for the second alone.
      channel_noise: standard deviation of the noise in the first stage, in place of a picture.

    Returns:
      The method.

    Raises:
      InputError: a weight is negative, there are other than two stages, or wrong keys are asked for
        where the receiver has none.
    """
    _check(objective, noise, channel_noise, stage_steps)
    if objective.negative_weight and not keying.received:
        raise InputError(
            f"method.negative_weight={objective.negative_weight} is for keys that the receiver "
            "uses; set it to 0 with a method.keyed of another kind"
        )
    pictures_step = stepper(networks, keying, optimizers, objective, noise=noise)
    words_step = partial(_words_step, networks, optimizers, objective, channel_noise)
    stages = (
        (
            Stage("words", stage_steps[0], words_step),
            Stage("pictures", stage_steps[1], pictures_step),
        )
        if stage_steps
        else ()
    )
    return Method(
        partial(_init, networks, keying, optimizers),
        pictures_step,
        partial(_predict, networks, keying, noise, length),
        measure,
        stages=stages,
    )


class Fields(NamedTuple):
    """The `method` section of a config.

    vocabulary:              how many entries the vocabulary may have.
    optimizer:               of the generator and the receiver's convolutional network, the
                             arguments of `optimizers.make`.
    sentence_optimizer:      of both LSTMs, likewise.
    discriminator_optimizer: of the discriminator, likewise.
    keyed:                   a name in `KEYINGS`.
    token_weight, state_weight, adversarial_weight, negative_weight: see the module; an adversarial
                             weight of 0 leaves the discriminator out.
    width:                   factor on the channels of all convolutional networks; 1 is the paper's.
    state:                   numbers in each of the state's two vectors; a multiple of 32.
    size:                    height and width of the pictures: 16, 32, 64, 128 or 256.
    length, noise, stage_steps, channel_noise: see `make`.
    """

    vocabulary: int
    length: int
    optimizer: Mapping[str, Any]
    sentence_optimizer: Mapping[str, Any]
    discriminator_optimizer: Mapping[str, Any]
    keyed: str = "scramble"
    token_weight: float = 10.0
    state_weight: float = 0.0
    adversarial_weight: float = 1.0
    negative_weight: float = 0.0
    noise: float = 0.0
    width: float = 1.0
    state: int = models.STATE
    size: int = models.SIZE
    stage_steps: Sequence[int] = ()
    channel_noise: float = 0.3


def from_config(
    section: Mapping[str, Any], *, steps_per_epoch: int, load: trained.Load | None = None
) -> Method:
    """Seq2Seq-GAN as a config names it.

    Args:
      section: see `Fields`.
      steps_per_epoch: the unit of the optimisers' schedules.
      load: not used.

    Returns:
      The method.

    Raises:
      InputError: a field or a name is unknown, or a number is out of range.
    """
    del load
    fields = read(Fields, section)
    *parts, objective = parts_of(fields, steps_per_epoch=steps_per_epoch)
    return make(
        *parts,
        length=fields.length,
        objective=objective,
        noise=fields.noise,
        stage_steps=fields.stage_steps,
        channel_noise=fields.channel_noise,
    )


def parts_of(
    fields: Fields, *, steps_per_epoch: int
) -> tuple[Networks, Keying, Optimizers, Objective]:
    """What a config's names stand for.

    Args:
      fields: of the config.
      steps_per_epoch: the unit of the optimisers' schedules.

    Returns:
      The first three arguments of `make`, and its objective.

    Raises:
      InputError: a name is unknown.
    """
    if fields.keyed not in KEYINGS:
        raise InputError(
            f"method.keyed={fields.keyed!r} is unknown; there are {', '.join(KEYINGS)}"
        )
    models.check_sizes(fields.state, fields.size)
    keying, options = KEYINGS[fields.keyed], (fields.width, parallel.AXIS)
    networks = Networks(
        models.SentenceEncoder(fields.vocabulary, fields.state),
        models.SentenceDecoder(fields.vocabulary, fields.state),
        models.Generator(*options, keying.generator, fields.size),
        models.StateReader(*options, keying.reader, fields.size, fields.state),
        models.Discriminator(fields.width, fields.size) if fields.adversarial_weight else None,
    )
    descents = (
        make_optimizer(**given, steps_per_epoch=steps_per_epoch)
        for given in (fields.sentence_optimizer, fields.optimizer, fields.discriminator_optimizer)
    )
    objective = Objective(
        fields.token_weight, fields.state_weight, fields.adversarial_weight, fields.negative_weight
    )
    return networks, keying, Optimizers(*descents), objective


def _check(
    objective: Objective, noise: float, channel_noise: float, stage_steps: Sequence[int]
) -> None:
    weights = (
        objective.token_weight,
        objective.state_weight,
        objective.adversarial_weight,
        objective.negative_weight,
    )
    if min(*weights, noise, channel_noise) < 0 or objective.token_weight == 0:
        raise InputError(
            "method: weights and noise must not be negative, and token_weight must be above 0"
        )
    if stage_steps and (len(stage_steps) != 2 or min(stage_steps) < 1):
        raise InputError(
            f"method.stage_steps={tuple(stage_steps)} must be two numbers from 1 on, or ()"
        )


def _init(
    networks: Networks, keying: Keying, optimizers: Optimizers, key: Key, batch: Batch
) -> State:
    keys = network.split_keys(key, *Networks._fields)
    ids, rows = batch["ids"], batch["ids"].shape[0]
    states = jnp.zeros((rows, 2, networks.sentence_encoder.state))
    own = {"secret": jnp.zeros((rows, models.SECRET))}
    pictures = jnp.zeros(batch["photograph"].shape)
    params, stats = {}, {}
    for name, inputs in (
        ("sentence_encoder", (ids, ids != PADDING)),
        ("sentence_decoder", (states, ids)),
    ):
        params[name] = getattr(networks, name).init(keys[name], *inputs)["params"]
    params["generator"], stats["generator"] = network.initialise(
        keys["generator"], networks.generator, states, *_secret_in(keying.generator, own)
    )
    made = jax.eval_shape(
        lambda: network.apply(
            networks.generator,
            params["generator"],
            stats["generator"],
            states,
            *_secret_in(keying.generator, own),
        )
    )
    if made.shape != pictures.shape:
        raise InputError(
            f"the generator makes pictures of {made.shape[1]}x{made.shape[2]}, and the photographs "
            f"are {pictures.shape[1]}x{pictures.shape[2]}: set data.crop to method.size"
        )
    params["state_reader"], stats["state_reader"] = network.initialise(
        keys["state_reader"], networks.state_reader, pictures, *_secret_in(keying.reader, own)
    )
    opt_state = {
        "sentences": optimizers.sentences.init({name: params[name] for name in SENTENCES}),
        "pictures": optimizers.pictures.init({name: params[name] for name in PICTURES}),
    }
    if networks.discriminator is not None:
        params["discriminator"] = networks.discriminator.init(keys["discriminator"], pictures)[
            "params"
        ]
        opt_state["discriminator"] = optimizers.discriminator.init(params["discriminator"])
    return State(jnp.int32(0), params, stats, opt_state)


def _encode(networks: Networks, params: Mapping[str, Params], ids: Array) -> Array:
    return networks.sentence_encoder.apply(
        {"params": params["sentence_encoder"]}, ids, ids != PADDING
    )


def _decode(networks: Networks, params: Mapping[str, Params], states: Array, ids: Array) -> Array:
    return networks.sentence_decoder.apply({"params": params["sentence_decoder"]}, states, ids)


def _secret_in(kind: str, own: KeyArrays) -> tuple[Array, ...]:
    """What a network with a keying of this kind takes beside its input."""
    return () if kind == "none" else (own["secret"],)


def _draw(
    key: Key,
    rows: int,
    keying: Keying,
    noise: float,
    mine: KeyArrays | None = None,
    *,
    state: int = models.STATE,
    size: tuple[int, int] = (1, 1),
) -> Drawn:
    """What is drawn for so many examples, with states of two vectors of so many numbers and
    pictures of a size; all under one key `[1, ...]` where it is given.
    """

    def one(key):
        own, other, added, fraction = jax.random.split(key, 4)
        drawn = keying.draw(own, 2 * state) if mine is None else jax.tree.map(lambda x: x[0], mine)
        return Drawn(
            dict(drawn),
            keying.draw(other, 2 * state),
            noise * jax.random.normal(added, (2, state)),
            jax.random.uniform(fraction, (2, *size, 3), minval=-0.5, maxval=0.5),
        )

    return jax.vmap(one)(parallel.example_keys(key, rows))


def _generator_loss(
    params: dict[str, Params],
    state: State,
    batch: Batch,
    drawn: Drawn,
    networks: Networks,
    keying: Keying,
    objective: Objective,
    reads_along: bool = True,
) -> tuple[Array, tuple[dict[str, Params], Array, Metrics]]:
    """The loss of all networks but the discriminator; beside it the new statistics, the pictures as
    they are shown, and the leaves. Where the receiver's network does not learn along, it has its
    running statistics.
    """
    stats, ids, own = dict(state.batch_stats), batch["ids"], drawn.own
    rows, labels, mask = ids.shape[0], ids[:, 1:], ids[:, 1:] != PADDING
    sent = keying.send(_encode(networks, params, ids), own) + drawn.noise
    pictures, stats["generator"] = network.apply_training(
        networks.generator,
        params["generator"],
        stats["generator"],
        sent,
        *_secret_in(keying.generator, own),
    )
    # The file will hold whole numbers: the receiver learns from pictures with an error of the same
    # size.
    shown = jnp.clip(pictures + drawn.fractions[:, 0], 0.0, 255.0)
    # A key inside the reader makes another state of the picture; one outside of it, of the state.
    reads_twice = bool(objective.negative_weight) and keying.reader != "none"
    seen, secrets = shown, _secret_in(keying.reader, own)
    if reads_twice:
        seen = jnp.concatenate([shown, shown])
        secrets = (jnp.concatenate([own["secret"], drawn.other["secret"]]),)
    reader = (networks.state_reader, params["state_reader"], stats["state_reader"])
    if reads_along:
        read, stats["state_reader"] = network.apply_training(*reader, seen, *secrets)
    else:
        read = network.apply(*reader, seen, *secrets)
    logits = _decode(networks, params, keying.receive(read[:rows], own), ids[:, :-1])
    leaves = {
        "loss_tokens": objective.token_loss(logits, labels, mask),
        "loss_state": objective.state_loss(read[:rows], jax.lax.stop_gradient(sent)),
    }
    total = (
        objective.token_weight * leaves["loss_tokens"]
        + objective.state_weight * leaves["loss_state"]
    )
    if objective.negative_weight:
        # The LSTM alone has to tell a scrambled state from a true one: the state itself is to be
        # read, whatever the key.
        wrong = (
            read[rows:] if reads_twice else keying.receive(jax.lax.stop_gradient(read), drawn.other)
        )
        leaves["loss_wrong_key"] = losses.softmax_cross_entropy(
            _decode(networks, params, wrong, ids[:, :1])[:, 0], jnp.full(rows, END)
        )
        total = total + objective.negative_weight * leaves["loss_wrong_key"]
    if networks.discriminator is not None:
        scores = networks.discriminator.apply({"params": state.params["discriminator"]}, shown)
        leaves["loss_adversarial"] = objective.discriminator_loss(scores, jnp.ones(rows))
        total = total + objective.adversarial_weight * leaves["loss_adversarial"]
    return jnp.mean(total), (stats, jax.lax.stop_gradient(shown), leaves)


def _discriminator_loss(
    params: Params,
    photographs: Array,
    pictures: Array,
    module: nn.Module,
    loss: Callable[[Array, Array], Array],
) -> tuple[Array, Array]:
    """The loss on photographs (label 1) and generated pictures (label 0), and which answers are
    right.
    """
    labels = jnp.repeat(jnp.asarray([1.0, 0.0]), photographs.shape[0])
    logits = module.apply({"params": params}, jnp.concatenate([photographs, pictures]))
    return jnp.mean(loss(logits, labels)), (logits > 0) == (labels > 0)


def stepper(
    networks: Networks,
    keying: Keying,
    optimizers: Optimizers,
    objective: Objective,
    *,
    noise: float,
    parts: Mapping[str, Sequence[str]] = PARTS,
    own: KeyArrays | None = None,
) -> Callable[[State, Batch, Key], tuple[State, Metrics]]:
    """A step of all networks, or of some.

    Args:
      networks, keying, optimizers, objective, noise: as for `make`.
      parts: by optimiser, the networks that are trained. The discriminator is where the state has
        its optimiser.
      own: the key, arrays `[1, ...]`; None to draw one for each example.

    Returns:
      `types.Method.train_step`.
    """
    return partial(_train_step, networks, keying, optimizers, objective, noise, parts, own)


def _train_step(
    networks: Networks,
    keying: Keying,
    optimizers: Optimizers,
    objective: Objective,
    noise: float,
    parts: Mapping[str, Sequence[str]],
    own: KeyArrays | None,
    state: State,
    batch: Batch,
    key: Key,
) -> tuple[State, Metrics]:
    params, opt_state = dict(state.params), dict(state.opt_state)
    sizes = dict(state=networks.sentence_encoder.state, size=batch["photograph"].shape[1:3])
    drawn = _draw(key, batch["ids"].shape[0], keying, noise, own, **sizes)
    learning = {name for names in parts.values() for name in names}
    trained, frozen = (
        {name: params[name] for name in (*SENTENCES, *PICTURES) if (name in learning) == moves}
        for moves in (True, False)
    )

    def loss_fn(trained, *given):
        return _generator_loss({**frozen, **trained}, *given, "state_reader" in learning)

    (loss, (stats, pictures, leaves)), gradients = jax.value_and_grad(loss_fn, has_aux=True)(
        trained, state, batch, drawn, networks, keying, objective
    )
    values = {"loss": loss, **{name: jnp.mean(leaf) for name, leaf in leaves.items()}}
    for part, names in parts.items():
        moved, opt_state[part], values[f"gradient_norm_{part}"] = network.descend(
            getattr(optimizers, part),
            {name: gradients[name] for name in names},
            opt_state[part],
            {name: params[name] for name in names},
        )
        params.update(moved)
    if "discriminator" in opt_state:
        photographs = jnp.clip(batch["photograph"] + drawn.fractions[:, 1], 0.0, 255.0)
        (values["discriminator_loss"], is_right), gradients = jax.value_and_grad(
            _discriminator_loss, has_aux=True
        )(
            params["discriminator"],
            photographs,
            pictures,
            networks.discriminator,
            objective.discriminator_loss,
        )
        params["discriminator"], opt_state["discriminator"], norm = network.descend(
            optimizers.discriminator, gradients, opt_state["discriminator"], params["discriminator"]
        )
        values |= {
            "discriminator_gradient_norm": norm,
            "discriminator_accuracy": jnp.mean(is_right),
        }
    return State(state.step + 1, params, stats, opt_state), parallel.mean(values)


def _words_loss(
    params: dict[str, Params], ids: Array, noises: Array, networks: Networks, objective: Objective
) -> Array:
    logits = _decode(networks, params, _encode(networks, params, ids) + noises, ids[:, :-1])
    return jnp.mean(objective.token_loss(logits, ids[:, 1:], ids[:, 1:] != PADDING))


def _words_step(
    networks: Networks,
    optimizers: Optimizers,
    objective: Objective,
    channel_noise: float,
    state: State,
    batch: Batch,
    key: Key,
) -> tuple[State, Metrics]:
    """A step of the LSTMs alone."""
    ids = batch["ids"]
    shape = (2, networks.sentence_encoder.state)
    noises = channel_noise * jax.vmap(lambda key: jax.random.normal(key, shape))(
        parallel.example_keys(key, ids.shape[0])
    )
    params, opt_state = {name: state.params[name] for name in SENTENCES}, dict(state.opt_state)
    loss, gradients = jax.value_and_grad(_words_loss)(params, ids, noises, networks, objective)
    params, opt_state["sentences"], norm = network.descend(
        optimizers.sentences, gradients, opt_state["sentences"], params
    )
    return (
        State(state.step + 1, {**state.params, **params}, state.batch_stats, opt_state),
        parallel.mean({"loss": loss, "gradient_norm_sentences": norm}),
    )


def _picture_of(
    networks: Networks, keying: Keying, state: State, states: Array, own: KeyArrays, noise: Array
) -> Array:
    pictures = network.apply(
        networks.generator,
        state.params["generator"],
        state.batch_stats["generator"],
        keying.send(states, own) + noise,
        *_secret_in(keying.generator, own),
    )
    return round_to_pixels(pictures)


def _states_in(
    networks: Networks, keying: Keying, state: State, stego: Array, own: KeyArrays
) -> Array:
    read = network.apply(
        networks.state_reader,
        state.params["state_reader"],
        state.batch_stats["state_reader"],
        stego,
        *_secret_in(keying.reader, own),
    )
    return keying.receive(read, own)


def _predict(
    networks: Networks,
    keying: Keying,
    noise: float,
    length: int,
    state: State,
    batch: Batch,
    key: Key,
) -> dict[str, Array]:
    picture_of = partial(_picture_of, networks, keying, state)
    states_in = partial(_states_in, networks, keying, state)
    write = partial(
        models.write_sentences,
        networks.sentence_decoder,
        {"params": state.params["sentence_decoder"]},
        length=length,
    )
    given = {name: batch[name] for name in keying.arrays if name in batch}
    if "stego" in batch:
        states = states_in(batch["stego"], given)
        return {"states": states, "read_ids": write(states)}
    states = _encode(networks, state.params, batch["ids"])
    if "noise" in batch:
        stego = picture_of(states, given, noise * batch["noise"])
        return {"stego": stego, "read_ids": write(states_in(stego, given))}
    drawn = _draw(key, states.shape[0], keying, noise, state=states.shape[-1])
    stego = picture_of(states, drawn.own, drawn.noise)
    outputs = {
        "stego": stego,
        "read_ids": write(states_in(stego, drawn.own)),
        "other_sentence": picture_of(jnp.roll(states, 1, axis=0), drawn.own, drawn.noise),
    }
    if keying.arrays:
        outputs["other_key"] = picture_of(states, drawn.other, drawn.noise)
    if keying.received:
        outputs["wrong_key_ids"] = write(states_in(stego, drawn.other))
    return outputs


def measure(batch: Batch, outputs: dict[str, Array]) -> dict[str, Array]:
    """How the sentences came back from 8-bit pictures, and how pictures differ.

    Args:
      batch: with "ids".
      outputs: of `Method.predict`.

    Returns:
      `[B]` each: "exact_match", {0, 1}; "token_accuracy", the share of places with the right word,
      the end included; "between_sentences", the mean absolute difference in grey levels of pictures
      of two sentences under one key; with keys, "between_keys", the same of one sentence under two
      keys, and "wrong_key_accuracy", the token accuracy under a wrong key.
    """
    wanted = batch["ids"][:, 1:]
    mask = (wanted != PADDING).astype(jnp.float32)

    def accuracy(ids):
        return jnp.sum((ids[:, 1:] == wanted) * mask, axis=1) / jnp.maximum(
            jnp.sum(mask, axis=1), 1.0
        )

    figures = {
        "exact_match": jnp.all(outputs["read_ids"][:, 1:] == wanted, axis=1).astype(jnp.float32),
        "token_accuracy": accuracy(outputs["read_ids"]),
    }
    for name, other in (("between_sentences", "other_sentence"), ("between_keys", "other_key")):
        if other in outputs:
            figures[name] = jnp.mean(jnp.abs(outputs["stego"] - outputs[other]), axis=(1, 2, 3))
    if "wrong_key_ids" in outputs:
        figures["wrong_key_accuracy"] = accuracy(outputs["wrong_key_ids"])
    return figures
