"""The separable stage: what it begins from, what it is trained on, and that its loss reaches
nothing but the second decoder.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.hiding_bits import ADAM, Layer, assert_near, covers, make, over, run_steps, same

from stegojax import parallel
from stegojax.methods import bit_hiding, network, separable

SECOND = separable.NAME
BITS = np.random.default_rng(6).integers(0, 2, (4, 8, 8, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def trained():
    """The state after some joint training, and as the separable stage takes it over."""
    made, batch = make(image_decoder_optimizer=ADAM), covers()
    state, _ = run_steps(made, batch, 3)
    second = jax.tree.map(np.asarray, made.stages[2].begin(state, jax.random.key(0)))
    return made, batch, state, second


def test_the_second_decoder_begins_as_the_first(trained):
    _, _, state, second = trained
    assert same(second.params[SECOND], state.params["decoder"])
    assert same(second.batch_stats[SECOND], state.batch_stats["decoder"])
    assert same({n: second.params[n] for n in state.params}, state.params)
    assert set(second.opt_state) == {SECOND} and int(second.step) == 3
    # A fresh optimiser: Adam has counted no step.
    assert all(not np.any(leaf) for leaf in jax.tree.leaves(second.opt_state))


def test_a_step_changes_the_second_decoder_and_nothing_else(trained):
    made, batch, _, second = trained
    state, values = run_steps(made, batch, 2, state=second, stage=2)
    for name in ("encoder", "decoder", "steganalyzer"):
        assert same(state.params[name], second.params[name]), name
        assert same(state.batch_stats[name], second.batch_stats[name]), name
    moved = [
        not np.array_equal(a, b)
        for a, b in zip(
            jax.tree.leaves(state.params[SECOND]),
            jax.tree.leaves(second.params[SECOND]),
            strict=True,
        )
    ]
    assert all(moved) and not same(state.batch_stats[SECOND], second.batch_stats[SECOND])
    assert int(state.step) == 5 and set(values) == {"loss", "gradient_norm"}


def gradients(made, state, batch, stage):
    """Of a step's loss by all parameters, straight through the whole step."""
    train_step = made.stages[stage].train_step

    def loss(params, batch, key):
        return train_step(state._replace(params=params), batch, key)[1]["loss"]

    found = over(lambda params, batch, key: jax.grad(loss)(params, batch, key))(
        state.params, batch, jax.random.key(2)
    )
    return {
        name: sum(float(np.abs(leaf).sum()) for leaf in jax.tree.leaves(tree))
        for name, tree in found.items()
    }


def test_the_second_stages_loss_reaches_nothing_in_the_generator(trained):
    """By gradients: zero in every network but one. The joint stage's loss reaches encoder and
    decoder.
    """
    made, batch, state, second = trained
    reached = gradients(made, second, batch, 2)
    assert reached.pop(SECOND) > 1e-4
    assert reached == {"encoder": 0.0, "decoder": 0.0, "steganalyzer": 0.0}
    joint = gradients(made, state, batch, 1)
    assert joint["encoder"] > 1e-4 and joint["decoder"] > 1e-4


def test_it_is_trained_on_stegos_as_files_hold_them(trained, monkeypatch):
    """The loss, written down anew: the frozen encoder with its running statistics, rounding, the
    decoder in training.
    """
    made, batch, _, second = trained
    monkeypatch.setattr(bit_hiding, "draw", lambda key, cover, shape: jnp.asarray(BITS))
    _, values = run_steps(make(image_decoder_optimizer=ADAM), batch, 1, state=second, stage=2)
    output = np.asarray(
        network.apply(
            Layer(1), second.params["encoder"], second.batch_stats["encoder"], batch["cover"], BITS
        )
    )
    stego = np.clip(np.rint(batch["cover"] + 3.0 * output), 0, 255).astype(np.float32)

    def read(unused):
        return network.apply_training(
            Layer(1), second.params[SECOND], second.batch_stats[SECOND], stego
        )[0]

    logits = np.asarray(
        jax.pmap(read, axis_name=parallel.AXIS, devices=jax.local_devices()[:1])(np.zeros(1))[0],
        np.float64,
    )
    sure = 1 / (1 + np.exp(-logits))
    assert float(values["loss"]) == pytest.approx(
        -np.mean(BITS * np.log(sure) + (1 - BITS) * np.log(1 - sure)), rel=1e-4
    )


def test_what_is_revealed_comes_from_the_second_decoder(trained):
    made, batch, state, second = trained
    after, _ = run_steps(made, batch, 3, state=second, stage=2)
    given = {**batch, "message": BITS}
    before, now = (jax.jit(made.predict)(s, given, jax.random.key(0)) for s in (state, after))
    np.testing.assert_array_equal(before["logits"], before["rounded_logits"])
    for name in ("unrounded", "stego", "unrounded_logits", "rounded_logits"):
        np.testing.assert_array_equal(before[name], now[name])
    assert np.any(now["logits"] != now["rounded_logits"])
    alone = jax.jit(made.predict)(after, {"stego": now["stego"]}, jax.random.key(0))
    np.testing.assert_allclose(alone["logits"], now["logits"], rtol=1e-5, atol=1e-5)
    stego = np.asarray(now["stego"])
    assert np.array_equal(stego, np.round(stego)) and stego.min() >= 0 and stego.max() <= 255


def test_another_network_may_be_its_beginning(trained):
    _, _, state, _ = trained
    options = dict(
        steps=1,
        embed=None,
        decoder=Layer(1),
        message_loss=None,
        shape=bit_hiding.MessageShape(1, 1),
    )
    stage = separable.stage(**options, optimizer=optax.sgd(1.0), first="encoder", choice="accuracy")
    assert (
        same(stage.begin(state, None).params[SECOND], state.params["encoder"])
        and stage.choice == "accuracy"
    )


def test_a_channel_damages_what_is_rounded(trained):
    """The decoder sees what the channel makes of the file; a channel that erases everything leaves
    nothing to learn.
    """
    _, batch, _, second = trained
    made = make(noise=lambda key, stego, cover, read: read(jnp.full_like(stego, 128.0)))
    state, values = run_steps(
        made,
        batch,
        1,
        state=second._replace(opt_state=made.stages[2].begin(second, None).opt_state),
        stage=2,
    )
    assert_near(state.params["encoder"], second.params["encoder"], rtol=0)
    # With equal pixels everywhere batch normalisation gives its shift alone.
    shift = float(second.params[SECOND]["BatchNorm_0"]["bias"][0])
    expected = 0.5 * (np.log1p(np.exp(-shift)) + np.log1p(np.exp(shift)))
    assert float(values["loss"]) == pytest.approx(expected, abs=0.02)
