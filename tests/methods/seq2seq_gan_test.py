"""Seq2Seq-GAN as a method: its step against losses put together by hand, who learns from what,
keys, and the beam search.
"""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support import hiding_bits as steps
from support import numpy_generator as generators

from stegojax import losses, parallel
from stegojax.data.tokenizer import END
from stegojax.errors import InputError
from stegojax.methods import seq2seq_gan
from stegojax.models import seq2seq_gan as models

IDS = np.asarray(
    [[1, 4, 5, 6, 2, 0], [1, 7, 2, 0, 0, 0], [1, 8, 9, 4, 5, 2], [1, 6, 6, 6, 2, 0]], np.int32
)
BATCH = {
    "ids": IDS,
    "photograph": np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3)).astype(np.float32),
}
NETWORKS = {*seq2seq_gan.SENTENCES, *seq2seq_gan.PICTURES, "discriminator"}


def blocks(pictures):
    """The means of 8x8 pixels, 0 to 1."""
    return pictures.reshape(-1, 8, 8, 8, 8, 3).mean(axis=(2, 4)).reshape(-1, 192) / 255.0


class Painter(nn.Module):
    """A picture of 8x8 squares, whose colours are linear in the state and the secret."""

    @nn.compact
    def __call__(self, states, *secret, train):
        x = nn.Dense(192)(jnp.concatenate([states.reshape(-1, 512), *secret], axis=1))
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9, axis_name=parallel.AXIS)(x)
        return 255.0 * nn.sigmoid(x).reshape(-1, 8, 8, 3).repeat(8, 1).repeat(8, 2)


class Reader(nn.Module):
    """A state linear in the squares' colours and the secret."""

    @nn.compact
    def __call__(self, pictures, *secret, train):
        x = nn.Dense(512)(jnp.concatenate([blocks(pictures), *secret], axis=1))
        return jnp.tanh(x).reshape(-1, 2, 256)


class Discriminator(nn.Module):
    """A logit linear in the squares' colours."""

    @nn.compact
    def __call__(self, pictures):
        return nn.Dense(1)(blocks(pictures))[:, 0]


@functools.lru_cache
def method(keyed="scramble", stage_steps=(), noise=0.0, channel_noise=0.3, **objective):
    """The method with the paper's LSTMs and these networks of pictures."""
    networks = seq2seq_gan.Networks(
        models.SentenceEncoder(10),
        models.SentenceDecoder(10),
        Painter(),
        Reader(),
        Discriminator() if objective.get("adversarial_weight", 1.0) else None,
    )
    return seq2seq_gan.make(
        networks,
        seq2seq_gan.KEYINGS[keyed],
        seq2seq_gan.Optimizers(*[optax.sgd(1.0)] * 3),
        length=6,
        objective=seq2seq_gan.Objective(**objective),
        noise=noise,
        stage_steps=stage_steps,
        channel_noise=channel_noise,
    )


@functools.lru_cache
def initial(keyed):
    return steps.begin(method(keyed=keyed), BATCH, key=1)


def started(keyed="scramble", *, leave_out=()):
    """The initial state, compiled once for each way in which the key takes part."""
    state = initial(keyed)
    params, opt_state = (
        {name: value for name, value in part.items() if name not in leave_out}
        for part in (state.params, state.opt_state)
    )
    return state._replace(params=params, opt_state=opt_state)


def step(method, state, *, devices=1):
    return steps.run_steps(method, BATCH, 1, state=state, devices=devices)


def changed(before, after):
    """Names of the networks that moved, by more than a weight next to nothing moves them."""

    def moved(name):
        pairs = zip(
            jax.tree.leaves(before.params[name]), jax.tree.leaves(after.params[name]), strict=True
        )
        return any(np.abs(np.asarray(a) - b).max() > 1e-12 for a, b in pairs)

    return {name for name in before.params if moved(name)}


def test_the_token_loss_by_hand():
    logits = jnp.asarray([[[0.0, 0.0], [2.0, 0.0], [9.0, 0.0]], [[0.0, 1.0]] * 3])
    labels, mask = (
        jnp.asarray([[0, 1, 1], [0, 0, 0]]),
        jnp.asarray([[True, True, False], [False] * 3]),
    )
    expected = (np.log(2) + np.log(1 + np.exp(2))) / 2
    np.testing.assert_allclose(
        losses.token_cross_entropy(logits, labels, mask), [expected, 0.0], rtol=1e-6
    )
    with pytest.raises(ValueError, match=r"logits \[B, T, V\], labels and mask"):
        losses.token_cross_entropy(logits, labels[:, :2], mask)
    with pytest.raises(ValueError, match="integer labels"):
        losses.token_cross_entropy(logits, labels.astype(jnp.float32), mask)


