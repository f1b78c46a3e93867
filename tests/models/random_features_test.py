"""Random features: the same for ever, what the text says they are, and a distance that grows with
the damage.
"""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import numpy_layers as plain

from stegojax import metrics
from stegojax.data import embedded
from stegojax.errors import InputError
from stegojax.models import random_features


def test_the_kernels_are_the_same_for_ever():
    kernels = random_features.kernels()
    assert [kernel.shape for kernel in kernels] == [
        (3, 3, 3, 16),
        (3, 3, 16, 32),
        (3, 3, 32, 64),
        (3, 3, 64, 96),
    ]
    # Rounded, since the last bit is the compiler's.
    rounded = b"".join(np.round(kernel * 2**16).astype("<i4").tobytes() for kernel in kernels)
    assert hashlib.sha256(rounded).hexdigest()[:16] == "3806c451367d66d6"
    for kernel in kernels:
        np.testing.assert_allclose(kernel.std(), np.sqrt(2 / np.prod(kernel.shape[:3])), rtol=0.06)
        with pytest.raises(ValueError, match="read-only"):
            kernel[0] = 0


def test_features_are_what_the_text_says():
    pictures = plain.picture(0, (2, 17, 20, 3))
    x, expected = np.asarray(pictures, np.float64) / 127.5 - 1, []
    for kernel in random_features.kernels():
        x = plain.relu(plain.convolve(x, {"kernel": kernel}))
        expected += [x.mean(axis=(1, 2)), np.sqrt(x.var(axis=(1, 2)) + 1e-6)]
        x = plain.mean_inside(x, 2, 2)
    actual = jax.jit(random_features.features)(pictures)
    assert (
        actual.shape == (2, random_features.DIMENSIONS) == (2, 416) and actual.dtype == jnp.float32
    )
    np.testing.assert_allclose(actual, np.concatenate(expected, axis=1), rtol=1e-4, atol=1e-5)


def test_gradients_are_finite_where_a_picture_is_flat():
    flat = jnp.stack(
        [jnp.zeros((16, 16, 3)), jnp.full((16, 16, 3), 127.5), jnp.full((16, 16, 3), 255.0)]
    )
    assert np.isfinite(jax.jit(jax.grad(lambda x: random_features.features(x).sum()))(flat)).all()


def distance(x, y):
    moments = []
    for pictures in (x, y):
        features = np.asarray(
            jax.jit(random_features.features)(jnp.asarray(pictures, jnp.float32)), np.float64
        )
        moments += [features.mean(axis=0), np.cov(features, rowvar=False)]
    return metrics.frechet_distance(*moments)


def test_the_distance_grows_with_the_damage():
    rng = np.random.default_rng(0)
    photos = [photo for photo in embedded.Embedded("train", kind="colour")]
    pieces = []
    for number in range(200):
        photo = photos[number % len(photos)]
        top, left = (rng.integers(0, n - 32) for n in photo.shape[:2])
        pieces.append(photo[top : top + 32, left : left + 32])
    half, other = (
        np.stack(pieces[:100]).astype(np.float32),
        np.stack(pieces[100:]).astype(np.float32),
    )
    noise = rng.normal(0, 1, half.shape)
    found = [distance(other, np.clip(half + strength * noise, 0, 255)) for strength in (0, 40, 100)]
    assert 0 < 1.5 * found[0] < found[1] and 2 * found[1] < found[2]
    assert distance(half, half) < 1e-6 * found[0] + 1e-6


def test_what_has_no_features_is_refused():
    with pytest.raises(
        ValueError, match=r"\[B, H, W, 3\] in 0..255, float32 \(1, 16, 16, 1\) was given"
    ):
        random_features.features(jnp.zeros((1, 16, 16, 1)))
    with pytest.raises(InputError, match="at least 16x16 pixels, 16x15 was given"):
        random_features.features(jnp.zeros((1, 15, 16, 3)))
