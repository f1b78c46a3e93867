"""SFTN: its loss is the paper's, its stego eq. (14), its structures are wired in, and its critic
ascends.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.hiding_bits import ADAM, begin, covers, run_steps, same

from stegojax import parallel
from stegojax.errors import InputError
from stegojax.methods import METHODS, bit_hiding, chatgan, network, sftn
from stegojax.models import sftn as models
from stegojax.models.xunet import XuNet

BITS = np.random.default_rng(7).integers(0, 2, (2, 16, 16, 1)).astype(np.float32)
TRAINING = dict(
    steps_per_epoch=10,
    optimizer=ADAM,
    critic_optimizer=ADAM,
    image_decoder_optimizer=ADAM,
    message_weight=100.0,
    cover_weight=1.0,
    stage_lengths=(0, 6, 4),
)


def make(**options):
    return sftn.make(**{**TRAINING, "width": 0.125, "critic_width": 0.125, **options})


def test_the_first_steps_loss_is_the_papers(monkeypatch):
    """Eq. (9) to (12) with lambdas 1, 1 and 100, written down anew."""
    monkeypatch.setattr(bit_hiding, "draw", lambda key, cover, shape: jnp.asarray(BITS))
    made, batch = make(), covers(2, 16)
    start = begin(made, batch)
    _, values = run_steps(made, batch, 1, state=start)
    options = dict(width=0.125, axis_name=parallel.AXIS)

    def forward(unused):
        cover = batch["cover"]
        changes, _ = network.apply_training(
            models.Generator(**options),
            start.params["encoder"],
            start.batch_stats["encoder"],
            cover,
            BITS,
        )
        x = cover + jnp.clip(changes, -10.0, 10.0)
        logits, _ = network.apply_training(
            models.Extractor(**options), start.params["decoder"], start.batch_stats["decoder"], x
        )
        scores, _ = network.apply_training(
            XuNet(outputs=1, **options),
            start.params["critic"],
            start.batch_stats["critic"],
            jnp.concatenate([cover, x]),
        )
        return x, logits, scores

    x, logits, scores = (
        np.asarray(value[0], np.float64)
        for value in jax.pmap(forward, axis_name=parallel.AXIS, devices=jax.local_devices()[:1])(
            np.zeros(1)
        )
    )
    read, judged = 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(-scores))
    entropy = -np.mean(BITS * np.log(read) + (1 - BITS) * np.log(1 - read))
    gap = np.mean(np.abs(judged[:2] - judged[2:]))
    squares = np.mean((batch["cover"] - x) ** 2)
    assert float(values["loss"]) == pytest.approx(gap + squares + 100 * entropy, rel=1e-4)
    assert float(values["critic_deceit"]) == pytest.approx(gap, rel=1e-3, abs=1e-7)
    assert float(values["critic_loss"]) == pytest.approx(-gap, rel=1e-3, abs=1e-7)


def test_the_stego_is_clipped_and_rounded_as_equation_14():
    made, generator = make(limit=2.0), np.random.default_rng(1)
    batch = {
        "cover": generator.choice([0.0, 1.0, 100.0, 254.0, 255.0], (2, 16, 16, 1)).astype(
            np.float32
        ),
        "message": BITS,
    }
    state = begin(made, {"cover": batch["cover"]})
    # Larger modifications than an untrained generator's, some of them halves.
    state.params["encoder"]["output"]["kernel"] = 20 * state.params["encoder"]["output"]["kernel"]
    outputs = jax.jit(made.predict)(state, batch, jax.random.key(0))
    changes = np.asarray(
        network.apply(
            models.Generator(width=0.125),
            state.params["encoder"],
            state.batch_stats["encoder"],
            batch["cover"],
            BITS,
        )
    )
    assert np.abs(changes).max() > 2.5
    for index in np.ndindex(changes.shape):
        change = min(2.0, max(-2.0, float(changes[index])))
        wanted = min(255.0, max(0.0, change + float(batch["cover"][index])))
        assert abs(outputs["stego"][index] - wanted) <= 0.5 + 1e-4
        assert outputs["stego"][index] == round(float(outputs["stego"][index]))
        assert (
            abs(float(outputs["unrounded"][index]) - (change + float(batch["cover"][index]))) < 1e-3
        )


def test_beyond_the_limit_the_encoder_is_not_reached():
    """With every modification beyond it, the encoder's gradient is zero."""
    made, batch = make(limit=1e-6, cover_weight=0.0, adversarial_weight=0.0), covers(2, 16)
    start = begin(made, batch)
    state, _ = run_steps(made, batch, 1, state=start)
    # Adam turns whatever gradient there is into a step: only weights that have none stand still.
    still = [
        np.mean(a == b)
        for a, b in zip(
            jax.tree.leaves(start.params["encoder"]),
            jax.tree.leaves(state.params["encoder"]),
            strict=True,
        )
    ]
    assert min(still) > 0.99 and not same(start.params["decoder"], state.params["decoder"])


@pytest.mark.parametrize("structure", list(sftn.STRUCTURES))
def test_the_structures_have_their_networks(structure):
    """Parameters at full width: concatenation and blocks are what the ablation takes away."""
    made = make(structure=structure, width=1.0)
    state = jax.eval_shape(made.init, jax.random.key(0), covers(1, 16))
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


def test_without_weight_there_is_no_critic():
    state = jax.eval_shape(make(adversarial_weight=0.0).init, jax.random.key(0), covers(1, 16))
    assert set(state.params) == {"encoder", "decoder"}


def test_the_gap_is_that_of_sigmoids():
    cover, stego = np.asarray([[0.0], [2.0]], np.float32), np.asarray([[0.0], [-2.0]], np.float32)
    wanted = [0.0, 1 / (1 + np.exp(-2)) - 1 / (1 + np.exp(2))]
    np.testing.assert_allclose(sftn.score_gap(cover, stego), wanted, rtol=1e-5)
    np.testing.assert_allclose(sftn.score_gap(stego, cover), wanted, rtol=1e-5)
    np.testing.assert_allclose(
        sftn.discriminator(1.0, 1.0).loss(cover, stego), np.negative(wanted), rtol=1e-5
    )


def test_the_reach_is_that_of_both_networks():
    assert make().receptive_radius == 4 + 11 and chatgan.make(**TRAINING).receptive_radius is None


@pytest.mark.parametrize("module", [sftn, chatgan])
def test_what_cannot_be_is_refused(module):
    with pytest.raises(InputError, match="method.limit=0 must be above 0"):
        module.make(**TRAINING, limit=0)
    with pytest.raises(InputError, match="structure 'd' is unknown; there are proposed, a, b, c"):
        make(structure="d")


def test_the_messages_of_all_methods():
    shapes = {name: tuple(entry.message({})) for name, entry in METHODS.items() if entry.message}
    assert shapes == {
        "sftn": (1, 1, 0),
        "chatgan": (1, 1, 0),
        "abdh": (1, 1, 0),
        "steganogan": (3, 1, 0),
        "hayesgan": (3, 0, 100),
        "hidden": (3, 0, 30),
    }
    assert METHODS["steganogan"].message(dict(depth=4, width=0.5)).depth == 4
    assert (
        METHODS["hayesgan"].message(dict(length=16, width=0.5)).length
        == METHODS["hidden"].message(dict(length=16, noises=())).length
        == 16
    )