def test_a_step_trains_every_network_on_the_weighted_sum_on_four_devices_as_on_one():
    made = method(
        token_weight=2.0, state_weight=3.0, adversarial_weight=0.5, negative_weight=0.25, noise=0.2
    )
    state = started()
    after, values = step(made, state)
    assert changed(state, after) == set(state.params) == NETWORKS
    total = 2 * values["loss_tokens"] + 3 * values["loss_state"] + 0.5 * values["loss_adversarial"]
    np.testing.assert_allclose(values["loss"], total + 0.25 * values["loss_wrong_key"], rtol=1e-5)
    # Ten words, equally likely at first, or nearly.
    assert abs(values["loss_tokens"] - np.log(10)) < 0.5
    assert abs(values["loss_adversarial"] - np.log(2)) < 0.5
    four, others = step(made, state, devices=4)
    np.testing.assert_allclose(values["loss"], others["loss"], rtol=1e-4)
    steps.assert_near(after.params, four.params, atol=2e-3)


def test_the_adversary_does_not_move_the_receiver():
    """With the other weights next to nothing the receiver stays."""
    made = method(token_weight=1e-30, state_weight=0.0, adversarial_weight=1.0)
    state = started()
    after, _ = step(made, state)
    assert changed(state, after) == {"sentence_encoder", "generator", "discriminator"}


def test_wrong_keys_teach_the_scrambled_receivers_words_alone():
    made = method(token_weight=1e-30, adversarial_weight=0.0, negative_weight=1.0)
    like = jax.eval_shape(made.init, jax.random.key(1), BATCH)
    state = started(leave_out=("discriminator",))
    after, values = step(made, state)
    assert jax.tree.structure(like) == jax.tree.structure(state)
    assert not [name for name in values if "adversarial" in name or "discr" in name]
    assert (
        changed(state, after) == {"sentence_decoder"}
        and abs(values["loss_wrong_key"] - np.log(10)) < 0.5
    )


def test_wrong_keys_teach_all_that_a_modulating_key_goes_through():
    made = method(
        keyed="modulation", token_weight=1e-30, adversarial_weight=0.0, negative_weight=1.0
    )
    state = started("modulation", leave_out=("discriminator",))
    after, _ = step(made, state)
    assert changed(state, after) == {
        "sentence_decoder",
        "state_reader",
        "generator",
        "sentence_encoder",
    }


def test_the_first_stage_trains_the_lstms_alone():
    made = method(stage_steps=(3, 4), channel_noise=0.0, adversarial_weight=0.0)
    assert [(stage.name, stage.steps) for stage in made.stages] == [("words", 3), ("pictures", 4)]
    state = started(leave_out=("discriminator",))
    after, values = steps.run_steps(made, BATCH, 1, state=state, stage=0)
    assert (
        changed(state, after) == set(seq2seq_gan.SENTENCES)
        and abs(values["loss"] - np.log(10)) < 0.5
    )


def key_arrays(keyed, seed):
    keys = jax.random.split(jax.random.key(seed), 4)
    return jax.vmap(seq2seq_gan.KEYINGS[keyed].draw)(keys)


