"""SteganoGAN, HayesGAN, HiDDeN and ABDH-like: the losses and what is their own."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.hiding_bits import ADAM, covers, over, run_steps

from stegojax import parallel
from stegojax.errors import InputError
from stegojax.methods import abdh, hayesgan, hidden, steganogan
from stegojax.models import hidden as hidden_models

TRAINING = dict(
    steps_per_epoch=10,
    optimizer=ADAM,
    critic_optimizer=ADAM,
    image_decoder_optimizer=ADAM,
    message_weight=1.0,
    cover_weight=1.0,
    stage_lengths=(0, 6, 4),
    width=0.125,
    critic_width=0.125,
)


def test_the_clamp_keeps_parameters_in_bounds():
    steps = optax.chain(optax.sgd(1.0), steganogan.within(0.1))
    params = {"a": jnp.asarray([0.05, -0.05, 0.09, 3.0, -3.0])}
    gradients = {"a": jnp.asarray([0.01, -0.02, -0.5, 0.0, 0.0])}
    updates, _ = steps.update(gradients, steps.init(params), params)
    np.testing.assert_allclose(
        optax.apply_updates(params, updates)["a"], [0.04, -0.03, 0.1, 0.1, -0.1], atol=1e-6
    )


def test_steganogans_critic_is_clamped_and_its_coders_are_not():
    state, values = run_steps(steganogan.make(**TRAINING), covers(2, 16, 3), 1)
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(state.params["critic"])) <= 0.1 + 1e-6
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(state.params["encoder"])) > 0.5
    assert np.isfinite(values["loss"])


@pytest.mark.parametrize("kind,depth", [("basic", 1), ("residual", 2), ("dense", 6)])
def test_steganogans_kinds_and_depths(kind, depth):
    made = steganogan.make(**TRAINING, kind=kind, depth=depth)
    like = jax.eval_shape(made.init, jax.random.key(0), covers(1, 16, 3))
    # The dense decoder's last layer sees all features, the basic one's only the last.
    assert like.params["decoder"]["output"]["kernel"].shape == (
        3,
        3,
        12 if kind == "dense" else 4,
        depth,
    )
    batch = {**covers(2, 16, 3), "message": np.zeros((2, 16, 16, depth), np.float32)}
    assert jax.eval_shape(made.predict, like, batch, jax.random.key(0))["logits"].shape == (
        2,
        16,
        16,
        depth,
    )


def test_steganogans_coders_lower_the_critics_score():
    critic = steganogan._stego_score(np.asarray([[5.0]]), np.asarray([[2.0]]))
    np.testing.assert_allclose(critic, [2.0])


def test_bobs_loss_and_logits_are_on_the_scale_of_halves():
    said, message = (
        np.asarray([[0.5, -0.5, 0.1, 0.0]], np.float32),
        np.asarray([[1, 0, 1, 0]], np.float32),
    )
    np.testing.assert_allclose(
        hayesgan.message_loss(said, message), [(0.4**2 + 0.5**2) / 4], rtol=1e-6
    )
    made, batch = hayesgan.make(**TRAINING, length=8), covers(2, 16, 3)
    like = jax.eval_shape(made.init, jax.random.key(0), batch)
    assert (
        made.size_multiple == 16
        and like.params["decoder"]["reader"]["full"]["kernel"].shape[-1] == 8
    )


def test_bobs_sign_is_the_bit():
    made, batch = hayesgan.make(**TRAINING, length=8), covers(2, 16, 3)
    state = jax.jit(made.init)(jax.random.key(0), batch)
    from stegojax.methods import network
    from stegojax.models import hayesgan as models

    said = network.apply(
        models.Bob(8, width=0.125),
        state.params["decoder"],
        state.batch_stats["decoder"],
        batch["cover"],
    )
    logits = jax.jit(made.predict)(state, {"stego": batch["cover"]}, jax.random.key(0))["logits"]
    np.testing.assert_array_equal(np.sign(logits), np.sign(said))


def noised(text, batch, devices=1):
    def function(state, batch, key):
        keys = parallel.example_keys(key, batch["cover"].shape[0])
        return jax.lax.all_gather(
            hidden.noise(text)(keys, batch["cover"], jnp.zeros_like(batch["cover"])), parallel.AXIS
        )

    found = over(function, devices)(0, batch, jax.random.key(3))
    return found.reshape((-1,) + found.shape[2:])


@pytest.mark.parametrize("text", ["dropout:0.5", "cropout:0.3", "crop:0.3", "jpeg_drop:50"])
def test_noise_depends_on_the_example_alone(text):
    """Each picture of a batch is damaged in its own way, the same on one device and on four."""
    same = covers(1, 16, 3)["cover"].repeat(4, axis=0)
    one, four = (noised(text, {"cover": same}, devices) for devices in (1, 4))
    np.testing.assert_allclose(one, four, atol=1e-3)
    assert np.any(one[0] != one[1]) and np.any(one[1] != one[2])


def test_noises_are_the_models():
    batch = covers(2, 16, 3)
    for text, direct in (
        (
            "gaussian_blur:1.0",
            hidden_models.gaussian_blur(None, batch["cover"], batch["cover"], sigma=1.0),
        ),
        ("jpeg_mask", hidden_models.jpeg_mask(None, batch["cover"], batch["cover"])),
    ):
        np.testing.assert_allclose(noised(text, batch), direct, atol=1e-3)
    assert noised("crop:0.25", batch).shape == (2, 8, 8, 3)
    kept = np.mean(np.any(noised("dropout:0.2", covers(4, 32, 3)) != 0, axis=-1))
    assert 0.15 < kept < 0.25


def test_the_combined_channel_takes_one_noise_a_step():
    batch = covers(2, 16, 3)
    names = ("identity", "gaussian_blur:2.0", "crop:0.25")

    def function(state, batch, key):
        return hidden.channel([hidden.noise(name) for name in names])(
            key,
            batch["cover"],
            batch["cover"],
            lambda arrived: jnp.stack([arrived.mean(), arrived.std()]),
        )

    step = over(function)
    found = np.stack([step(0, batch, jax.random.key(index)) for index in range(24)])
    plain, blurred = (
        np.asarray([value.mean(), value.std()])
        for value in (batch["cover"], noised(names[1], batch))
    )
    near = [np.isclose(found, wanted, rtol=1e-4).all(axis=1) for wanted in (plain, blurred)]
    assert near[0].any() and near[1].any() and not (near[0] | near[1]).all()


def test_hiddens_figures_have_the_accuracy_after_each_noise():
    made = hidden.make(**TRAINING, length=4, noises=("identity", "dropout:0.3"))
    batch = covers(2, 16, 3)
    state = jax.tree.map(np.asarray, jax.jit(made.init)(jax.random.key(0), batch))
    figures = over(lambda state, batch, key: made.measure(batch, made.predict(state, batch, key)))(
        state, batch, jax.random.key(0)
    )
    np.testing.assert_allclose(figures["accuracy_identity"], figures["accuracy"])
    assert figures["accuracy_dropout"].shape == (2,)
    given = jax.jit(made.predict)(
        state, {**batch, "message": np.zeros((2, 4), np.float32)}, jax.random.key(0)
    )
    assert set(made.measure(batch, given)) == {
        "accuracy",
        "accuracy_rounded",
        "accuracy_unrounded",
        "stego_psnr",
        "stego_ssim",
    }


def test_a_combined_model_trains():
    made = hidden.make(**TRAINING, length=4, noises=("identity", "crop:0.25"))
    state, values = run_steps(made, covers(4, 16, 3), 2, devices=2)
    assert np.isfinite(values["loss"]) and int(state.step) == 2


def test_abdhs_losses():
    logits, message = (
        np.asarray([[[[0.0]], [[9.0]]]], np.float32),
        np.asarray([[[[1.0]], [[1.0]]]], np.float32),
    )
    np.testing.assert_allclose(abdh.message_loss(logits, message), [0.25], atol=1e-3)
    real, made = np.asarray([[0.8]], np.float32), np.asarray([[0.4]], np.float32)
    np.testing.assert_allclose(abdh._critic_loss(real, made), [0.5 * (0.04 + 0.16)], rtol=1e-5)
    np.testing.assert_allclose(abdh._deceit(real, made), [0.36], rtol=1e-5)
    seen = abdh._messages(None, None, message, logits)
    np.testing.assert_allclose([seen[0][0, 0, 0, 0], seen[1][0, 0, 0, 0]], [255.0, 127.5])


@pytest.mark.slow
def test_abdh_trains_all_its_networks():
    made, batch = (
        abdh.make(**{**TRAINING, "width": 0.0625, "critic_width": 0.0625}, blocks=1),
        covers(2, 24),
    )
    start = jax.tree.map(np.asarray, jax.jit(made.init)(jax.random.key(0), batch))
    state, values = run_steps(made, batch, 1, state=start)
    assert set(state.params) == {"encoder", "decoder", "critic", "message_critic"}
    assert all(np.isfinite(value) for value in values.values())
    for name in state.params:
        moved = [
            np.any(a != b)
            for a, b in zip(
                jax.tree.leaves(state.params[name]), jax.tree.leaves(start.params[name])
            )
        ]
        assert np.mean(moved) > 0.8, name


@pytest.mark.parametrize(
    "function,message",
    [
        (
            lambda: steganogan.make(**TRAINING, kind="sparse"),
            "'sparse' is unknown; there are basic, residual, dense",
        ),
        (
            lambda: steganogan.make(**TRAINING, depth=7),
            "depth=7 must be a whole number from 1 to 6",
        ),
        (lambda: steganogan.make(**TRAINING, critic_limit=0.0), "critic_limit=0.0 must be above 0"),
        (lambda: hayesgan.make(**TRAINING, length=0), "length=0 must be a whole number above 0"),
        (lambda: hidden.make(**TRAINING, length=1.5), "length=1.5 must be a whole number above 0"),
        (lambda: hidden.make(**TRAINING, noises=()), "at least one noise"),
        (lambda: hidden.make(**TRAINING, noises=("crop:0.3", "crop:0.3")), "each once"),
        (lambda: hidden.noise("snow"), "'snow' is unknown; there are identity, dropout"),
        (lambda: hidden.noise("jpeg_mask:3"), "'jpeg_mask:3' is not understood"),
        (lambda: hidden.noise("dropout:much"), "'dropout:much' is not understood"),
        (lambda: abdh.make(**TRAINING, blocks=0), "method.blocks must be a whole number above 0"),
        (
            lambda: abdh.make(**TRAINING, inconsistency_weight=-1.0),
            "inconsistency_weight not negative",
        ),
    ],
)
def test_what_cannot_be_is_refused(function, message):
    with pytest.raises(InputError, match=message):
        function()
