"""Seq2Seq-GAN: a sentence becomes a picture, under a key where one is used, and the picture the
sentence again.

Sender: LSTM and generator; receiver: a second convolutional network and a second LSTM; all four are
  trained together on the
receiver's words, against a discriminator that knows photographs ("Generative image steganography
based on Seq2Seq and GAN", 25th Meeting on Image Recognition and Understanding). The text leaves its
losses open; those here are:

    token_weight        cross entropy of every next word, the words before it being known
    state_weight        squared error between the state that the generator was given and the state
    that was read adversarial_weight  the generator's deceit of the discriminator, in the form that
    does not saturate negative_weight     under a wrong key the receiver's LSTM is to end the
                                          sentence before its first word

The LSTMs take many more steps to learn than the networks of pictures, and each costs them little.
So a first stage may train them alone, the state with noise going straight from the one to the
other.

A batch is `{"ids": int32 [B, T], "photograph": [B, 64, 64, 3]}`, pictures in pixel units 0..255,
from data of the kind "sentences". Keys are drawn anew for every example of every step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from stegojax import losses, optimizers, parallel
from stegojax.data.tokenizer import END, PADDING
from stegojax.errors import InputError
from stegojax.images import round_to_pixels
from stegojax.methods import network
from stegojax.models import seq2seq_gan as models
from stegojax.types import Array, Key, Method, Stage, State

KEYS = {"none": (), "plane": ("secret",), "modulation": ("secret",), "scramble": ("order", "signs")}
"""How a key can take part -> the arrays that a key is then (see `models.seq2seq_gan`)."""

RECEIVED = ("modulation", "scramble")
"""Of those, the ways in which the receiver needs the key."""

SENTENCES = ("sentence_encoder", "sentence_decoder")
PICTURES = ("generator", "state_reader")


def draw_keys(key: Key, keyed: str) -> dict[str, Array]:
    """A random key.

    Args:
      key: PRNG key; `jax.vmap` over several gives a batch.
      keyed: a name in `KEYS`.

    Returns:
      The arrays that `KEYS` names: "secret" `[64]`, or "order" and "signs" `[512]`.
    """
    if keyed == "scramble":
        return models.random_scramble(key)._asdict()
    return {"secret": jax.random.normal(key, (models.SECRET,))} if KEYS[keyed] else {}


def make(
    *,
    steps_per_epoch: int,
    vocabulary: int,
    length: int,
    optimizer: Mapping[str, Any],
    sentence_optimizer: Mapping[str, Any],
    discriminator_optimizer: Mapping[str, Any],
    keyed: str = "scramble",
    token_weight: float = 10.0,
    state_weight: float = 0.0,
    adversarial_weight: float = 1.0,
    negative_weight: float = 0.0,
    noise: float = 0.0,
    width: float = 1.0,
    stage_steps: Sequence[int] = (),
    channel_noise: float = 0.3,
) -> Method:
    """Seq2Seq-GAN as a `Method`; its networks are those of `SENTENCES` and `PICTURES` and, if
    adversarial, "discriminator".

    Args:
      steps_per_epoch: the unit of the optimisers' schedules.
      vocabulary: how many entries the vocabulary may have.
      length: T, of the rows of word numbers.
      optimizer: of the generator and the receiver's convolutional network, the arguments of
        `optimizers.make`.
      sentence_optimizer: of both LSTMs, likewise.
      discriminator_optimizer: of the discriminator, likewise.
      keyed: how the key takes part: "none"; "plane", as in the paper's Section 5, where the
        receiver does without it; "modulation" of every channel on both sides; "scramble", by which
        the state is permuted and its signs turned.
      token_weight, state_weight, adversarial_weight, negative_weight: see the module; an
        adversarial weight of 0 leaves the discriminator out.
      noise: standard deviation of what is added to the state before the generator, so that one
        sentence has many pictures.
      width: factor on the channels of all convolutional networks; 1 is the paper's.
      stage_steps: steps of the first stage, with the LSTMs alone, and of the second, with
        everything; () for the second alone.
      channel_noise: standard deviation of the noise in the first stage, in place of a picture.

    Raises:
      InputError: a weight is negative, `keyed` is unknown, there are other than two stages, or
        wrong keys are asked for where the receiver has none.
    """
    if keyed not in KEYS:
        raise InputError(f"method.keyed={keyed!r} is unknown; there are {', '.join(KEYS)}")
    if (
        min(token_weight, state_weight, adversarial_weight, negative_weight, noise, channel_noise)
        < 0
        or token_weight == 0
    ):
        raise InputError(
            "method: weights and noise must not be negative, and token_weight must be above 0"
        )
    if stage_steps and (len(stage_steps) != 2 or min(stage_steps) < 1):
        raise InputError(
            f"method.stage_steps={tuple(stage_steps)} must be two numbers from 1 on, or ()"
        )
    received = keyed in RECEIVED
    if negative_weight and not received:
        raise InputError(
            f"method.negative_weight={negative_weight} is for keys that the receiver uses; set it "
            "to 0 with "
            f"keyed={keyed!r}"
        )
    axis = parallel.AXIS
    modulated = keyed == "modulation"
    networks = {
        "sentence_encoder": models.SentenceEncoder(vocabulary),
        "generator": models.Generator(width, axis, "none" if keyed == "scramble" else keyed),
        "state_reader": models.StateReader(width, axis, "modulation" if modulated else "none"),
        "sentence_decoder": models.SentenceDecoder(vocabulary),
        "discriminator": models.Discriminator(width),
    }
    steps = {
        "sentences": optimizers.make(**sentence_optimizer, steps_per_epoch=steps_per_epoch),
        "pictures": optimizers.make(**optimizer, steps_per_epoch=steps_per_epoch),
    }
    discriminator_steps = optimizers.make(
        **discriminator_optimizer, steps_per_epoch=steps_per_epoch
    )

    def init(key, batch):
        keys = network.split_keys(key, *networks)
        ids, rows = batch["ids"], batch["ids"].shape[0]
        states = jnp.zeros((rows, 2, models.STATE))
        secret = (jnp.zeros((rows, models.SECRET)),)
        pictures = jnp.zeros((rows, models.SIZE, models.SIZE, 3))
        params, stats = {}, {}
        for name, inputs in (
            ("sentence_encoder", (ids, ids != PADDING)),
            ("sentence_decoder", (states, ids)),
        ):
            params[name] = networks[name].init(keys[name], *inputs)["params"]
        params["generator"], stats["generator"] = network.initialise(
            keys["generator"],
            networks["generator"],
            states,
            *secret * (keyed in ("plane", "modulation")),
        )
        params["state_reader"], stats["state_reader"] = network.initialise(
            keys["state_reader"], networks["state_reader"], pictures, *secret * modulated
        )
        opt_state = {
            "sentences": steps["sentences"].init({name: params[name] for name in SENTENCES}),
            "pictures": steps["pictures"].init({name: params[name] for name in PICTURES}),
        }
        if adversarial_weight:
            params["discriminator"] = networks["discriminator"].init(
                keys["discriminator"], pictures
            )["params"]
            opt_state["discriminator"] = discriminator_steps.init(params["discriminator"])
        return State(jnp.int32(0), params, stats, opt_state)

    def encode(params, ids):
        return networks["sentence_encoder"].apply(
            {"params": params["sentence_encoder"]}, ids, ids != PADDING
        )

    def decode(params, states, ids):
        return networks["sentence_decoder"].apply(
            {"params": params["sentence_decoder"]}, states, ids
        )

    def to_send(states, own, added):
        """What the generator is given."""
        if keyed == "scramble":
            states = models.scramble(states, models.Scramble(own["order"], own["signs"]))
        return states + added

    def received_as(read, own):
        """The state that the receiver's LSTM begins with."""
        return (
            models.unscramble(read, models.Scramble(own["order"], own["signs"]))
            if keyed == "scramble"
            else read
        )

    def for_sender(own):
        return (own["secret"],) if keyed in ("plane", "modulation") else ()

    def for_receiver(own):
        return (own["secret"],) if modulated else ()

    def generator_loss(params, state, batch, own, other, added, fraction):
        """The loss of all networks but the discriminator, with what its step needs."""
        stats, ids = dict(state.batch_stats), batch["ids"]
        rows = ids.shape[0]
        sent = to_send(encode(params, ids), own, added)
        pictures, stats["generator"] = network.apply_training(
            networks["generator"], params["generator"], stats["generator"], sent, *for_sender(own)
        )
        # The file will hold whole numbers: the receiver learns from pictures with an error of the
        # same size.
        shown = jnp.clip(pictures + fraction, 0.0, 255.0)
        seen, secrets = shown, for_receiver(own)
        if modulated and negative_weight:
            seen = jnp.concatenate([shown, shown])
            secrets = (jnp.concatenate([own["secret"], other["secret"]]),)
        read, stats["state_reader"] = network.apply_training(
            networks["state_reader"], params["state_reader"], stats["state_reader"], seen, *secrets
        )
        values = {
            "loss_tokens": losses.token_cross_entropy(
                decode(params, received_as(read[:rows], own), ids[:, :-1]),
                ids[:, 1:],
                ids[:, 1:] != PADDING,
            ),
            "loss_state": jnp.mean((read[:rows] - jax.lax.stop_gradient(sent)) ** 2, axis=(1, 2)),
        }
        total = token_weight * values["loss_tokens"] + state_weight * values["loss_state"]
        if negative_weight:
            # The LSTM alone has to tell a scrambled state from a true one: the state itself is to
            # be read, whatever the key.
            wrong = read[rows:] if modulated else received_as(jax.lax.stop_gradient(read), other)
            values["loss_wrong_key"] = losses.softmax_cross_entropy(
                decode(params, wrong, ids[:, :1])[:, 0], jnp.full(rows, END)
            )
            total = total + negative_weight * values["loss_wrong_key"]
        if adversarial_weight:
            logits = networks["discriminator"].apply(
                {"params": state.params["discriminator"]}, shown
            )
            values["loss_adversarial"] = losses.bit_cross_entropy(
                logits[:, None], jnp.ones((rows, 1))
            )
            total = total + adversarial_weight * values["loss_adversarial"]
        return jnp.mean(total), (stats, jax.lax.stop_gradient(shown), values)

    def discriminator_loss(params, photographs, pictures):
        """Cross entropy on photographs (label 1) and generated pictures (label 0)."""
        labels = jnp.repeat(jnp.asarray([1.0, 0.0]), photographs.shape[0])
        logits = networks["discriminator"].apply(
            {"params": params}, jnp.concatenate([photographs, pictures])
        )
        return jnp.mean(losses.bit_cross_entropy(logits[:, None], labels[:, None])), (
            logits > 0
        ) == (labels > 0)

    def draw(key, rows):
        """For every example a key, another key, the noise of its state, and the fractions that
        rounding takes away, twice.
        """

        def one(key):
            own, other, added, fraction = jax.random.split(key, 4)
            return (
                draw_keys(own, keyed),
                draw_keys(other, keyed),
                noise * jax.random.normal(added, (2, models.STATE)),
                jax.random.uniform(
                    fraction, (2, models.SIZE, models.SIZE, 3), minval=-0.5, maxval=0.5
                ),
            )

        return jax.vmap(one)(parallel.example_keys(key, rows))

    def train_step(state, batch, key):
        params, opt_state = dict(state.params), dict(state.opt_state)
        own, other, added, fractions = draw(key, batch["ids"].shape[0])
        trained = {name: params[name] for name in (*SENTENCES, *PICTURES)}
        (loss, (stats, pictures, values)), gradients = jax.value_and_grad(
            generator_loss, has_aux=True
        )(trained, state, batch, own, other, added, fractions[:, 0])
        norms = {}
        for part, names in (("sentences", SENTENCES), ("pictures", PICTURES)):
            moved, opt_state[part], norms[f"gradient_norm_{part}"] = network.descend(
                steps[part],
                {name: gradients[name] for name in names},
                opt_state[part],
                {name: params[name] for name in names},
            )
            params.update(moved)
        values = {
            "loss": loss,
            **norms,
            **{name: jnp.mean(value) for name, value in values.items()},
        }
        if adversarial_weight:
            photographs = jnp.clip(batch["photograph"] + fractions[:, 1], 0.0, 255.0)
            (loss, right), gradients = jax.value_and_grad(discriminator_loss, has_aux=True)(
                params["discriminator"], photographs, pictures
            )
            params["discriminator"], opt_state["discriminator"], norm = network.descend(
                discriminator_steps, gradients, opt_state["discriminator"], params["discriminator"]
            )
            values |= {
                "discriminator_loss": loss,
                "discriminator_gradient_norm": norm,
                "discriminator_accuracy": jnp.mean(right),
            }
        return State(state.step + 1, params, stats, opt_state), parallel.mean(values)

    def words_step(state, batch, key):
        """A step of the LSTMs alone."""
        ids = batch["ids"]
        noises = channel_noise * jax.vmap(lambda key: jax.random.normal(key, (2, models.STATE)))(
            parallel.example_keys(key, ids.shape[0])
        )

        def words_loss(params):
            return jnp.mean(
                losses.token_cross_entropy(
                    decode(params, encode(params, ids) + noises, ids[:, :-1]),
                    ids[:, 1:],
                    ids[:, 1:] != PADDING,
                )
            )

        params, opt_state = {name: state.params[name] for name in SENTENCES}, dict(state.opt_state)
        loss, gradients = jax.value_and_grad(words_loss)(params)
        params, opt_state["sentences"], norm = network.descend(
            steps["sentences"], gradients, opt_state["sentences"], params
        )
        return (
            State(state.step + 1, {**state.params, **params}, state.batch_stats, opt_state),
            parallel.mean({"loss": loss, "gradient_norm_sentences": norm}),
        )

    def picture_of(state, states, own, added):
        made = network.apply(
            networks["generator"],
            state.params["generator"],
            state.batch_stats["generator"],
            to_send(states, own, added),
            *for_sender(own),
        )
        return round_to_pixels(made)

    def states_in(state, stego, own):
        read = network.apply(
            networks["state_reader"],
            state.params["state_reader"],
            state.batch_stats["state_reader"],
            stego,
            *for_receiver(own),
        )
        return received_as(read, own)

    def write(state, states):
        variables = {"params": state.params["sentence_decoder"]}
        return models.write_sentences(
            networks["sentence_decoder"], variables, states, length=length
        )

    def predict(state, batch, key):
        given = {name: batch[name] for name in KEYS[keyed] if name in batch}
        if "stego" in batch:
            states = states_in(state, batch["stego"], given)
            return {"states": states, "read_ids": write(state, states)}
        states = encode(state.params, batch["ids"])
        if "noise" in batch:
            stego = picture_of(state, states, given, noise * batch["noise"])
            return {"stego": stego, "read_ids": write(state, states_in(state, stego, given))}
        own, other, added, _ = draw(key, states.shape[0])
        stego = picture_of(state, states, own, added)
        found = {
            "stego": stego,
            "read_ids": write(state, states_in(state, stego, own)),
            "other_sentence": picture_of(state, jnp.roll(states, 1, axis=0), own, added),
        }
        if KEYS[keyed]:
            found["other_key"] = picture_of(state, states, other, added)
        if received:
            found["wrong_key_ids"] = write(state, states_in(state, stego, other))
        return found

    stages = (
        (Stage("words", stage_steps[0], words_step), Stage("pictures", stage_steps[1], train_step))
        if stage_steps
        else ()
    )
    return Method(init, train_step, predict, measure, stages=stages)


