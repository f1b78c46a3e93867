"""SPAM against the spec's golden values, reference features and a naive count; and the working
through of many planes.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from stegojax.errors import InputError
from stegojax.steganalysis import spam


def golden_image():
    i, j = np.mgrid[:64, :64]
    return (
        2 * i + j + ((37 * i * i + 59 * j * j + 83 * i * j + 101 * i + 7 * j) % 251) // 40
    ).astype(np.float32)


def rough(height, width, seed):
    generator = np.random.default_rng(seed)
    image = (
        128
        + np.cumsum(generator.normal(0, 2, (height, width)), 1)
        + generator.normal(0, 1, (height, 1))
    )
    return np.clip(np.round(image), 0, 255).astype(np.float32)


def naive_spam(x):
    """Walks from every pixel in all eight directions."""
    height, width = x.shape
    halves = []
    for steps in (((0, 1), (0, -1), (1, 0), (-1, 0)), ((1, 1), (-1, -1), (1, -1), (-1, 1))):
        half = np.zeros((7, 7, 7))
        for down, right in steps:
            table = np.zeros((7, 7, 7))
            for i, j in itertools.product(range(height), range(width)):
                if 0 <= i + 3 * down < height and 0 <= j + 3 * right < width:
                    walk = [int(x[i + k * down, j + k * right]) for k in range(4)]
                    a, b, c = (min(max(walk[k] - walk[k + 1], -3), 3) + 3 for k in range(3))
                    table[a, b, c] += 1
            half += table / table.sum() / 4
        halves.append(half.ravel())
    return np.concatenate(halves)


def test_golden_values():
    found = np.asarray(spam.features(golden_image()[None]))[0].astype(np.float64)
    for half, squares, largest in (
        (found[:343], 0.00879565646, 0.02382172),
        (found[343:], 0.01045638001, 0.02754636),
    ):
        np.testing.assert_allclose(
            [np.sum(half**2), half.max(), half.sum()], [squares, largest, 1], rtol=3e-7
        )


@pytest.mark.parametrize("shape", [(4, 4), (5, 37), (37, 70), (97, 33), (65, 1400)])
def test_naive_walks_agree_in_every_bin(shape):
    images = np.stack([rough(*shape, seed) for seed in (3, 4)])
    found = np.asarray(spam.features(images))
    assert found.shape == (2, 686) and found.dtype == np.float32
    np.testing.assert_allclose(found, [naive_spam(image) for image in images], rtol=1e-6, atol=1e-9)


def test_reference_features(shared):
    for path in sorted((shared / "reference").glob("seal*_features.npz")):
        image = np.asarray(
            Image.open(path.with_name(path.name.replace("_features.npz", ".png"))), np.float32
        )
        found = spam.features(image[None])[0]
        np.testing.assert_allclose(
            found, np.load(path)["spam"].ravel(), rtol=3e-7, atol=1e-8, err_msg=path.name
        )


def test_how_the_picture_lies_makes_no_difference():
    image = rough(61, 61, 5)
    ways = np.stack([image, image.T, image[::-1], image[:, ::-1], np.rot90(image)])
    found = np.asarray(spam.features(ways))
    np.testing.assert_allclose(
        found[1:], np.broadcast_to(found[:1], (4, 686)), rtol=1e-5, atol=1e-8
    )
    assert np.abs(found[0] - found[0][::-1]).max() > 1e-3


def test_batches_vmap_and_single_planes_agree_from_one_trace():
    images = jnp.asarray(np.stack([rough(40, 48, seed) for seed in range(5)]))
    expected = np.concatenate([spam.features(image[None]) for image in images])
    traces = []

    @jax.jit
    def features(planes):
        traces.append(planes.shape)
        return spam.features(planes, at_once=2)

    for planes in (images, images[::-1]):
        found = features(planes)
    np.testing.assert_allclose(found[::-1], expected, rtol=1e-6)
    assert traces == [(5, 40, 48)]
    alone = jax.vmap(lambda image: spam.features(image[None])[0])
    np.testing.assert_allclose(alone(images), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("planes", "what"),
    [
        (np.zeros((16, 16), np.float32), r"\(16, 16\)"),
        (np.zeros((1, 3, 16), np.float32), "4 x 4"),
        (np.zeros((1, 16, 3), np.float32), "4 x 4"),
        (np.zeros((1, 16, 16), np.int32), "int32"),
        (np.full((1, 16, 16), -1, np.float32), "-1"),
        (np.full((1, 16, 16), 256, np.float32), "256"),
        (np.full((1, 16, 16), 12.25, np.float32), "12.25"),
    ],
)
def test_only_planes_of_whole_pixels_are_taken(planes, what):
    with pytest.raises(InputError, match=what):
        spam.features(planes)


def test_at_least_one_plane_at_a_time():
    with pytest.raises(InputError, match="at_once=0"):
        spam.features(np.zeros((1, 16, 16), np.float32), at_once=0)


def test_calls_outside_jit_compile_once_per_shape():
    before = spam._mapped._cache_size()
    for seed in range(3):
        spam.features(jnp.asarray(rough(21, 33, seed)[None]))
    assert spam._mapped._cache_size() == before + 1
