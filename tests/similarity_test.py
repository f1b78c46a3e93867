"""SSIM against scikit-image, MS-SSIM against a loop over windows in float64, and both at the
corners of the range.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import skimage.metrics

from stegojax import similarity
from stegojax.errors import InputError


def pair(seed, shape, *, noise=20.0):
    """A smooth picture and the same with noise, rounded, `[0, 255]`."""
    rng = np.random.default_rng(seed)
    x = np.cumsum(np.cumsum(rng.normal(size=shape), axis=1), axis=2)
    x = np.round(255 * (x - x.min()) / np.ptp(x))
    return x.astype(np.float32), np.clip(np.round(x + rng.normal(0, noise, shape)), 0, 255).astype(
        np.float32
    )


@pytest.mark.parametrize("shape", [(2, 11, 11, 1), (3, 37, 24, 1), (2, 33, 40, 3)])
def test_ssim_is_that_of_scikit_image(shape):
    x, y = pair(0, shape)
    expected = [
        skimage.metrics.structural_similarity(
            a,
            b,
            data_range=255,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for a, b in zip(x.astype(np.float64), y.astype(np.float64))
    ]
    np.testing.assert_allclose(similarity.ssim(x, y), expected, atol=2e-5)
    np.testing.assert_allclose(
        similarity.ssim(x / 255, y / 255, max_value=1.0), expected, atol=2e-5
    )


def naive_maps(x, y):
    """Luminance and contrast-structure of planes, window by window, straight from the
    definitions.
    """
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    luminance, contrast = [], []
    for i, j in np.ndindex(x.shape[0] - 10, x.shape[1] - 10):
        a, b = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
        mean_a, mean_b = (window * a).sum(), (window * b).sum()
        var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
        covariance = (window * (a - mean_a) * (b - mean_b)).sum()
        luminance.append((2 * mean_a * mean_b + 2.55**2) / (mean_a**2 + mean_b**2 + 2.55**2))
        contrast.append((2 * covariance + 7.65**2) / (var_a + var_b + 7.65**2))
    return np.array(luminance), np.array(contrast)


def naive_ms_ssim(x, y, weights):
    x, y = x.astype(np.float64), y.astype(np.float64)
    product = 1.0
    for scale, weight in enumerate(weights):
        luminance, contrast = naive_maps(x, y)
        value = (luminance * contrast).mean() if scale == len(weights) - 1 else contrast.mean()
        product *= max(value, 0.0) ** weight
        rows, columns = x.shape[0] // 2, x.shape[1] // 2
        x, y = (
            np.array(
                [
                    [p[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() for j in range(columns)]
                    for i in range(rows)
                ]
            )
            for p in (x, y)
        )
    return product


@pytest.mark.parametrize("height, width, scales", [(11, 30, 1), (23, 22, 2), (45, 50, 3)])
def test_ms_ssim_is_the_definition_over_the_scales_that_fit(height, width, scales):
    x, y = pair(1, (2, height, width, 2))
    weights = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333][:scales])
    weights /= weights.sum()
    expected = [
        np.mean([naive_ms_ssim(x[b, ..., c], y[b, ..., c], weights) for c in range(2)])
        for b in range(2)
    ]
    assert similarity.ms_ssim_scales(height, width) == scales
    np.testing.assert_allclose(similarity.ms_ssim(x, y), expected, atol=2e-5)


def test_ms_ssim_of_a_large_picture_uses_the_five_published_weights():
    x, y = pair(2, (1, 177, 176, 1))
    expected = naive_ms_ssim(x[0, ..., 0], y[0, ..., 0], (0.0448, 0.2856, 0.3001, 0.2363, 0.1333))
    np.testing.assert_allclose(similarity.ms_ssim(x, y), [expected], atol=2e-5)


def test_scales_that_fit():
    sizes = {
        (11, 11): 1,
        (21, 400): 1,
        (22, 22): 2,
        (43, 43): 2,
        (44, 44): 3,
        (64, 64): 3,
        (87, 88): 3,
        (88, 88): 4,
        (175, 500): 4,
        (176, 176): 5,
        (4000, 4000): 5,
    }
    assert {size: similarity.ms_ssim_scales(*size) for size in sizes} == sizes
    with pytest.raises(InputError, match="at least 11x11 pixels, 64x10 was given"):
        similarity.ms_ssim_scales(10, 64)


@pytest.mark.parametrize("index", [similarity.ssim, similarity.ms_ssim])
def test_equal_pictures_are_exactly_alike_and_the_order_does_not_matter(index):
    x, y = pair(3, (2, 48, 45, 3))
    for same in (x, np.zeros_like(x), np.full_like(x, 255), np.full_like(x, 77)):
        assert index(same, same).tolist() == [1.0, 1.0]
    np.testing.assert_allclose(index(x, y), index(y, x), atol=1e-6)
    assert (index(x, y) < 0.99).all()


def test_flat_pictures_differ_by_luminance_alone():
    x, y = np.full((1, 16, 16, 1), 2.0, np.float32), np.full((1, 16, 16, 1), 6.0, np.float32)
    expected = (2 * 2 * 6 + 2.55**2) / (2**2 + 6**2 + 2.55**2)
    np.testing.assert_allclose(similarity.ssim(x, y), [expected], atol=1e-4)


def test_ms_ssim_of_a_negative_is_zero():
    x, _ = pair(4, (1, 48, 48, 1))
    assert similarity.ms_ssim(x, 255 - x).tolist() == [0.0]


CORNERS = {
    "equal": lambda x: (x, x),
    "black": lambda x: (0 * x, 0 * x),
    "white and black": lambda x: (0 * x + 255, 0 * x),
    "saturated": lambda x: (255 * (x > 128), 255 * (x > 100)),
    "flat": lambda x: (0 * x + 128, 0 * x + 129),
    "negative": lambda x: (x, 255 - x),
    "far outside": lambda x: (x, 1e4 * x),
}


@pytest.mark.parametrize("index", [similarity.ssim, similarity.ms_ssim])
@pytest.mark.parametrize("corner", CORNERS)
def test_gradients_are_finite_at_the_corners(index, corner):
    x, y = (jnp.asarray(z, jnp.float32) for z in CORNERS[corner](pair(5, (2, 48, 48, 1))[0]))
    value, gradient = jax.value_and_grad(lambda y: index(x, y).sum())(y)
    assert np.isfinite(value) and np.isfinite(gradient).all()


@pytest.mark.parametrize("index", [similarity.ssim, similarity.ms_ssim])
def test_gradient_is_the_slope(index):
    x, y = (jnp.asarray(z) for z in pair(6, (1, 24, 24, 1)))
    direction = jnp.asarray(np.random.default_rng(7).normal(size=y.shape), jnp.float32)
    _, slope = jax.jvp(lambda y: index(x, y), (y,), (direction,))
    expected = (index(x, y + 0.5 * direction) - index(x, y - 0.5 * direction)) / 1.0
    np.testing.assert_allclose(slope, expected, rtol=2e-2)
    np.testing.assert_allclose(
        jnp.vdot(jax.grad(lambda y: index(x, y).sum())(y), direction), slope[0], rtol=1e-3
    )


@pytest.mark.parametrize("index", [similarity.ssim, similarity.ms_ssim])
def test_half_precision_pictures_are_compared_in_float32(index):
    x, y = pair(8, (1, 24, 24, 1))
    np.testing.assert_allclose(
        index(x.astype(jnp.bfloat16), y.astype(jnp.bfloat16)), index(x, y), atol=1e-5
    )


@pytest.mark.parametrize("index", [similarity.ssim, similarity.ms_ssim])
def test_what_cannot_be_compared_is_refused(index):
    x = jnp.zeros((1, 16, 16, 1))
    with pytest.raises(ValueError, match=r"\(1, 16, 16, 1\) and \(1, 16, 16, 3\) were given"):
        index(x, jnp.zeros((1, 16, 16, 3)))
    with pytest.raises(ValueError, match=r"\(16, 16, 1\)"):
        index(x[0], x[0])
    with pytest.raises(ValueError, match="uint8"):
        index(x, x.astype(jnp.uint8))
    with pytest.raises(InputError, match="10x16"):
        index(x[:, :, :10], x[:, :, :10])
