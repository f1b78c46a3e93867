"""Figures of merit against the definitions, brute force, and scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

from stegojax import metrics, similarity


def test_psnr_of_known_errors():
    x = jnp.full((3, 4, 5, 3), 100.0)
    y = x.at[0].add(1.0).at[1, 0, 0, 0].add(-30.0)
    expected = [20 * np.log10(255), 10 * np.log10(255**2 * 60 / 900), metrics.PSNR_CAP]
    np.testing.assert_allclose(metrics.psnr(x, y), expected, rtol=1e-5)
    np.testing.assert_allclose(
        metrics.psnr(x / 255, y / 255, max_value=1.0)[:2], expected[:2], rtol=1e-5
    )


def test_psnr_of_the_opposite_is_zero_and_the_cap_is_above_a_single_level():
    black = jnp.zeros((1, 1024, 1024, 3))
    np.testing.assert_allclose(metrics.psnr(black, black + 255), [0.0], atol=1e-5)
    one = metrics.psnr(black, black.at[0, 5, 5, 1].set(1.0))
    np.testing.assert_allclose(one, [10 * np.log10(255**2 * 3 * 2**20)], rtol=1e-4)
    assert float(one[0]) < metrics.PSNR_CAP


def test_similarities_are_the_shared_ones():
    assert (metrics.ssim, metrics.ms_ssim) == (similarity.ssim, similarity.ms_ssim)


def test_bit_accuracy():
    bits = jnp.asarray([[0, 1, 1, 0], [1, 1, 1, 1]], jnp.uint8)
    revealed = jnp.asarray([[0, 1, 0, 1], [1, 1, 1, 1]], bool)
    assert metrics.bit_accuracy(bits, revealed).tolist() == [0.5, 1.0]
    assert metrics.bit_accuracy(bits.reshape(2, 2, 2), revealed.reshape(2, 2, 2)).tolist() == [
        0.5,
        1.0,
    ]


def test_accuracy():
    logits = jnp.asarray([[2.0, 1.0], [0.0, 3.0], [5.0, -1.0]])
    assert metrics.accuracy(logits, jnp.asarray([0, 1, 1])).tolist() == [1.0, 1.0, 0.0]


def brute_force_error(scores, labels):
    errors = []
    for threshold in [*np.unique(scores), np.inf]:
        stego = scores >= threshold
        errors.append((stego[labels == 0].mean() + (~stego)[labels == 1].mean()) / 2)
    return min(errors)


SCORES = {
    "continuous": lambda rng, labels: rng.normal(size=labels.shape) + 0.7 * labels,
    "with ties": lambda rng, labels: np.round(rng.normal(size=labels.shape) + labels),
    "all equal": lambda rng, labels: np.zeros(labels.shape),
    "perfect": lambda rng, labels: labels + rng.uniform(0, 0.5, labels.shape),
    "inverted": lambda rng, labels: -labels + rng.uniform(0, 0.5, labels.shape),
}


@pytest.mark.parametrize("covers, stegos", [(60, 60), (13, 90), (1, 1)])
@pytest.mark.parametrize("kind", SCORES)
def test_detection_error_and_area_are_those_of_every_threshold(kind, covers, stegos):
    rng = np.random.default_rng(covers)
    labels = rng.permutation(np.repeat([0, 1], [covers, stegos]))
    scores = SCORES[kind](rng, labels).astype(np.float32)
    np.testing.assert_allclose(
        jax.jit(metrics.detection_error)(scores, labels),
        brute_force_error(scores, labels),
        atol=1e-6,
    )
    expected = sklearn.metrics.roc_auc_score(labels, scores)
    np.testing.assert_allclose(
        jax.jit(metrics.area_under_curve)(scores, labels), expected, atol=1e-6
    )


@pytest.mark.parametrize("figure", [metrics.detection_error, metrics.area_under_curve])
def test_a_missing_class_or_score_makes_a_detectors_figure_nan(figure):
    scores = jnp.asarray([0.1, 0.2, 0.3])
    assert np.isnan(figure(scores, jnp.asarray([0, 0, 0])))
    assert np.isnan(figure(scores, jnp.asarray([1, 1, 1])))
    assert np.isnan(figure(scores.at[1].set(jnp.nan), jnp.asarray([0, 1, 1])))
    assert not np.isnan(figure(scores, jnp.asarray([0, 1, 1])))


def test_masked_mean_leaves_out_what_does_not_count():
    values = jnp.asarray([1.0, jnp.nan, 3.0, jnp.inf])
    assert float(metrics.masked_mean(values, jnp.asarray([1, 0, 1, 0]))) == 2.0
    assert float(metrics.masked_mean(values, jnp.asarray([False, False, True, False]))) == 3.0
    assert np.isnan(metrics.masked_mean(values, jnp.zeros(4, bool)))
    gradient = jax.grad(lambda v: metrics.masked_mean(v, jnp.asarray([1, 0, 1, 0])))(values)
    assert gradient.tolist() == [0.5, 0.0, 0.5, 0.0]


def test_what_does_not_fit_is_refused():
    x = jnp.zeros((1, 4, 4, 1))
    with pytest.raises(ValueError, match="uint8"):
        metrics.psnr(x, x.astype(jnp.uint8))
    with pytest.raises(ValueError, match=r"\(1, 4\) and \(4,\)"):
        metrics.bit_accuracy(jnp.zeros((1, 4), jnp.uint8), jnp.zeros(4, jnp.uint8))
    with pytest.raises(ValueError, match="float32"):
        metrics.bit_accuracy(jnp.zeros((1, 4), jnp.uint8), jnp.zeros((1, 4)))
    with pytest.raises(ValueError, match=r"\(3, 2\) and \(2,\)"):
        metrics.accuracy(jnp.zeros((3, 2)), jnp.zeros(2, jnp.int32))
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        metrics.detection_error(jnp.zeros(3), jnp.zeros(2))
    with pytest.raises(ValueError, match=r"\(3, 1\) and \(3, 1\)"):
        metrics.area_under_curve(jnp.zeros((3, 1)), jnp.zeros((3, 1)))
    with pytest.raises(ValueError, match=r"\(3,\) and \(2,\)"):
        metrics.masked_mean(jnp.zeros(3), jnp.zeros(2))


def test_the_roc_curve_by_hand():
    alarms, detections = metrics.roc_curve(np.array([0.1, 0.4, 0.4, 0.9]), np.array([0, 0, 1, 1]))
    np.testing.assert_allclose(alarms, [0, 0, 0.5, 1])
    np.testing.assert_allclose(detections, [0, 0.5, 1, 1])


def test_the_area_under_the_roc_curve_is_that_of_the_ranks():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    scores = np.round(labels + rng.normal(0, 1, 300), 1).astype(np.float32)
    alarms, detections = metrics.roc_curve(scores, labels)
    area = np.sum(np.diff(alarms) * (detections[1:] + detections[:-1]) / 2)
    assert area == pytest.approx(
        float(metrics.area_under_curve(jnp.asarray(scores), jnp.asarray(labels))), abs=1e-6
    )


@pytest.mark.parametrize("scores, labels", [([np.nan, 1.0], [0, 1]), ([0.0, 1.0], [1, 1])])
def test_a_roc_curve_needs_numbers_of_both_classes(scores, labels):
    with pytest.raises(ValueError, match="of covers and of stegos"):
        metrics.roc_curve(np.asarray(scores), np.asarray(labels))
