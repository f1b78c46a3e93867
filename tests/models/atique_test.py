"""Atique's networks: counted by hand, computed naively, and proven local by gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stegojax.models import atique


def picture(seed, shape):
    return jnp.asarray(np.random.default_rng(seed).uniform(0, 255, shape), jnp.float32)


def variables_of(network, *inputs, seed=0):
    """Parameters drawn with NumPy, biases included."""
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        noise = rng.uniform(-1, 1, leaf.shape).astype(np.float32)
        if path[-1].key == "kernel":
            return noise * np.float32(np.sqrt(6 / np.prod(leaf.shape[:-1])))
        return 0.1 * noise + 0.1

    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=False))
    return jax.tree_util.tree_map_with_path(draw, shapes)


def count(network, *inputs):
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=False))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def conv_count(size, inputs, outputs):
    return size * size * inputs * outputs + outputs


def test_networks_have_the_papers_parameters():
    guest = conv_count(3, 1, 16) + 6 * conv_count(3, 16, 16)
    host = conv_count(3, 3, 16) + sum(
        conv_count(3, inputs, 16) for inputs in (32, 16, 32, 16, 32, 16)
    )
    fuse = conv_count(1, 32, 16) + conv_count(1, 16, 8) + conv_count(1, 8, 3)
    assert (
        count(atique.Encoder(), jnp.zeros((1, 8, 8, 3)), jnp.zeros((1, 8, 8, 1)))
        == guest + host + fuse
        == 36051
    )
    widths = (3, 16, 16, 8, 8, 3, 3, 1)
    expected = sum(conv_count(3, inputs, outputs) for inputs, outputs in zip(widths, widths[1:]))
    assert count(atique.Decoder(), jnp.zeros((1, 8, 8, 3))) == expected == 4843


def convolve(x, params):
    kernel = np.asarray(params["kernel"], np.float64)
    kernel = kernel[None, None] if kernel.ndim == 2 else kernel
    pad = kernel.shape[0] // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    y = np.zeros((*x.shape[:-1], kernel.shape[-1])) + np.asarray(params["bias"])
    for i, j in np.ndindex(kernel.shape[:2]):
        y += padded[:, i : i + x.shape[1], j : j + x.shape[2]] @ kernel[i, j]
    return y


def relu(x):
    return np.maximum(x, 0)


@pytest.mark.parametrize("train", [False, True])
def test_encoder_joins_the_guest_after_layers_1_3_5_and_7(train):
    cover, secret = picture(0, (2, 9, 7, 3)), picture(1, (2, 9, 7, 1))
    network = atique.Encoder()
    variables = variables_of(network, cover, secret)
    params = variables["params"]
    guests = [np.asarray(secret, np.float64) / 255]
    for layer in range(1, 8):
        guests.append(relu(convolve(guests[-1], params[f"guest{layer}"])))
    x = relu(convolve(np.asarray(cover, np.float64) / 255, params["host1"]))
    x = relu(convolve(np.concatenate([x, guests[1]], axis=-1), params["host2"]))
    x = relu(convolve(x, params["host3"]))
    x = relu(convolve(np.concatenate([x, guests[3]], axis=-1), params["host4"]))
    x = relu(convolve(x, params["host5"]))
    x = relu(convolve(np.concatenate([x, guests[5]], axis=-1), params["host6"]))
    x = relu(convolve(x, params["host7"]))
    x = relu(convolve(np.concatenate([x, guests[7]], axis=-1), params["fuse1"]))
    x = convolve(relu(convolve(x, params["fuse2"])), params["output"])
    actual = network.apply(variables, cover, secret, train=train)
    assert actual.dtype == jnp.float32 and np.ptp(actual) > 1
    np.testing.assert_allclose(actual, 255 * x, rtol=1e-3, atol=2e-2)


@pytest.mark.parametrize("train", [False, True])
def test_decoder_is_seven_convolutions(train):
    stego = picture(2, (2, 9, 7, 3))
    network = atique.Decoder()
    variables = variables_of(network, stego)
    x = np.asarray(stego, np.float64) / 255
    for layer in range(1, 7):
        x = relu(convolve(x, variables["params"][f"layer{layer}"]))
    x = convolve(x, variables["params"]["output"])
    actual = network.apply(variables, stego, train=train)
    assert actual.dtype == jnp.float32 and np.ptp(actual) > 1
    np.testing.assert_allclose(actual, 255 * x, rtol=1e-3, atol=2e-2)


def assert_reaches(function, pictures, radius):
    """The centre of `function(*pictures)` depends on pixels `radius` away on every side, and on
    none further away.
    """
    middle = pictures[0].shape[1] // 2
    gradients = jax.jit(jax.grad(lambda pictures: function(*pictures)[0, middle, middle].sum()))(
        pictures
    )
    for gradient in gradients:
        influence = np.abs(gradient[0]).sum(axis=-1)
        seen = [np.flatnonzero(line.any(axis=1)) - middle for line in (influence, influence.T)]
        assert [bound for line in seen for bound in (-line[0], line[-1])] == [radius] * 4


def test_encoder_sees_its_radius_and_no_further():
    n = 2 * atique.HIDE_RADIUS + 5
    pictures = picture(3, (1, n, n, 3)), picture(4, (1, n, n, 1))
    network = atique.Encoder()
    variables = variables_of(network, *pictures)
    assert_reaches(
        lambda *pictures: network.apply(variables, *pictures, train=False),
        pictures,
        atique.HIDE_RADIUS,
    )


def test_decoder_sees_its_radius_and_no_further():
    n = 2 * atique.REVEAL_RADIUS + 5
    pictures = (picture(5, (1, n, n, 3)),)
    network = atique.Decoder(width=4.0)
    variables = variables_of(network, *pictures)
    assert_reaches(
        lambda stego: network.apply(variables, stego, train=False), pictures, atique.REVEAL_RADIUS
    )


def test_width_and_bfloat16():
    cover, secret = picture(6, (1, 12, 12, 3)), picture(7, (1, 12, 12, 1))
    network = atique.Encoder(width=0.25, dtype=jnp.bfloat16)
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), cover, secret, train=False))[
        "params"
    ]
    assert shapes["host2"]["kernel"].shape == (3, 3, 8, 4) and shapes["fuse2"]["kernel"].shape == (
        4,
        2,
    )
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype(jnp.float32)}
    variables = variables_of(network, cover, secret)
    half = network.apply(variables, cover, secret, train=False)
    full = atique.Encoder(width=0.25).apply(variables, cover, secret, train=False)
    assert half.dtype == jnp.float32 and 0 < np.abs(half - full).max() < 0.1 * np.abs(full).max()


def test_shapes_that_do_not_fit_are_refused():
    key, cover = jax.random.key(0), jnp.zeros((1, 8, 8, 3))
    with pytest.raises(ValueError, match=r"the secret .*\(1, 8, 8, 3\)"):
        atique.Encoder().init(key, cover, cover, train=False)
    with pytest.raises(ValueError, match="uint8"):
        atique.Encoder().init(key, cover.astype(jnp.uint8), cover[..., :1], train=False)
    with pytest.raises(ValueError, match=r"\(1, 8, 8, 3\) and secret \(1, 8, 9, 1\)"):
        atique.Encoder().init(key, cover, jnp.zeros((1, 8, 9, 1)), train=False)
    with pytest.raises(ValueError, match=r"the stego .*\(8, 8, 3\)"):
        atique.Decoder().init(key, cover[0], train=False)