@pytest.mark.parametrize("keyed", ["scramble", "plane", "modulation"])
def test_predict_with_a_given_key_is_put_together_from_the_networks(keyed):
    made = method(keyed=keyed, noise=0.5, negative_weight=0.0)
    state = started(keyed)
    own = key_arrays(keyed, 2)
    added = jax.random.normal(jax.random.key(3), (4, 2, 256))
    found = jax.jit(made.predict)(state, {"ids": IDS, "noise": added, **own}, jax.random.key(9))
    params, stats = state.params, state.batch_stats

    def apply(network, name, *inputs, **options):
        compiled = jax.jit(lambda variables, *inputs: network.apply(variables, *inputs, **options))
        return compiled({"params": params[name], "batch_stats": stats.get(name, {})}, *inputs)

    states = apply(models.SentenceEncoder(10), "sentence_encoder", IDS, IDS != 0)
    if keyed == "scramble":
        flat = np.asarray(states).reshape(4, 512)
        flat = np.take_along_axis(flat, np.asarray(own["order"]), axis=1) * np.asarray(own["signs"])
        states = jnp.asarray(flat.reshape(4, 2, 256))
    secret = [own["secret"]] if keyed in ("plane", "modulation") else []
    expected = apply(Painter(), "generator", states + 0.5 * added, *secret, train=False)
    stego = np.asarray(found["stego"])
    assert np.array_equal(stego, np.round(stego)) and stego.min() >= 0 and stego.max() <= 255
    assert np.abs(stego - np.asarray(expected)).max() < 0.51 + 1e-2
    given = own if seq2seq_gan.KEYINGS[keyed].received else {}
    again = jax.jit(made.predict)(state, {"stego": found["stego"], **given}, jax.random.key(9))
    np.testing.assert_array_equal(again["read_ids"], found["read_ids"])
    read = apply(
        Reader(),
        "state_reader",
        found["stego"],
        *(secret if keyed == "modulation" else []),
        train=False,
    )
    if keyed == "scramble":
        back = np.zeros((4, 512), np.float32)
        for row in range(4):
            back[row][np.asarray(own["order"])[row]] = (
                np.asarray(read).reshape(4, 512) * np.asarray(own["signs"])
            )[row]
        read = back.reshape(4, 2, 256)
    np.testing.assert_allclose(again["states"], read, atol=1e-5)


def test_measure_by_hand():
    ids = np.asarray([[1, 4, 5, 2, 0], [1, 6, 2, 0, 0]], np.int32)
    read = np.asarray([[1, 4, 7, 2, 0], [1, 6, 2, 0, 0]], np.int32)
    stego = np.zeros((2, 4, 4, 3), np.float32)
    found = seq2seq_gan.measure(
        {"ids": ids},
        {
            "read_ids": read,
            "stego": stego,
            "other_sentence": stego + 3,
            "other_key": stego - 2,
            "wrong_key_ids": np.asarray([[1, 2, 0, 0, 0]] * 2, np.int32),
        },
    )
    expected = {
        "exact_match": [0, 1],
        "token_accuracy": [2 / 3, 1],
        "between_sentences": [3, 3],
        "between_keys": [2, 2],
        "wrong_key_accuracy": [0, 0],
    }
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-6)


def test_the_held_out_figures_under_drawn_keys():
    made = method()

    def figures(state, batch, key):
        return made.measure(batch, made.predict(state, batch, key))

    values = steps.over(figures)(started(), {"ids": IDS}, jax.random.key(4))
    assert set(values) == {
        "exact_match",
        "token_accuracy",
        "between_sentences",
        "between_keys",
        "wrong_key_accuracy",
    }
    assert min(values["between_keys"]) > 0
    assert all(np.isfinite(value).all() for value in values.values())


def test_the_leaf_losses_can_be_other_functions():
    made = method(
        token_loss=lambda logits, labels, mask: 3.0 + 0.0 * logits[:, 0, 0],
        discriminator_loss=lambda logits, labels: 5.0 + 0.0 * logits,
        state_loss=lambda read, sent: 7.0 + 0.0 * read[:, 0, 0],
        state_weight=1.0,
    )
    state = started()
    after, values = step(made, state)
    assert changed(state, after) == set() and float(values["loss"]) == 30.0 + 7.0 + 5.0
    assert float(values["discriminator_loss"]) == 5.0


def probabilities(decoder, variables, state, rows):
    """The logarithm of each sentence's probability: the words before every word being known, all
    rows at once.
    """
    ids = jnp.asarray(rows)
    logits = jax.jit(decoder.apply)(
        variables, jnp.repeat(state[None], len(rows), axis=0), ids[:, :-1]
    )
    each = np.asarray(jax.nn.log_softmax(logits))
    return [
        sum(each[place, i, row[i + 1]] for i in range(len(row) - 1) if row[i + 1] != 0)
        for place, row in enumerate(rows)
    ]


