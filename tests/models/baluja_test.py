"""Baluja's networks: counted by hand, computed naively, and proven local by gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stegojax.models import baluja


def picture(seed, shape):
    return jnp.asarray(np.random.default_rng(seed).uniform(0, 255, shape), jnp.float32)


def variables_of(network, *inputs, seed=0):
    """Parameters drawn with NumPy, biases included."""
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        noise = rng.uniform(-1, 1, leaf.shape).astype(np.float32)
        if path[-1].key == "kernel":
            return noise * np.float32(np.sqrt(6 / np.prod(leaf.shape[:-1])))
        return 0.1 * noise

    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=False))
    return jax.tree_util.tree_map_with_path(draw, shapes)


def count(network, *inputs):
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=False))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def branches_count(inputs):
    return sum(size**2 * (inputs + 3 * 50 + 150) * 50 + 5 * 50 for size in (3, 4, 5))


def test_networks_have_the_papers_parameters():
    colour, prepared = jnp.zeros((1, 16, 16, 3)), jnp.zeros((1, 16, 16, 150))
    assert count(baluja.Preparation(), colour) == branches_count(3) == 758250
    assert count(baluja.Hiding(), colour, prepared) == branches_count(153) + 150 * 3 + 3 == 1133703
    assert count(baluja.Reveal(), colour) == branches_count(3) + 150 * 3 + 3 == 758703
    assert count(baluja.Preparation(), colour[..., :1]) == branches_count(1) == 753250
    assert count(baluja.Reveal(secret_channels=1), colour) == branches_count(3) + 150 + 1 == 758401


def convolve(x, params, pad):
    """A convolution with the same padding on every side, so that a kernel of 4 changes the size by
    2 pad - 3.
    """
    kernel = np.asarray(params["kernel"], np.float64)
    kernel = kernel[None, None] if kernel.ndim == 2 else kernel
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    height, width = x.shape[1] - kernel.shape[0] + 1, x.shape[2] - kernel.shape[1] + 1
    y = np.zeros((x.shape[0], height, width, kernel.shape[-1])) + np.asarray(params["bias"])
    for i, j in np.ndindex(kernel.shape[:2]):
        y += x[:, i : i + height, j : j + width] @ kernel[i, j]
    return y


def branches(x, params):
    outputs = []
    for size, pads in ((3, (1, 1, 1, 1)), (4, (1, 2, 1, 2)), (5, (2, 2, 2, 2))):
        y = x
        for layer, pad in enumerate(pads, start=1):
            y = np.maximum(convolve(y, params[f"kernel{size}_layer{layer}"], pad), 0)
        outputs.append(y)
    x = np.concatenate(outputs, axis=-1)
    last = [
        np.maximum(convolve(x, params[f"kernel{size}_layer5"], pad), 0)
        for size, pad in ((3, 1), (4, 1), (5, 2))
    ]
    return np.concatenate([y[:, : x.shape[1] - 1, : x.shape[2] - 1] for y in last], axis=-1)


def test_networks_compute_three_branches_with_pads_one_and_two_alternately():
    cover, secret = picture(0, (1, 45, 46, 3)), picture(1, (1, 45, 46, 1))
    preparation, hiding, reveal = (
        make(width=0.1) for make in (baluja.Preparation, baluja.Hiding, baluja.Reveal)
    )
    prepare = variables_of(preparation, secret)
    prepared = preparation.apply(prepare, secret, train=True)
    hide, unhide = (
        variables_of(hiding, cover, prepared, seed=1),
        variables_of(reveal, cover, seed=2),
    )
    stego, revealed = (
        hiding.apply(hide, cover, prepared, train=True),
        reveal.apply(unhide, cover, train=False),
    )
    assert prepared.shape == (1, 45, 46, 15) and stego.shape == revealed.shape == cover.shape

    x = branches(np.asarray(secret, np.float64) / 255, prepare["params"]["branches"])
    inner = np.s_[:, 11:33, 11:34]
    np.testing.assert_allclose(prepared[inner], x[inner], rtol=1e-3, atol=1e-4)
    both = np.concatenate([np.asarray(cover, np.float64) / 255, np.asarray(prepared)], axis=-1)
    for variables, inputs, output in (
        (hide, both, stego),
        (unhide, np.asarray(cover, np.float64) / 255, revealed),
    ):
        x = (
            convolve(
                branches(inputs, variables["params"]["branches"]), variables["params"]["output"], 0
            )
            * 255
        )
        assert np.ptp(x) > 1
        np.testing.assert_allclose(output[inner], x[inner], rtol=1e-3, atol=2e-2)


@pytest.mark.parametrize("train", [False, True])
def test_odd_sizes_and_grey_secrets(train):
    cover, secret = picture(2, (2, 7, 5, 3)), picture(3, (2, 7, 5, 1))
    preparation, hiding = baluja.Preparation(width=0.1), baluja.Hiding(width=0.1)
    reveal = baluja.Reveal(secret_channels=1, width=0.1)
    prepared = preparation.apply(variables_of(preparation, secret), secret, train=train)
    stego = hiding.apply(variables_of(hiding, cover, prepared), cover, prepared, train=train)
    revealed = reveal.apply(variables_of(reveal, stego), stego, train=train)
    assert stego.shape == cover.shape and revealed.shape == secret.shape
    assert stego.dtype == revealed.dtype == jnp.float32


def assert_reaches(function, pictures, radius):
    """The centre of `function(*pictures)` depends on pixels `radius` away on every side, and on
    none further away.
    """
    middle = pictures[0].shape[1] // 2
    gradients = jax.jit(jax.grad(lambda pictures: function(*pictures)[0, middle, middle].sum()))(
        pictures
    )
    reaches = []
    for gradient in gradients:
        influence = np.abs(gradient[0]).sum(axis=-1)
        seen = [np.flatnonzero(line.any(axis=1)) - middle for line in (influence, influence.T)]
        reaches.append([bound for line in seen for bound in (-line[0], line[-1])])
    assert reaches == [[r] * 4 for r in radius]


def test_hiding_sees_its_radius_and_no_further():
    n = 2 * baluja.HIDE_RADIUS + 5
    cover, secret = picture(4, (1, n, n, 3)), picture(5, (1, n, n, 1))
    preparation, hiding = baluja.Preparation(width=0.1), baluja.Hiding(width=0.1)
    prepare, hide = (
        variables_of(preparation, secret),
        variables_of(hiding, cover, jnp.zeros((1, n, n, 15))),
    )

    def function(cover, secret):
        return hiding.apply(
            hide, cover, preparation.apply(prepare, secret, train=False), train=False
        )

    assert_reaches(function, (cover, secret), (10, baluja.HIDE_RADIUS))


def test_reveal_sees_its_radius_and_no_further():
    n = 2 * baluja.REVEAL_RADIUS + 5
    stego = picture(6, (1, n, n, 3))
    network = baluja.Reveal(width=0.1)
    variables = variables_of(network, stego)
    assert_reaches(
        lambda stego: network.apply(variables, stego, train=False),
        (stego,),
        (baluja.REVEAL_RADIUS,),
    )


def test_bfloat16_keeps_float32_parameters_and_outputs():
    stego = picture(7, (1, 12, 12, 3))
    network = baluja.Reveal(width=0.1, dtype=jnp.bfloat16)
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), stego, train=False))
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {jnp.dtype(jnp.float32)}
    variables = variables_of(network, stego)
    half = network.apply(variables, stego, train=False)
    full = baluja.Reveal(width=0.1).apply(variables, stego, train=False)
    assert half.dtype == jnp.float32 and 0 < np.abs(half - full).max() < 0.1 * np.ptp(full)


def test_shapes_that_do_not_fit_are_refused():
    key, cover = jax.random.key(0), jnp.zeros((1, 8, 8, 3))
    with pytest.raises(ValueError, match=r"the secret .*\(1, 8, 8, 2\)"):
        baluja.Preparation().init(key, cover[..., :2], train=False)
    with pytest.raises(ValueError, match="uint8"):
        baluja.Preparation().init(key, cover.astype(jnp.uint8), train=False)
    with pytest.raises(ValueError, match=r"\(1, 8, 8, 3\) and prepared secret \(1, 8, 9, 150\)"):
        baluja.Hiding().init(key, cover, jnp.zeros((1, 8, 9, 150)), train=False)
    with pytest.raises(ValueError, match=r"the cover .*\(1, 8, 8, 1\)"):
        baluja.Hiding().init(key, cover[..., :1], jnp.zeros((1, 8, 8, 150)), train=False)
    with pytest.raises(ValueError, match=r"the stego .*\(8, 8, 3\)"):
        baluja.Reveal().init(key, cover[0], train=False)
