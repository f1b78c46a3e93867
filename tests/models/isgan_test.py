"""ISGAN's networks against Tables 1 to 3: counted by hand, computed naively, and proven local by
gradients.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stegojax.errors import InputError
from stegojax.models import isgan


def picture(seed, shape):
    return jnp.asarray(np.random.default_rng(seed).uniform(0, 255, shape), jnp.float32)


def variables_of(network, *inputs, seed=0):
    """Parameters and statistics drawn with NumPy: no layer's bias, scale, mean or variance is left
    where it has no effect.
    """
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        noise = rng.uniform(-1, 1, leaf.shape).astype(np.float32)
        if path[-1].key == "kernel":
            return noise * np.float32(
                np.sqrt(6 / (np.prod(leaf.shape[:-2]) * sum(leaf.shape[-2:])))
            )
        return 1 + 0.3 * np.abs(noise) if path[-1].key in ("var", "scale") else 0.3 * noise

    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=False))
    return jax.tree_util.tree_map_with_path(draw, shapes)


def count(network, *inputs):
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=False))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes["params"]))


def conv_count(size, inputs, outputs, *, norm=True):
    return size * size * inputs * outputs + outputs + 2 * outputs * norm


def test_encoder_has_the_parameters_of_table_1():
    expected = conv_count(3, 2, 16)
    inputs = 16
    for outputs in (32, 64, 128, 256, 128, 64, 32):
        tower = outputs // 4
        expected += (
            4 * conv_count(1, inputs, tower)
            + conv_count(3, tower, tower)
            + conv_count(5, tower, tower)
        )
        expected += conv_count(1, inputs, outputs, norm=False)
        inputs = outputs
    expected += conv_count(3, 32, 16) + conv_count(1, 16, 1, norm=False)
    plane = jnp.zeros((1, 16, 16, 1))
    assert count(isgan.Encoder(), plane, plane) == expected == 412593


def test_decoder_has_the_parameters_of_table_2():
    expected = (
        conv_count(3, 1, 32)
        + conv_count(3, 32, 64)
        + conv_count(3, 64, 128)
        + conv_count(3, 128, 64)
        + conv_count(3, 64, 32)
        + conv_count(1, 32, 1, norm=False)
    )
    assert count(isgan.Decoder(), jnp.zeros((1, 16, 16, 1))) == expected == 185601


def test_steganalyzer_has_the_parameters_of_table_3():
    expected = (
        conv_count(3, 3, 8)
        + conv_count(3, 8, 16)
        + conv_count(1, 16, 32)
        + conv_count(1, 32, 64)
        + conv_count(1, 64, 128)
        + (2688 * 128 + 128)
        + (128 * 2 + 2)
    )
    assert count(isgan.Steganalyzer(), jnp.zeros((1, 256, 256, 3))) == expected == 357314


def convolve(x, params):
    kernel = np.asarray(params["kernel"], np.float64)
    kernel = kernel[None, None] if kernel.ndim == 2 else kernel
    pad = kernel.shape[0] // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    y = np.zeros((*x.shape[:-1], kernel.shape[-1])) + np.asarray(params["bias"])
    for i, j in np.ndindex(kernel.shape[:2]):
        y += padded[:, i : i + x.shape[1], j : j + x.shape[2]] @ kernel[i, j]
    return y


def normalise(x, params, stats):
    y = (x - np.asarray(stats["mean"])) / np.sqrt(np.asarray(stats["var"]) + 1e-5)
    return y * np.asarray(params["scale"]) + np.asarray(params["bias"])


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def conv_block(x, params, stats):
    return leaky(normalise(convolve(x, params["conv"]), params["norm"], stats["norm"]))


def inception(x, params, stats):
    def unit(y, name):
        return np.maximum(
            normalise(convolve(y, params[name]), params[f"{name}_norm"], stats[f"{name}_norm"]), 0
        )

    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    height, width = x.shape[1:3]
    pooled = np.max(
        [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)], axis=0
    )
    towers = [
        unit(x, "one"),
        unit(unit(x, "three_reduce"), "three"),
        unit(unit(x, "five_reduce"), "five"),
        unit(pooled, "pool"),
    ]
    return np.maximum(np.concatenate(towers, axis=-1) + convolve(x, params["shortcut"]), 0)


def test_encoder_computes_table_1():
    cover, secret = picture(0, (2, 9, 7, 1)), picture(1, (2, 9, 7, 1))
    network = isgan.Encoder(width=0.25)
    variables = variables_of(network, cover, secret)
    params, stats = variables["params"], variables["batch_stats"]
    x = conv_block(
        np.concatenate([cover, secret], axis=-1).astype(np.float64) / 255,
        params["layer1"],
        stats["layer1"],
    )
    for i in range(2, 9):
        x = inception(x, params[f"layer{i}"], stats[f"layer{i}"])
    x = convolve(conv_block(x, params["layer9"], stats["layer9"]), params["output"])
    actual = jax.jit(lambda v, c, s: network.apply(v, c, s, train=False))(variables, cover, secret)
    assert actual.dtype == jnp.float32 and np.ptp(actual) > 1
    np.testing.assert_allclose(actual, (np.tanh(x) + 1) / 2 * 255, atol=2e-2)


def test_decoder_computes_table_2():
    stego = picture(2, (2, 9, 7, 1))
    network = isgan.Decoder(width=0.25)
    variables = variables_of(network, stego)
    x = np.asarray(stego, np.float64) / 255
    for i in range(1, 6):
        x = conv_block(x, variables["params"][f"layer{i}"], variables["batch_stats"][f"layer{i}"])
    x = convolve(x, variables["params"]["output"])
    actual = jax.jit(lambda v, s: network.apply(v, s, train=False))(variables, stego)
    assert actual.dtype == jnp.float32 and np.ptp(actual) > 1
    np.testing.assert_allclose(actual, 255 / (1 + np.exp(-x)), atol=2e-2)


def halve(x):
    height, width = x.shape[1:3]
    rows, columns = -(-height // 2), -(-width // 2)
    top, left = max(2 * rows + 3 - height, 0) // 2, max(2 * columns + 3 - width, 0) // 2
    y = np.empty((x.shape[0], rows, columns, x.shape[3]))
    for i, j in np.ndindex(rows, columns):
        y[:, i, j] = x[
            :, max(2 * i - top, 0) : 2 * i - top + 5, max(2 * j - left, 0) : 2 * j - left + 5
        ].mean(axis=(1, 2))
    return y


def test_steganalyzer_computes_table_3():
    colour = picture(3, (2, 70, 101, 3))
    network = isgan.Steganalyzer(width=0.25)
    variables = variables_of(network, colour)
    params, stats = variables["params"], variables["batch_stats"]
    x = np.asarray(colour, np.float64) / 255
    for i in range(1, 6):
        x = normalise(convolve(x, params[f"conv{i}"]), params[f"norm{i}"], stats[f"norm{i}"])
        x = halve(x if i in (3, 4) else leaky(x))
    height, width = x.shape[1:3]
    assert (height, width) == (3, 4)
    bins = [
        x[
            :,
            i * height // g : -(-(i + 1) * height // g),
            j * width // g : -(-(j + 1) * width // g),
        ].max(axis=(1, 2))
        for g in (1, 2, 4)
        for i in range(g)
        for j in range(g)
    ]
    x = leaky(
        np.concatenate(bins, axis=-1) @ np.asarray(params["full1"]["kernel"])
        + np.asarray(params["full1"]["bias"])
    )
    x = x @ np.asarray(params["full2"]["kernel"]) + np.asarray(params["full2"]["bias"])
    actual = jax.jit(lambda v, p: network.apply(v, p, train=False))(variables, colour)
    np.testing.assert_allclose(actual, x, rtol=1e-3, atol=1e-4)


def assert_reaches(function, planes, radius):
    """The centre of `function(*planes)` depends on pixels `radius` away on every side, and on none
    further away.
    """
    middle = planes[0].shape[1] // 2
    gradients = jax.jit(jax.grad(lambda planes: function(*planes)[0, middle, middle].sum()))(planes)
    for gradient in gradients:
        influence = np.abs(gradient[0, :, :, 0])
        for seen in (influence, influence[::-1], influence.T, influence.T[::-1]):
            assert seen[middle - radius].max() > 0
            assert not seen[: middle - radius].any()


def test_encoder_sees_its_radius_and_no_further():
    n = 2 * isgan.HIDE_RADIUS + 5
    planes = (picture(4, (1, n, n, 1)), picture(5, (1, n, n, 1)))
    network = isgan.Encoder(width=0.5)
    variables = variables_of(network, *planes)
    assert_reaches(
        lambda *planes: network.apply(variables, *planes, train=False), planes, isgan.HIDE_RADIUS
    )


def test_decoder_sees_its_radius_and_no_further():
    n = 2 * isgan.REVEAL_RADIUS + 5
    planes = (picture(6, (1, n, n, 1)),)
    network = isgan.Decoder(width=0.5)
    variables = variables_of(network, *planes)
    assert_reaches(
        lambda plane: network.apply(variables, plane, train=False), planes, isgan.REVEAL_RADIUS
    )


@pytest.mark.parametrize(
    "make, channels", [(isgan.Encoder, (1, 1)), (isgan.Decoder, (1,)), (isgan.Steganalyzer, (3,))]
)
def test_networks_average_statistics_over_devices(make, channels):
    inputs = [picture(7 + i, (4, 33, 35, c)) for i, c in enumerate(channels)]
    variables = variables_of(make(width=0.25), *inputs)

    def apply(axis_name, *inputs):
        return make(width=0.25, axis_name=axis_name).apply(
            variables, *inputs, train=True, mutable="batch_stats"
        )

    whole, whole_stats = jax.jit(lambda *inputs: apply(None, *inputs))(*inputs)
    shards = [x.reshape(2, 2, *x.shape[1:]) for x in inputs]
    parts, stats = jax.pmap(lambda *inputs: apply("devices", *inputs), axis_name="devices")(*shards)
    np.testing.assert_allclose(parts.reshape(whole.shape), whole, rtol=1e-3, atol=2e-2)
    for part, expected in zip(jax.tree.leaves(stats), jax.tree.leaves(whole_stats), strict=True):
        np.testing.assert_allclose(part, np.stack([expected] * 2), rtol=1e-3, atol=1e-4)


def test_bfloat16_computes_nearly_the_same_and_keeps_float32_parameters():
    cover, secret = picture(10, (1, 16, 16, 1)), picture(11, (1, 16, 16, 1))
    network = isgan.Encoder(width=0.25, dtype=jnp.bfloat16)
    variables = variables_of(network, cover, secret)
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), cover, secret, train=False))
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype(jnp.float32)}
    half = jax.jit(lambda: network.apply(variables, cover, secret, train=False))()
    full = jax.jit(lambda: isgan.Encoder(width=0.25).apply(variables, cover, secret, train=False))()
    assert half.dtype == jnp.float32
    difference = np.abs(half - full).max()
    assert 0 < difference < 0.2 * np.ptp(full)


def test_gradients_are_finite_on_flat_and_saturated_pictures():
    encoder, decoder = isgan.Encoder(width=0.25), isgan.Decoder(width=0.25)
    plane = jnp.zeros((2, 16, 16, 1))
    hide, reveal = variables_of(encoder, plane, plane), variables_of(decoder, plane)

    @jax.jit
    def gradient(cover, secret):
        def loss(params):
            stego, _ = encoder.apply(
                {**hide, "params": params[0]}, cover, secret, train=True, mutable="batch_stats"
            )
            revealed, _ = decoder.apply(
                {**reveal, "params": params[1]}, stego, train=True, mutable="batch_stats"
            )
            return jnp.mean((revealed - secret) ** 2) + jnp.mean((stego - cover) ** 2)

        return jax.grad(loss)((hide["params"], reveal["params"]))

    for cover, secret in ((plane, plane), (plane + 255, plane), (plane + 128, plane + 255)):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient(cover, secret)))


def test_shapes_that_do_not_fit_are_refused():
    plane, other = jnp.zeros((1, 16, 16, 1)), jnp.zeros((1, 16, 17, 1))
    key = jax.random.key(0)
    with pytest.raises(ValueError, match=r"\(1, 16, 16, 1\) and secret \(1, 16, 17, 1\)"):
        isgan.Encoder().init(key, plane, other, train=False)
    with pytest.raises(ValueError, match="uint8"):
        isgan.Encoder().init(key, plane.astype(jnp.uint8), plane, train=False)
    with pytest.raises(ValueError, match=r"the secret must be .*\(1, 16, 16, 3\)"):
        isgan.Encoder().init(key, plane, jnp.zeros((1, 16, 16, 3)), train=False)
    with pytest.raises(ValueError, match=r"\(16, 16\) was given"):
        isgan.Decoder().init(key, jnp.zeros((16, 16)), train=False)
    with pytest.raises(ValueError, match=r"\(1, 16, 16, 1\) was given"):
        isgan.Steganalyzer().init(key, plane, train=False)


def test_steganalyzer_says_how_small_a_picture_may_be():
    network = isgan.Steganalyzer(width=0.25)
    with pytest.raises(InputError, match="at least 32x32 pixels, 40x31 was given"):
        network.init(jax.random.key(0), jnp.zeros((1, 31, 40, 3)), train=False)
    smallest = picture(12, (1, 32, 32, 3))
    logits = network.apply(variables_of(network, smallest), smallest, train=False)
    assert logits.shape == (1, 2) and np.isfinite(logits).all()
