"""Shared layers against naive NumPy loops."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import numpy_layers as plain

from stegojax.errors import InputError
from stegojax.models import layers


def random_map(seed, shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("height, width", [(1, 1), (2, 5), (7, 6)])
def test_max_pool_is_the_maximum_of_the_neighbours_inside(height, width):
    x = random_map(0, (2, height, width, 3))
    expected = np.empty_like(x)
    for i in range(height):
        for j in range(width):
            expected[:, i, j] = x[:, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].max(axis=(1, 2))
    np.testing.assert_array_equal(layers.max_pool_3x3(x), expected)


def test_max_pool_sends_each_gradient_to_the_largest_neighbour():
    x, g = random_map(1, (2, 6, 5, 3)), random_map(2, (2, 6, 5, 3))
    expected = np.zeros_like(x)
    for b, i, j, c in np.ndindex(x.shape):
        top, left = max(i - 1, 0), max(j - 1, 0)
        window = x[b, top : i + 2, left : j + 2, c]
        di, dj = np.unravel_index(window.argmax(), window.shape)
        expected[b, top + di, left + dj, c] += g[b, i, j, c]
    actual = jax.grad(lambda x: jnp.vdot(layers.max_pool_3x3(x), g))(x)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_max_pool_of_equal_values_loses_no_gradient():
    gradient = jax.grad(lambda x: layers.max_pool_3x3(x).sum())(jnp.zeros((1, 4, 4, 1)))
    assert float(gradient.sum()) == 16.0


@pytest.mark.parametrize("height, width", [(8, 8), (7, 10), (1, 3)])
def test_avg_pool_averages_the_pixels_inside_the_window(height, width):
    x = random_map(3, (2, height, width, 3))
    rows, columns = -(-height // 2), -(-width // 2)

    def span(i, n, outputs):
        before = max((outputs - 1) * 2 + 5 - n, 0) // 2
        return slice(max(2 * i - before, 0), 2 * i - before + 5)

    expected = np.empty((2, rows, columns, 3))
    for i in range(rows):
        for j in range(columns):
            expected[:, i, j] = x[:, span(i, height, rows), span(j, width, columns)].mean(
                axis=(1, 2)
            )
    np.testing.assert_allclose(layers.avg_pool(x, size=5, stride=2), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("size, stride, padding", [(3, 2, 1), (5, 2, 2), (3, 2, 0), (2, 2, 0)])
@pytest.mark.parametrize("height, width", [(8, 8), (7, 10), (5, 6)])
def test_padded_avg_pool_counts_the_zeros_around(height, width, size, stride, padding):
    x = random_map(8, (2, height, width, 3))
    expected = plain.mean_counted(x, size, stride, padding)
    assert expected.shape[1] == (height + 2 * padding - size) // stride + 1
    actual = layers.padded_avg_pool(x, size=size, stride=stride, padding=padding)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("height, width", [(8, 7), (9, 10), (2, 3)])
def test_padded_avg_pool_with_a_partial_window_averages_what_is_inside(height, width):
    x = random_map(9, (2, height, width, 3))
    expected = np.stack(
        [
            np.stack(
                [x[:, i : i + 3, j : j + 3].mean(axis=(1, 2)) for j in range(0, width - 1, 2)],
                axis=1,
            )
            for i in range(0, height - 1, 2)
        ],
        axis=1,
    )
    np.testing.assert_allclose(
        layers.padded_avg_pool(x, size=3, stride=2, partial=True), expected, rtol=1e-5, atol=1e-6
    )
    corner = layers.padded_avg_pool(x, size=3, stride=2, padding=1, partial=True)[:, 0, 0]
    np.testing.assert_allclose(corner, x[:, :2, :2].sum(axis=(1, 2)) / 9, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("height, padding, partial", [(2, 0, False), (1, 0, True)])
def test_padded_avg_pool_says_that_no_window_fits(height, padding, partial):
    with pytest.raises(ValueError, match=rf"no window of 3 .* \(1, {height}, 8, 2\)"):
        layers.padded_avg_pool(
            jnp.zeros((1, height, 8, 2)), size=3, stride=2, padding=padding, partial=partial
        )


def test_truncate_is_the_identity_up_to_its_limit():
    x = jnp.asarray([-9.0, -2.5, 0.0, 2.4, 2.6])
    np.testing.assert_array_equal(
        layers.truncate(x, 2.5), np.asarray([-2.5, -2.5, 0.0, 2.4, 2.5], np.float32)
    )
    gradient = jax.grad(lambda x: layers.truncate(x, 2.5).sum())(x)
    np.testing.assert_array_equal(gradient[jnp.asarray([0, 2, 3, 4])], [0, 1, 1, 0])


@pytest.mark.parametrize("height, width", [(1, 1), (2, 3), (4, 8), (7, 13)])
def test_spatial_pyramid_pool_takes_floor_to_ceil_bins(height, width):
    x = random_map(4, (2, height, width, 3))
    expected = []
    for g in (1, 2, 4):
        for i in range(g):
            for j in range(g):
                top, bottom = int(np.floor(i * height / g)), int(np.ceil((i + 1) * height / g))
                left, right = int(np.floor(j * width / g)), int(np.ceil((j + 1) * width / g))
                expected.append(x[:, top:bottom, left:right].max(axis=(1, 2)))
    np.testing.assert_array_equal(layers.spatial_pyramid_pool(x), np.concatenate(expected, axis=-1))


def test_spatial_pyramid_pool_of_an_empty_map_says_so():
    with pytest.raises(ValueError, match="empty"):
        layers.spatial_pyramid_pool(jnp.zeros((1, 0, 4, 2)))


def test_pools_refuse_a_plane():
    for pool in (
        layers.max_pool_3x3,
        lambda x: layers.avg_pool(x, size=5, stride=2),
        layers.spatial_pyramid_pool,
        lambda x: layers.padded_avg_pool(x, size=5, stride=2),
    ):
        with pytest.raises(ValueError, match=r"\(4, 4\) was given"):
            pool(jnp.zeros((4, 4)))


class OneConv(nn.Module):
    size: int

    @nn.compact
    def __call__(self, x):
        return layers.conv(5, self.size, name="conv")(x)


@pytest.mark.parametrize("size", [1, 3])
def test_conv_is_a_convolution_with_bias_and_xavier_kernel(size):
    x = random_map(5, (1, 4, 6, 7))
    params = OneConv(size).init(jax.random.key(0), x)["params"]["conv"]
    assert params["bias"].shape == (5,) and not params["bias"].any()
    kernel = np.asarray(params["kernel"]).reshape(size, size, 7, 5)
    limit = np.sqrt(6 / (size * size * (7 + 5)))
    assert 0.8 * limit < np.abs(kernel).max() <= limit
    bias = np.arange(5, dtype=np.float32)
    pad = size // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    expected = np.zeros((1, 4, 6, 5)) + bias
    for i in range(4):
        for j in range(6):
            expected[0, i, j] += np.tensordot(padded[0, i : i + size, j : j + size], kernel, axes=3)
    actual = OneConv(size).apply({"params": {"conv": {**params, "bias": bias}}}, x)
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)


class Strided(nn.Module):
    size: int
    padding: str

    @nn.compact
    def __call__(self, x):
        return layers.conv(
            5,
            self.size,
            stride=2,
            padding=self.padding,
            bias_init=nn.initializers.constant(0.25),
            name="conv",
        )(x)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_conv_with_stride_takes_every_other_position(size, padding):
    x = random_map(10, (2, 7, 6, 4))
    params = Strided(size, padding).init(jax.random.key(0), x)["params"]
    assert (params["conv"]["bias"] == 0.25).all() and params["conv"]["kernel"].shape == (
        size,
        size,
        4,
        5,
    )
    expected = plain.convolve(x, params["conv"], stride=2, padding=padding)
    np.testing.assert_allclose(
        Strided(size, padding).apply({"params": params}, x), expected, rtol=1e-4, atol=1e-5
    )


def test_conv_without_bias_has_a_kernel_alone():
    for size in (1, 3):
        params = layers.conv(2, size, use_bias=False).init(
            jax.random.key(0), jnp.zeros((1, 4, 4, 1))
        )["params"]
        assert set(params) == {"kernel"}


def test_he_is_normal_with_variance_two_over_the_inputs():
    kernel = np.asarray(layers.he(jax.random.key(0), (3, 3, 64, 128)))
    np.testing.assert_allclose(kernel.std(), np.sqrt(2 / (9 * 64)), rtol=0.02)
    assert np.abs(kernel).max() > 3.5 * kernel.std()


@pytest.mark.parametrize(
    "channels, shape, error, message",
    [
        (
            1,
            (1, 8, 8),
            ValueError,
            r"net: .* \[B, H, W, 1\] in 0..255, float32 \(1, 8, 8\) was given",
        ),
        (1, (1, 8, 8, 3), ValueError, r"\(1, 8, 8, 3\) was given"),
        (None, (8, 8, 3), ValueError, r"\[B, H, W, C\] in 0..255"),
        (
            None,
            (1, 9, 7, 3),
            InputError,
            "net needs pictures of at least 8x8 pixels, 7x9 was given",
        ),
    ],
)
def test_check_planes_says_what_was_given(channels, shape, error, message):
    with pytest.raises(error, match=message):
        layers.check_planes("net", jnp.zeros(shape), minimum_size=8, channels=channels)
    layers.check_planes(
        "net", jnp.zeros((1, 8, 8, channels or 5)), minimum_size=8, channels=channels
    )


class OneNorm(nn.Module):
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x, *, train):
        return layers.batch_norm(train=train, axis_name=self.axis_name, name="norm")(x)


def test_batch_norm_normalises_by_the_batch_and_keeps_running_averages():
    x = 3 + 2 * random_map(6, (4, 5, 6, 2))
    variables = OneNorm().init(jax.random.key(0), x, train=False)
    y, updated = OneNorm().apply(variables, x, train=True, mutable="batch_stats")
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(variance + 1e-5), rtol=1e-3, atol=1e-4)
    stats = updated["batch_stats"]["norm"]
    np.testing.assert_allclose(stats["mean"], 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(stats["var"], 0.9 + 0.1 * variance, rtol=1e-4)
    y = OneNorm().apply({**variables, **updated}, x, train=False)
    np.testing.assert_allclose(
        y, (x - 0.1 * mean) / np.sqrt(0.9 + 0.1 * variance + 1e-5), rtol=1e-3, atol=1e-4
    )


def test_batch_norm_over_shards_is_batch_norm_of_the_whole_batch():
    x = random_map(7, (4, 5, 6, 2)) * np.arange(1, 5, dtype=np.float32).reshape(4, 1, 1, 1)
    variables = OneNorm().init(jax.random.key(0), x, train=False)
    whole, whole_stats = OneNorm().apply(variables, x, train=True, mutable="batch_stats")

    def shard(x):
        return OneNorm("devices").apply(variables, x, train=True, mutable="batch_stats")

    parts, stats = jax.pmap(shard, axis_name="devices")(x.reshape(2, 2, 5, 6, 2))
    np.testing.assert_allclose(parts.reshape(x.shape), whole, rtol=1e-4, atol=1e-5)
    for part, expected in zip(jax.tree.leaves(stats), jax.tree.leaves(whole_stats)):
        np.testing.assert_allclose(part, np.stack([expected] * 2), rtol=1e-5)


def test_scaled_width():
    assert layers.scaled_width(128, 1.0, multiple=4) == 128
    assert layers.scaled_width(128, 0.25, multiple=4) == 32
    assert layers.scaled_width(16, 0.1, multiple=4) == 4
    assert layers.scaled_width(50, 0.1) == 5
    with pytest.raises(InputError, match="positive"):
        layers.scaled_width(16, 0.0)
