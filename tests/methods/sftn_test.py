"""SFTN: its loss is the paper's, its stego eq. (14), its structures are wired in, and its
steganalyzer ascends.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.hiding_bits import (
    ADAM,
    JOINT,
    SECTION,
    Layer,
    Means,
    begin,
    covers,
    over,
    run_steps,
    same,
    training,
)

from stegojax import losses
from stegojax.errors import InputError
from stegojax.methods import METHODS, bit_hiding, chatgan, joint, network, sftn

BITS = np.random.default_rng(7).integers(0, 2, (2, 8, 8, 1)).astype(np.float32)


def make(adversarial=True, **options):
    """SFTN's losses with networks of one layer."""
    networks = joint.Networks(Layer(1), Layer(1), Means() if adversarial else None)
    given = dict(lengths=JOINT, message_weight=100.0, cover_weight=1.0, optimizer=ADAM)
    changes = {name: options.pop(name) for name in list(options) if name in joint.Training._fields}
    return sftn.make(networks, training(**{**given, **changes}), **options)


def named(module=sftn, **options):
    return module.from_config({**SECTION, **options}, steps_per_epoch=10)


def test_the_first_steps_loss_is_the_papers(monkeypatch):
    """Eq. (9) to (12) with lambdas 1, 1 and 100, written down anew."""
    monkeypatch.setattr(bit_hiding, "draw", lambda key, cover, shape: jnp.asarray(BITS))
    method, batch = make(limit=1.0), covers(2)
    start = begin(method, batch)
    _, values = run_steps(method, batch, 1, state=start)

    def forward(state, batch, key):
        def apply(name, module, *inputs):
            return network.apply_training(
                module, state.params[name], state.batch_stats[name], *inputs
            )[0]

        cover = batch["cover"]
        x = cover + jnp.clip(apply("encoder", Layer(1), cover, jnp.asarray(BITS)), -1.0, 1.0)
        scores = apply("steganalyzer", Means(), jnp.concatenate([cover, x]))
        return x, apply("decoder", Layer(1), x), scores

    x, logits, scores = (
        value.astype(np.float64) for value in over(forward)(start, batch, jax.random.key(0))
    )
    read, judged = 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(-scores))
    entropy = -np.mean(BITS * np.log(read) + (1 - BITS) * np.log(1 - read))
    gap = np.mean(np.abs(judged[:2] - judged[2:]))
    squares = np.mean((batch["cover"] - x) ** 2)
    assert float(values["loss"]) == pytest.approx(gap + squares + 100 * entropy, rel=1e-4)
    assert float(values["steganalyzer_deceit"]) == pytest.approx(gap, rel=1e-2, abs=1e-7)
    assert float(values["steganalyzer_loss"]) == pytest.approx(-gap, rel=1e-2, abs=1e-7)


def test_the_stego_is_clipped_and_rounded_as_equation_14():
    method, generator = make(limit=2.0), np.random.default_rng(1)
    cover = generator.choice([0.0, 1.0, 100.0, 254.0, 255.0], (2, 8, 8, 1)).astype(np.float32)
    state = begin(method, {"cover": cover})
    # Modifications from -3 to 3 by the message alone, some of them halves.
    state.params["encoder"]["Dense_0"]["kernel"] = np.asarray([[0.0], [1.0]], np.float32)
    state.batch_stats["encoder"]["BatchNorm_0"]["mean"] = np.zeros(1, np.float32)
    message = generator.integers(-6, 7, BITS.shape).astype(np.float32) / 2
    outputs = jax.jit(method.predict)(state, {"cover": cover, "message": message}, None)
    changes = np.asarray(
        network.apply(
            Layer(1), state.params["encoder"], state.batch_stats["encoder"], cover, message
        )
    )
    assert np.abs(changes).max() > 2.5
    for index in np.ndindex(changes.shape):
        change = min(2.0, max(-2.0, float(changes[index])))
        wanted = min(255.0, max(0.0, change + float(cover[index])))
        assert abs(outputs["stego"][index] - wanted) <= 0.5 + 1e-4
        assert outputs["stego"][index] == round(float(outputs["stego"][index]))
        assert abs(float(outputs["unrounded"][index]) - (change + float(cover[index]))) < 1e-3


