"""SteganoGAN, HayesGAN, HiDDeN and ABDH-like: the losses and what is their own."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.hiding_bits import (
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

from stegojax.errors import InputError
from stegojax.methods import abdh, channels, hayesgan, hidden, joint, network, steganogan

STEP = training(lengths=JOINT)


class Writer(nn.Module):
    """Every message has a colour, which is added to the cover."""

    @nn.compact
    def __call__(self, cover, message, *, train):
        return cover + nn.Dense(3)(message)[:, None, None]


class Reader(nn.Module):
    """So many numbers of a picture's mean colour."""

    length: int = 4

    @nn.compact
    def __call__(self, pictures, *, train):
        return nn.Dense(self.length)(pictures.mean(axis=(1, 2)) / 255.0)


BY_COLOUR = joint.Networks(Writer(), Reader(), Means())
NOISES = {text: channels.noise(text) for text in ("identity", "dropout:0.3")}


def named(module, **options):
    """The method of a section with an eighth of the channels."""
    section = {**SECTION, "width": 0.125, "steganalyzer_width": 0.125, **options}
    return module.from_config(section, steps_per_epoch=10)


def test_the_clamp_keeps_parameters_in_bounds():
    steps = optax.chain(optax.sgd(1.0), steganogan.within(0.1))
    params = {"a": jnp.asarray([0.05, -0.05, 0.09, 3.0, -3.0])}
    gradients = {"a": jnp.asarray([0.01, -0.02, -0.5, 0.0, 0.0])}
    updates, _ = steps.update(gradients, steps.init(params), params)
    np.testing.assert_allclose(
        optax.apply_updates(params, updates)["a"], [0.04, -0.03, 0.1, 0.1, -0.1], atol=1e-6
    )


def test_steganogans_steganalyzer_is_clamped_and_its_coders_are_not():
    method = steganogan.make(joint.Networks(Layer(3), Layer(1), Means()), STEP)
    state, values = run_steps(method, covers(2, 8, 3), 1)
    largest = {
        name: max(np.abs(leaf).max() for leaf in jax.tree.leaves(state.params[name]))
        for name in ("steganalyzer", "encoder")
    }
    assert largest["steganalyzer"] <= 0.1 + 1e-6 and largest["encoder"] > 0.5
    assert np.isfinite(values["loss"])


@pytest.mark.parametrize("kind,depth", [("basic", 1), ("residual", 2), ("dense", 6)])
def test_steganogans_kinds_and_depths(kind, depth):
    method = named(steganogan, kind=kind, depth=depth)
    like = jax.eval_shape(method.init, jax.random.key(0), covers(1, 16, 3))
    # The dense decoder's last layer sees all features, the basic one's only the last.
    assert like.params["decoder"]["output"]["kernel"].shape == (
        3,
        3,
        12 if kind == "dense" else 4,
        depth,
    )
    batch = {**covers(2, 16, 3), "message": np.zeros((2, 16, 16, depth), np.float32)}
    logits = jax.eval_shape(method.predict, like, batch, jax.random.key(0))["logits"]
    assert logits.shape == (2, 16, 16, depth)


def test_steganogans_coders_lower_the_steganalyzers_score():
    scores = steganogan.stego_score(np.asarray([[5.0]]), np.asarray([[2.0]]))
    np.testing.assert_allclose(scores, [2.0])


def test_bobs_loss_and_logits_are_on_the_scale_of_halves():
    said, message = (
        np.asarray([[0.5, -0.5, 0.1, 0.0]], np.float32),
        np.asarray([[1, 0, 1, 0]], np.float32),
    )
    np.testing.assert_allclose(
        hayesgan.message_loss(said, message), [(0.4**2 + 0.5**2) / 4], rtol=1e-6
    )
    method = named(hayesgan, length=8)
    like = jax.eval_shape(method.init, jax.random.key(0), covers(2, 16, 3))
    assert method.size_multiple == 16
    assert like.params["decoder"]["reader"]["full"]["kernel"].shape[-1] == 8


def test_bobs_sign_is_the_bit():
    method, batch = hayesgan.make(BY_COLOUR, STEP, length=4), covers(4, 8, 3)
    state = begin(method, batch)
    said = network.apply(Reader(), state.params["decoder"], {}, batch["cover"])
    logits = jax.jit(method.predict)(state, {"stego": batch["cover"]}, jax.random.key(0))["logits"]
    assert np.any(said > 0) and np.any(said < 0)
    np.testing.assert_array_equal(np.sign(logits), np.sign(said))


