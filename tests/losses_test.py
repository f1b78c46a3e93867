"""Leaf losses against values worked out by hand, and their gradients at the corners."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stegojax import losses, similarity
from stegojax.types import ChangeProbabilities


def pictures(seed, shape):
    rng = np.random.default_rng(seed)
    return tuple(jnp.asarray(rng.uniform(0, 255, shape), jnp.float32) for _ in range(2))


def test_mse_is_on_the_scale_of_one():
    x = jnp.zeros((2, 2, 2, 1))
    y = x.at[0, 0, 0, 0].set(255.0).at[1].set(51.0)
    np.testing.assert_allclose(losses.mse(x, y), [1 / 4, 1 / 25], rtol=1e-6)
    np.testing.assert_allclose(losses.mse(x, y / 255, max_value=1.0), [1 / 4, 1 / 25], rtol=1e-6)


def test_similarity_losses_are_one_minus_the_index():
    x, y = pictures(0, (3, 24, 23, 1))
    np.testing.assert_array_equal(losses.ssim_loss(x, y), 1 - similarity.ssim(x, y))
    np.testing.assert_array_equal(losses.ms_ssim_loss(x, y), 1 - similarity.ms_ssim(x, y))
    unit = losses.ms_ssim_loss(x / 255, y / 255, max_value=1.0)
    np.testing.assert_allclose(unit, losses.ms_ssim_loss(x, y), atol=1e-5)


def test_mixed_loss_is_equation_10():
    x, y = pictures(1, (2, 24, 24, 3))
    y = 0.9 * x + 0.1 * y
    one, many = 1 - similarity.ssim(x, y), 1 - similarity.ms_ssim(x, y)
    squared = jnp.mean((x / 255 - y / 255) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(
        losses.mixed(x, y), 0.5 * one + 0.5 * many + 0.3 * squared, rtol=1e-5
    )
    np.testing.assert_allclose(
        losses.mixed(x, y, alpha=0.2, beta=10.0), 0.2 * one + 0.8 * many + 10 * squared, rtol=1e-5
    )
    np.testing.assert_allclose(
        losses.mixed(x / 255, y / 255, max_value=1.0), losses.mixed(x, y), atol=1e-5
    )
    assert losses.mixed(x, x).tolist() == [0.0, 0.0]


def test_hide_and_reveal_error_weighs_cover_and_secret():
    cover, secret = jnp.zeros((1, 2, 2, 3)), jnp.zeros((1, 2, 2, 1))
    stego, revealed = cover + 25.5, secret + 51.0
    np.testing.assert_allclose(
        losses.hide_and_reveal_error(cover, stego, secret, revealed), [0.01 + 0.04], rtol=1e-5
    )
    weighted = losses.hide_and_reveal_error(cover, stego, secret, revealed, alpha=2.0, beta=0.75)
    np.testing.assert_allclose(weighted, [0.02 + 0.03], rtol=1e-5)
    unit = losses.hide_and_reveal_error(cover, stego / 255, secret, revealed / 255, max_value=1.0)
    np.testing.assert_allclose(unit, [0.05], rtol=1e-5)


def test_softmax_cross_entropy():
    logits = jnp.asarray([[0.0, 0.0], [np.log(3.0), 0.0], [np.log(3.0), 0.0], [1e4, -1e4]])
    labels = jnp.asarray([0, 0, 1, 1])
    expected = [np.log(2), np.log(4 / 3), np.log(4), 2e4]
    np.testing.assert_allclose(losses.softmax_cross_entropy(logits, labels), expected, rtol=1e-6)
    gradient = jax.grad(lambda z: losses.softmax_cross_entropy(z, labels).sum())(logits)
    np.testing.assert_allclose(
        gradient, [[-0.5, 0.5], [-0.25, 0.25], [0.75, -0.75], [1, -1]], atol=1e-6
    )


PICTURE_LOSSES = {
    "mse": losses.mse,
    "ssim_loss": losses.ssim_loss,
    "ms_ssim_loss": losses.ms_ssim_loss,
    "mixed": losses.mixed,
    "hide_and_reveal_error": lambda x, y: losses.hide_and_reveal_error(x, y, y, x),
}


@pytest.mark.parametrize("name", PICTURE_LOSSES)
def test_gradients_are_finite_at_the_corners_and_examples_are_independent(name):
    black, noise = jnp.zeros((24, 24, 1)), pictures(2, (24, 24, 1))[0]
    x = jnp.stack([black, black, black + 255, noise, noise, black + 128])
    y = jnp.stack([black, black + 255, black + 255, noise, 255 - noise, noise])
    loss = PICTURE_LOSSES[name]
    values, pull = jax.vjp(loss, x, y)
    assert values.shape == (6,) and np.isfinite(values).all()
    assert np.isfinite(jax.tree.leaves(pull(jnp.ones(6)))).all()
    first_only = pull(jnp.eye(6)[5])[1]
    assert first_only[5].any() and not first_only[:5].any()


@pytest.mark.parametrize("name", PICTURE_LOSSES)
def test_pictures_of_different_shapes_are_refused(name):
    with pytest.raises(ValueError, match="were given"):
        PICTURE_LOSSES[name](jnp.zeros((2, 16, 16, 1)), jnp.zeros((2, 16, 16, 3)))


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"\(4, 2\) and \(3,\)"):
        losses.softmax_cross_entropy(jnp.zeros((4, 2)), jnp.zeros(3, jnp.int32))
    with pytest.raises(ValueError, match="float32"):
        losses.softmax_cross_entropy(jnp.zeros((4, 2)), jnp.zeros(4))


def planes(*values):
    return tuple(jnp.asarray(value, jnp.float32)[None, None] for value in values)


def test_rewarded_changes_by_hand():
    """Four pixels: raised, lowered, kept, raised; the second is punished."""
    plus, minus, drawn, reward = planes(
        [0.2, 0.1, 0.3, 0.05], [0.1, 0.25, 0.3, 0.0], [1, -1, 0, 1], [2.0, -3.0, 7.0, 1.0]
    )
    value, gradients = jax.value_and_grad(
        lambda p, r: losses.rewarded_changes(ChangeProbabilities(*p), drawn, r).sum(), (0, 1)
    )((plus, minus), reward)
    expected = -(2 * np.log(0.2 + 1e-5) - 3 * np.log(0.25 + 1e-5) + np.log(0.05 + 1e-5)) / 4
    assert float(value) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(
        gradients[0][0][0, 0], [-2 / 0.20001 / 4, 0, 0, -1 / 0.05001 / 4], rtol=1e-5
    )
    np.testing.assert_allclose(gradients[0][1][0, 0], [0, 3 / 0.25001 / 4, 0, 0], rtol=1e-5)
    assert not gradients[1].any()  # the reward is a constant


def test_payload_error_by_hand():
    """p = 1/4, 1/4: 1.5 bits; 1/2, 1/4 likewise; 0, 1/2: one bit. The last pixel lies outside."""
    plus, minus, mask = planes([0.25, 0.5, 0, 0.3], [0.25, 0.25, 0.5, 0.3], [1, 1, 1, 0])
    chances = ChangeProbabilities(plus, minus)
    np.testing.assert_allclose(losses.payload_error(chances, 3.0, mask), [1.0], rtol=1e-6)
    np.testing.assert_allclose(
        losses.payload_error(chances, jnp.asarray([6.0]), mask), [4.0], rtol=1e-6
    )
    gradient = jax.grad(
        lambda p: losses.payload_error(ChangeProbabilities(p, minus), 3.0, mask).sum()
    )(plus)[0, 0]
    # d entropy / d p+ = log2(p0 / p+): 1, -1; at p+ = 0 whatever is finite.
    np.testing.assert_allclose(gradient[:2], [2 * 1 * 1, 2 * 1 * -1], rtol=1e-5)
    assert np.isfinite(gradient).all() and gradient[3] == 0


def test_probability_error_by_hand():
    plus, minus, wanted, mask = planes(
        [0.2, 0.1, 0.3, 0.3], [0.1, 0.1, 0.3, 0.3], [0.1, 0.1, 0.1, 0.0], [1, 1, 1, 0]
    )
    chances, aim = ChangeProbabilities(plus, minus), ChangeProbabilities(wanted, wanted)
    # Per pixel: .1 + 0 + .1;  0;  .2 + .2 + .4.
    np.testing.assert_allclose(
        losses.probability_error(chances, aim, mask), [(0.2 + 0.8) / 4], rtol=1e-6
    )
    gradient = jax.grad(
        lambda p: losses.probability_error(ChangeProbabilities(p, minus), aim, mask).sum()
    )(plus)[0, 0]
    np.testing.assert_allclose(gradient[jnp.asarray([0, 2, 3])], [0.5, 0.5, 0], rtol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda a, b: losses.rewarded_changes(ChangeProbabilities(a, a), b, a),
        lambda a, b: losses.probability_error((a, a), (a, a), b),
        lambda a, b: losses.payload_error((a, a), 1.0, b),
        lambda a, b: losses.payload_error((a, a), jnp.zeros(3), a),
    ],
)
def test_planes_that_do_not_fit_are_refused(call):
    with pytest.raises(ValueError, match="losses|planes|one for each"):
        call(jnp.zeros((2, 4, 4)), jnp.zeros((2, 4, 5)))


def test_mean_absolute_error_is_on_the_scale_of_one():
    x = jnp.zeros((2, 2, 2, 1))
    y = x.at[0, 0, 0, 0].set(255.0).at[1].set(-51.0)
    np.testing.assert_allclose(losses.mean_absolute_error(x, y), [1 / 4, 1 / 5], rtol=1e-6)
    np.testing.assert_allclose(
        losses.mean_absolute_error(x, y / 255, max_value=1.0), [1 / 4, 1 / 5], rtol=1e-6
    )
    with pytest.raises(ValueError, match="mean_absolute_error: two pictures of one shape"):
        losses.mean_absolute_error(x, y[:1])


def test_bit_cross_entropy_by_hand():
    """A sigmoid of 3/4 for a 1 and a 0; certainty that is right, and wrong; no opinion."""
    logits = jnp.asarray([[[np.log(3.0)], [np.log(3.0)]], [[1e4], [1e4]], [[0.0], [-1e4]]])
    bits = jnp.asarray([[[1.0], [0.0]], [[1.0], [0.0]], [[1.0], [0.5]]])
    expected = [(np.log(4 / 3) + np.log(4)) / 2, 1e4 / 2, (np.log(2) + 1e4 / 2) / 2]
    np.testing.assert_allclose(losses.bit_cross_entropy(logits, bits), expected, rtol=1e-6)
    gradient = jax.grad(lambda z: losses.bit_cross_entropy(z, bits).sum())(logits)[..., 0]
    np.testing.assert_allclose(gradient, [[-1 / 8, 3 / 8], [0, 1 / 2], [-1 / 4, -1 / 4]], atol=1e-6)


def test_squared_bit_error_by_hand():
    estimates, bits = jnp.asarray([[0.5, 2.0], [1.0, 0.0]]), jnp.asarray([[1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(losses.squared_bit_error(estimates, bits), [(0.25 + 4) / 2, 0])


def test_wasserstein_gap_by_hand():
    covers, stegos = jnp.asarray([[1.0], [-2.0]]), jnp.asarray([[0.25], [5.0]])
    assert losses.wasserstein_gap(covers, stegos).tolist() == [0.75, -7.0]
    for wrong in (stegos[:1], stegos[:, 0], jnp.zeros((2, 2))):
        with pytest.raises(ValueError, match=r"wasserstein_gap: scores \[B, 1\] are needed"):
            losses.wasserstein_gap(covers if wrong.shape != (2, 2) else wrong, wrong)


def test_gradient_penalty_by_hand_and_at_no_slope():
    gradients = jnp.asarray(
        [[[3.0, 0.0], [0.0, 4.0]], [[0.6, 0.0], [0.8, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]
    )
    np.testing.assert_allclose(losses.gradient_penalty(gradients), [16, 0, 1], atol=1e-6)
    slope = jax.grad(lambda g: losses.gradient_penalty(g).sum())(gradients)
    # d/dg = 2 (|g| - 1) g / |g|.
    np.testing.assert_allclose(
        slope, [[[4.8, 0], [0, 6.4]], [[0, 0], [0, 0]], [[0, 0], [0, 0]]], atol=1e-5
    )
    with pytest.raises(
        ValueError, match=r"gradient_penalty: gradients \[B, ...\] are needed, \(3,\)"
    ):
        losses.gradient_penalty(jnp.zeros(3))


def test_inconsistency_by_hand_and_where_nothing_differs():
    covers = jnp.asarray([[0.0, 1.0], [0.5, 0.5]])
    stegos = jnp.asarray([[1.0, 0.0], [0.5, 0.5]])
    expected = [0.6 / 1.0001, 0.6 / 1e-4]
    np.testing.assert_allclose(losses.inconsistency(covers, stegos), expected, rtol=1e-5)
    np.testing.assert_allclose(
        losses.inconsistency(covers, stegos, scale=1.2), np.multiply(2, expected), rtol=1e-5
    )
    assert np.isfinite(jax.grad(lambda s: losses.inconsistency(covers, s).sum())(stegos)).all()


@pytest.mark.parametrize(
    "loss", [losses.bit_cross_entropy, losses.squared_bit_error, losses.inconsistency]
)
def test_bits_that_do_not_fit_are_refused(loss):
    with pytest.raises(
        ValueError, match=rf"{loss.__name__}: two arrays of one shape \[B, ...\] are needed"
    ):
        loss(jnp.zeros((2, 3)), jnp.zeros((2, 4)))
    with pytest.raises(ValueError, match="two arrays of one shape"):
        loss(jnp.zeros(3), jnp.zeros(3))
    with pytest.raises(ValueError, match="float arrays are needed, float32 and int32"):
        loss(jnp.zeros((2, 3)), jnp.zeros((2, 3), jnp.int32))


def test_the_divergence_of_changes_by_hand():
    found = ChangeProbabilities(jnp.full((1, 1, 2), 0.25), jnp.full((1, 1, 2), 0.25))
    aim = ChangeProbabilities(jnp.asarray([[[0.25, 0.5]]]), jnp.asarray([[[0.25, 0.0]]]))
    expected = (0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.5)) / 2
    np.testing.assert_allclose(losses.change_divergence(found, aim), [expected], rtol=1e-5)
    np.testing.assert_allclose(losses.change_divergence(aim, aim), [0.0], atol=1e-6)
    corner = ChangeProbabilities(jnp.zeros((1, 1, 2)), jnp.ones((1, 1, 2)))
    gradient = jax.grad(lambda chances: jnp.sum(losses.change_divergence(chances, aim)))(corner)
    assert all(np.isfinite(leaf).all() for leaf in gradient)