def test_the_beam_search_finds_the_likeliest_of_all_sentences():
    """Against every row of length 4 over a vocabulary of 6; a beam of 6 keeps every beginning of
    one word, 36 of two.
    """
    decoder = models.SentenceDecoder(6)
    states = jax.random.uniform(jax.random.key(0), (3, 2, 256), minval=-1.0, maxval=1.0)
    variables = generators.draw(decoder, states, jnp.ones((3, 3), jnp.int32), seed=3)
    rows = [(1, END, 0, 0)] + [(1, a, END, 0) for a in (3, 4, 5)]
    rows += [(1, a, b, c) for a in (3, 4, 5) for b in (3, 4, 5) for c in (2, 3, 4, 5)]
    search = jax.jit(
        functools.partial(models.beam_sentences, decoder, length=4), static_argnames="beams"
    )
    found, scores = search(variables, states, beams=6)
    greedy = models.write_sentences(decoder, variables, states, length=4)
    np.testing.assert_array_equal(search(variables, states, beams=1)[0], greedy)
    assert found.dtype == jnp.int32
    for place in range(3):
        likely = dict(
            zip(rows, probabilities(decoder, variables, states[place], rows), strict=True)
        )
        best = max(likely, key=likely.get)
        assert tuple(found[place].tolist()) == best
        np.testing.assert_allclose(scores[place], likely[best], rtol=1e-4)
        assert likely[tuple(greedy[place].tolist())] <= likely[best]


def test_a_beams_score_is_the_probability_of_its_row():
    """In long sentences, whose beginnings change places between the beams."""
    decoder = models.SentenceDecoder(6)
    states = jax.random.uniform(jax.random.key(0), (8, 2, 256), minval=-1.0, maxval=1.0)
    variables = jax.tree.map(
        np.array, generators.draw(decoder, states, jnp.ones((8, 3), jnp.int32), seed=3, gain=2.0)
    )
    variables["params"]["words"]["bias"][END] -= 4.0
    found, scores = jax.jit(functools.partial(models.beam_sentences, decoder, length=10, beams=5))(
        variables, states
    )
    rows = [tuple(row) for row in np.asarray(found).tolist()]
    assert np.mean([len(row) - row.count(0) for row in rows]) > 5
    for place, row in enumerate(rows):
        np.testing.assert_allclose(
            scores[place], probabilities(decoder, variables, states[place], [row])[0], rtol=1e-4
        )


def test_a_beam_that_cannot_be_is_refused():
    decoder = models.SentenceDecoder(6)
    for beams, words in ((0, "1 to 6 beams are needed, 0"), (7, "1 to 6 beams are needed, 7")):
        with pytest.raises(ValueError, match=words):
            models.beam_sentences(decoder, {}, jnp.zeros((1, 2, 256)), length=4, beams=beams)
    with pytest.raises(ValueError, match="at least 2 is needed, 1"):
        models.beam_sentences(decoder, {}, jnp.zeros((1, 2, 256)), length=1, beams=2)


SECTION = dict(
    vocabulary=10,
    length=6,
    width=1 / 16,
    **dict.fromkeys(
        ("optimizer", "sentence_optimizer", "discriminator_optimizer"),
        dict(name="sgd", learning_rate=1.0),
    ),
)


@pytest.mark.parametrize("keyed", list(seq2seq_gan.KEYINGS))
def test_a_config_gives_the_networks_of_its_keying(keyed):
    made = seq2seq_gan.from_config({**SECTION, "keyed": keyed}, steps_per_epoch=10)
    batch = {"ids": IDS[:1], "photograph": BATCH["photograph"][:1]}
    like = jax.eval_shape(made.init, jax.random.key(0), batch)
    assert set(like.params) == NETWORKS
    outputs = jax.eval_shape(
        jax.vmap(made.predict, axis_name=parallel.AXIS, in_axes=(None, 0, None)),
        like,
        {"ids": IDS[None, :1]},
        jax.random.key(0),
    )
    assert ("other_key" in outputs) == (keyed != "none")
    assert ("wrong_key_ids" in outputs) == (keyed in ("modulation", "scramble"))


@pytest.mark.parametrize(
    "options,words",
    [
        (dict(keyed="style"), "keyed='style' is unknown; there are none, plane"),
        (dict(noise=-1.0), "must not be negative"),
        (dict(token_weight=0.0), "token_weight must be above 0"),
        (dict(stage_steps=(3,)), "must be two numbers from 1 on"),
        (dict(keyed="plane", negative_weight=1.0), "is for keys that the receiver uses"),
    ],
)
def test_options_that_cannot_be_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        seq2seq_gan.from_config({**SECTION, **options}, steps_per_epoch=10)
