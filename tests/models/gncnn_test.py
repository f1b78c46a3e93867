"""GNCNN's two networks against their layer tables: counted, computed naively, and well-behaved at
the corners.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import numpy_layers as plain

from stegojax.models import gncnn, high_pass

KV = high_pass.SRM[29:] / 12


def test_parameters():
    full = (256 * 128 + 128) + (128 * 128 + 128) + (128 * 2 + 2)
    convolutions = (25 * 16 + 16) + 3 * (144 * 16 + 16) + (400 * 16 + 16)
    assert plain.count(gncnn.GNCNN(), 1, 256, 256, 1) == convolutions + full == 63458
    small = (75 * 16 + 16) + 2 * (144 * 16 + 16) + (400 * 16 + 16)
    assert plain.count(gncnn.SmallGNCNN(), 1, 64, 64, 3) == small + full == 61938
    assert plain.count(gncnn.GNCNN(normalise=True), 1, 256, 256, 1) == 63458 + 5 * 32


def test_shapes():
    full = {"full1": (2, 128), "full2": (2, 128), "full3": (2, 2), "network": (2, 2)}
    assert plain.outputs_of(gncnn.GNCNN(), 2, 256, 256, 1) == full | {
        "group1": (2, 124, 124, 16),
        "group2": (2, 61, 61, 16),
        "group3": (2, 29, 29, 16),
        "group4": (2, 13, 13, 16),
        "group5": (2, 4, 4, 16),
    }
    assert plain.outputs_of(gncnn.SmallGNCNN(), 2, 64, 64, 3) == full | {
        "group1": (2, 32, 32, 16),
        "group2": (2, 16, 16, 16),
        "group3": (2, 8, 8, 16),
        "group4": (2, 4, 4, 16),
    }


def pool(x):
    """Means over 3x3 windows, stride 2, from the first pixel on; the last window may be cut off."""
    tops, lefts = (range(0, max(n - 1, 1), 2) for n in x.shape[1:3])
    return np.stack(
        [
            np.stack([x[:, i : i + 3, j : j + 3].mean(axis=(1, 2)) for j in lefts], axis=1)
            for i in tops
        ],
        axis=1,
    )


def classify(x, params):
    x = x.reshape(len(x), -1)
    return plain.dense(
        plain.relu(plain.dense(plain.relu(plain.dense(x, params["full1"])), params["full2"])),
        params["full3"],
    )


@pytest.mark.parametrize("normalise", [False, True])
def test_it_computes_the_table(normalise):
    planes = plain.picture(0, (2, 132, 164, 1), levels=8)
    network = gncnn.GNCNN(width=0.25, normalise=normalise)
    variables = plain.variables_of(network, planes, gain=2.0)
    params, stats = variables["params"], variables.get("batch_stats", {})
    x = plain.bank(planes, KV, "VALID")
    for i in range(1, 6):
        of = params[f"group{i}"]
        x = plain.convolve(x, of["conv"], padding="VALID")
        x = plain.normalise(x, of["norm"], stats[f"group{i}"]["norm"]) if normalise else x
        x = pool(np.exp(-(x**2)))
    assert x.shape == (2, 1, 2, 4)
    plain.assert_computes(network, planes, classify(x, params), variables)


def test_the_small_one_computes_its_table():
    pictures = plain.picture(1, (2, 33, 38, 3), levels=8)
    network = gncnn.SmallGNCNN(width=0.25)
    variables = plain.variables_of(network, pictures, gain=2.0)
    params = variables["params"]
    assert [len(params[f"group{i}"]["conv"]["kernel"]) for i in range(1, 5)] == [5, 3, 3, 5]
    x = np.concatenate([plain.bank(pictures[..., c : c + 1], KV) for c in range(3)], axis=-1)
    for i in range(1, 5):
        x = plain.mean_inside(np.exp(-(plain.convolve(x, params[f"group{i}"]["conv"]) ** 2)), 3, 2)
    plain.assert_computes(network, pictures, classify(x, params), variables)


def test_gaussian_neuron():
    x = np.asarray([-2.0, -0.5, 0.0, 0.5, 30.0], np.float32)
    np.testing.assert_allclose(
        gncnn.gaussian(x), [0.01831564, 0.7788008, 1, 0.7788008, 0], rtol=1e-5
    )
    np.testing.assert_allclose(
        jax.vmap(jax.grad(gncnn.gaussian))(x), [0.07326256, 0.7788008, 0, -0.7788008, 0], rtol=1e-5
    )


def test_it_does_not_see_a_shift():
    network, planes = gncnn.GNCNN(width=0.25), plain.picture(2, (2, 132, 132, 1), levels=8)
    variables = plain.variables_of(network, planes, gain=2.0)
    judge = jax.jit(lambda x: network.apply(variables, x, train=False))
    np.testing.assert_allclose(judge(planes), judge(planes + 64), rtol=1e-4, atol=1e-5)
    assert not np.allclose(judge(planes), judge(planes * 2), rtol=1e-3)


@pytest.mark.parametrize(
    "make, shape", [(gncnn.GNCNN, (4, 132, 134, 1)), (gncnn.SmallGNCNN, (4, 33, 35, 3))]
)
def test_statistics_are_averaged_over_devices(make, shape):
    plain.assert_statistics_are_averaged(
        lambda axis: make(width=0.25, axis_name=axis, normalise=True), plain.picture(3, shape)
    )


@pytest.mark.parametrize(
    "make, shape", [(gncnn.GNCNN, (1, 132, 132, 1)), (gncnn.SmallGNCNN, (1, 20, 20, 3))]
)
@pytest.mark.parametrize("normalise", [False, True])
def test_gradients_are_finite_at_the_corners(make, shape, normalise):
    plain.assert_gradients_are_finite(make(width=0.125, normalise=normalise), shape)


def test_what_cannot_be_judged_is_refused():
    plain.assert_refuses(gncnn.GNCNN(), gncnn.MINIMUM_SIZE)
    assert plain.outputs_of(gncnn.GNCNN(), 1, 132, 132, 1)["group5"] == (1, 1, 1, 16)
    plain.assert_refuses(gncnn.SmallGNCNN(), gncnn.SMALL_MINIMUM_SIZE, channels=3)
    assert jnp.isfinite(
        gncnn.SmallGNCNN().init_with_output(
            jax.random.key(0), plain.picture(4, (1, 64, 64, 1)), train=False
        )[0]
    ).all()