def test_beyond_the_limit_the_encoder_is_not_reached():
    """With every modification beyond it, the encoder's gradient is zero."""
    method, batch = make(adversarial=False, limit=1e-6, cover_weight=0.0), covers(2)
    start = begin(method, batch)
    state, _ = run_steps(method, batch, 1, state=start)
    # Adam turns whatever gradient there is into a step: only weights that have none stand still.
    assert same(start.params["encoder"], state.params["encoder"])
    assert not same(start.params["decoder"], state.params["decoder"])


def test_its_leaf_losses_can_be_other_functions():
    method, batch = (
        make(
            adversarial=False,
            message_loss=lambda output, message: losses.squared_bit_error(output, message) + 3.0,
            cover_loss=lambda cover, stego: 5.0 + 0.0 * cover[:, 0, 0, 0],
        ),
        covers(2),
    )
    _, values = run_steps(method, batch, 1)
    assert float(values["cover_loss"]) == 5.0 and float(values["message_loss"]) > 3.0
    assert float(values["loss"]) == pytest.approx(5.0 + 100 * float(values["message_loss"]))


@pytest.mark.parametrize("structure", list(sftn.STRUCTURES))
def test_the_structures_have_their_networks(structure):
    """Parameters at full width: concatenation and blocks are what the ablation takes away."""
    state = jax.eval_shape(named(structure=structure).init, jax.random.key(0), covers(1, 16))
    count = {
        name: sum(leaf.size for leaf in jax.tree.leaves(tree))
        for name, tree in state.params.items()
    }
    assert count["encoder"] == (29_674 if structure != "b" else 29_674 - 9 * 32 * 32 - 9 * 64)
    names = set(state.params["decoder"])
    if structure in ("proposed", "b"):
        assert {"fusion2", "dense3"} <= names
        beside = state.params["decoder"]["unit4"]["conv"]["kernel"].shape[2]
        assert beside == (128 if structure == "proposed" else 64)
    else:
        assert names == (
            {"unit1", "unit2", "unit3", "output"}
            if structure == "a"
            else {"unit1", "plain2", "plain3", "unit4", "unit5", "output"}
        )
    if structure == "proposed":
        assert count["decoder"] == 214_509


def test_without_weight_there_is_no_steganalyzer():
    state = jax.eval_shape(named(adversarial_weight=0.0).init, jax.random.key(0), covers(1, 16))
    assert set(state.params) == {"encoder", "decoder"}


def test_the_gap_is_that_of_sigmoids():
    cover, stego = np.asarray([[0.0], [2.0]], np.float32), np.asarray([[0.0], [-2.0]], np.float32)
    wanted = [0.0, 1 / (1 + np.exp(-2)) - 1 / (1 + np.exp(2))]
    np.testing.assert_allclose(sftn.score_gap(cover, stego), wanted, rtol=1e-5)
    np.testing.assert_allclose(sftn.score_gap(stego, cover), wanted, rtol=1e-5)
    np.testing.assert_allclose(
        sftn.gap_steganalyzer(Means(), 1.0).loss(cover, stego), np.negative(wanted), rtol=1e-5
    )


def test_the_reach_is_that_of_both_networks():
    assert named().receptive_radius == 4 + 11 and named(chatgan).receptive_radius is None


@pytest.mark.parametrize("module", [sftn, chatgan])
def test_what_cannot_be_is_refused(module):
    with pytest.raises(InputError, match="method.limit=0 must be above 0"):
        named(module, limit=0)
    with pytest.raises(InputError, match="structure 'd' is unknown; there are proposed, a, b, c"):
        named(structure="d")


def test_the_messages_of_all_methods():
    shapes = {
        name: tuple(entry.message(SECTION)) for name, entry in METHODS.items() if entry.message
    }
    assert shapes == {
        "sftn": (1, 1, 0),
        "chatgan": (1, 1, 0),
        "abdh": (1, 1, 0),
        "steganogan": (3, 1, 0),
        "hayesgan": (3, 0, 100),
        "hidden": (3, 0, 30),
    }
    assert METHODS["steganogan"].message({**SECTION, "depth": 4}).depth == 4
    assert (
        METHODS["hayesgan"].message({**SECTION, "length": 16}).length
        == METHODS["hidden"].message({**SECTION, "length": 16}).length
        == 16
    )