def measure(batch: Mapping[str, Array], outputs: dict[str, Array]) -> dict[str, Array]:
    """How the sentences came back from 8-bit pictures, and how pictures differ (mean absolute
    difference in levels).

    Returns:
      "exact_match", {0, 1}; "token_accuracy", the share of places with the right word, the end
      included; of pictures of two sentences under one key "between_sentences"; with keys, of one
      sentence under two keys "between_keys", and "wrong_key_accuracy", the token accuracy under a
      wrong key.
    """
    wanted = batch["ids"][:, 1:]
    mask = (wanted != PADDING).astype(jnp.float32)

    def accuracy(ids):
        return jnp.sum((ids[:, 1:] == wanted) * mask, axis=1) / jnp.maximum(
            jnp.sum(mask, axis=1), 1.0
        )

    found = {
        "exact_match": jnp.all(outputs["read_ids"][:, 1:] == wanted, axis=1).astype(jnp.float32),
        "token_accuracy": accuracy(outputs["read_ids"]),
    }
    for name, other in (("between_sentences", "other_sentence"), ("between_keys", "other_key")):
        if other in outputs:
            found[name] = jnp.mean(jnp.abs(outputs["stego"] - outputs[other]), axis=(1, 2, 3))
    if "wrong_key_ids" in outputs:
        found["wrong_key_accuracy"] = accuracy(outputs["wrong_key_ids"])
    return found