def test_hiddens_figures_have_the_accuracy_after_each_noise():
    method, batch = hidden.make(BY_COLOUR, STEP, noises=NOISES, length=4), covers(2, 16, 3)
    state = begin(method, batch)
    figures = over(
        lambda state, batch, key: method.measure(batch, method.predict(state, batch, key))
    )(state, batch, jax.random.key(0))
    np.testing.assert_allclose(figures["accuracy_identity"], figures["accuracy"])
    assert figures["accuracy_dropout"].shape == (2,)
    given = jax.jit(method.predict)(
        state, {**batch, "message": np.zeros((2, 4), np.float32)}, jax.random.key(0)
    )
    assert set(method.measure(batch, given)) == {
        "accuracy",
        "accuracy_rounded",
        "accuracy_unrounded",
        "stego_psnr",
        "stego_ssim",
    }


def test_a_combined_model_trains():
    """Through one noise or the other, also one after which pictures are smaller."""
    noises = {text: channels.noise(text) for text in ("identity", "crop:0.25")}
    method = hidden.make(BY_COLOUR, STEP, noises=noises, length=4)
    start = begin(method, covers(4, 8, 3))
    state, values = run_steps(method, covers(4, 8, 3), 2, state=start, devices=2)
    assert np.isfinite(values["loss"]) and int(state.step) == 2
    for name in start.params:
        assert not same(start.params[name], state.params[name]), name


def test_abdhs_losses():
    logits, message = (
        np.asarray([[[[0.0]], [[9.0]]]], np.float32),
        np.asarray([[[[1.0]], [[1.0]]]], np.float32),
    )
    np.testing.assert_allclose(abdh.message_loss(logits, message), [0.25], atol=1e-3)
    of_covers, of_stegos = np.asarray([[0.8]], np.float32), np.asarray([[0.4]], np.float32)
    steganalyzer = abdh.least_squares_steganalyzer(Means(), 1.0)
    np.testing.assert_allclose(
        steganalyzer.loss(of_covers, of_stegos), [0.5 * (0.04 + 0.16)], rtol=1e-5
    )
    np.testing.assert_allclose(steganalyzer.deceit(of_covers, of_stegos), [0.36], rtol=1e-5)
    seen = abdh.messages_as_pictures(None, None, message, logits)
    np.testing.assert_allclose([seen[0][0, 0, 0, 0], seen[1][0, 0, 0, 0]], [255.0, 127.5])


def test_abdh_trains_all_its_networks():
    method = abdh.make(abdh.Networks(Layer(1), Layer(1), Means(), Means()), STEP)
    start = begin(method, covers())
    state, values = run_steps(method, covers(), 1, state=start)
    assert set(state.params) == {"encoder", "decoder", "steganalyzer", "message_steganalyzer"}
    assert all(np.isfinite(value) for value in values.values()) and "contrast" in values
    for name in state.params:
        assert not same(start.params[name], state.params[name]), name


@pytest.mark.parametrize(
    "module,options,message",
    [
        (steganogan, dict(kind="sparse"), "'sparse' is unknown; there are basic, residual, dense"),
        (steganogan, dict(depth=7), "depth=7 must be a whole number from 1 to 6"),
        (steganogan, dict(steganalyzer_limit=0.0), "steganalyzer_limit=0.0 must be above 0"),
        (hayesgan, dict(length=0), "length=0 must be a whole number above 0"),
        (hidden, dict(length=1.5), "length=1.5 must be a whole number"),
        (hidden, dict(noise=("crop:0.3", "crop:0.3")), "each noise once"),
        (steganogan, dict(noise=("identity", "crop:0.3")), "after 'crop:0.3' a picture is smaller"),
        (abdh, dict(blocks=0), "method.blocks=0 must be a whole number above 0"),
        (abdh, dict(inconsistency_weight=-1.0), "inconsistency_weight=-1.0 must not be negative"),
        (abdh, dict(widht=1.0), "method.widht is unknown; there are adversarial_weight, blocks"),
    ],
)
def test_what_cannot_be_is_refused(module, options, message):
    with pytest.raises(InputError, match=message):
        named(module, **options)
