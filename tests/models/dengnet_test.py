"""Deng-Net against its layer table, its pooling against NumPy's covariance and SciPy's matrix
root.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from support import numpy_layers as plain

from stegojax.models import dengnet, high_pass


def test_parameters():
    channels = (30, 32, 32, 32, 32, 32, 64, 64, 128, 128, 256)
    convolutions = sum(9 * a * b + 3 * b for a, b in zip(channels, channels[1:]))
    assert (
        plain.count(dengnet.DengNet(), 1, 256, 256, 1)
        == convolutions + 2 * 256 * 257 // 2 + 2
        == 685090
    )


def test_shapes():
    assert plain.outputs_of(dengnet.DengNet(), 2, 256, 256, 1) == {
        "group2": (2, 128, 128, 32),
        "group3": (2, 64, 64, 64),
        "group4": (2, 32, 32, 128),
        "group5": (2, 32, 32, 256),
        "full": (2, 2),
        "network": (2, 2),
    }


def newton_schulz(sigma):
    trace = np.trace(sigma)
    a, i = sigma / trace, np.eye(len(sigma))
    w = (3 * i - a) / 2
    y, z = a @ w, w
    for _ in range(3):
        w = (3 * i - z @ y) / 2
        y, z = y @ w, w @ z
    return np.sqrt(trace) * y @ (3 * i - z @ y) / 2


def test_it_computes_the_table():
    planes = plain.picture(0, (2, 33, 38, 1), levels=8)
    network = dengnet.DengNet(width=0.125)
    variables = plain.variables_of(network, planes, gain=2.0)
    params, stats = variables["params"], variables["batch_stats"]
    x = np.clip(plain.bank(planes, high_pass.SRM / -high_pass.SRM[:, 2:3, 2:3]), -3, 3)
    for group, convolutions in ((2, 4), (3, 2), (4, 2), (5, 2)):
        of, running = params[f"group{group}"], stats[f"group{group}"]
        for i in range(1, convolutions + 1):
            x = plain.relu(
                plain.normalise(
                    plain.convolve(x, of[f"conv{i}"]), of[f"norm{i}"], running[f"norm{i}"]
                )
            )
        x = plain.mean_counted(x, 3, 2, 1) if group < 5 else x
    roots = [newton_schulz(np.cov(y.reshape(-1, y.shape[-1]).T, bias=True)) for y in x]
    pooled = [np.concatenate([root[i, i:] for i in range(len(root))]) for root in roots]
    plain.assert_computes(network, planes, plain.dense(np.stack(pooled), params["full"]), variables)


def test_covariance_is_numpys():
    x = np.random.default_rng(1).normal(5, 2, (2, 3, 4, 5, 6)).astype(np.float32)
    expected = [[np.cov(y.reshape(-1, 6).T, bias=True) for y in row] for row in x]
    np.testing.assert_allclose(dengnet.covariance(jnp.asarray(x)), expected, rtol=1e-4, atol=1e-4)


def test_square_root_nears_scipys_with_more_iterations():
    x = np.random.default_rng(2).normal(size=(2, 40, 6))
    sigma = np.stack([y.T @ y / 40 for y in x])
    expected = np.stack([scipy.linalg.sqrtm(s) for s in sigma])
    five, twelve = (
        dengnet.square_root(jnp.asarray(sigma, jnp.float32), iterations=n) for n in (5, 12)
    )
    np.testing.assert_allclose(
        five, np.stack([newton_schulz(s) for s in sigma]), rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(twelve, expected, rtol=1e-3, atol=1e-4)
    assert np.abs(five - expected).max() < 0.05


def test_square_root_by_default_takes_five_iterations():
    sigma = jnp.diag(jnp.asarray([4.0, 1.0, 0.01]))
    np.testing.assert_array_equal(
        dengnet.square_root(sigma), dengnet.square_root(sigma, iterations=5)
    )
    np.testing.assert_allclose(
        dengnet.square_root(sigma), newton_schulz(np.asarray(sigma)), rtol=1e-3, atol=1e-5
    )


def test_gradient_of_the_pooling_is_the_difference_quotient():
    rng = np.random.default_rng(3)
    x, direction = rng.normal(size=(2, 4, 4, 5))
    weights = rng.normal(size=15)

    def value(x):
        root = newton_schulz(np.cov(x.reshape(-1, 5).T, bias=True))
        return weights @ root[np.triu_indices(5)]

    def pooled(x):
        return jnp.asarray(weights, jnp.float32) @ dengnet.upper_triangle(
            dengnet.square_root(dengnet.covariance(x))
        )

    gradient = jax.grad(pooled)(jnp.asarray(x, jnp.float32))
    expected = (value(x + 1e-5 * direction) - value(x - 1e-5 * direction)) / 2e-5
    np.testing.assert_allclose(np.vdot(gradient, direction), expected, rtol=1e-3)


def test_upper_triangle_goes_row_by_row():
    np.testing.assert_array_equal(
        dengnet.upper_triangle(jnp.arange(9.0).reshape(3, 3)), [0, 1, 2, 4, 5, 8]
    )


@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e-6, 1.0, 1e4])
def test_pooling_of_nearly_constant_maps_has_finite_values_and_gradients(scale):
    x = 3 + scale * jnp.asarray(np.random.default_rng(4).normal(size=(4, 4, 8)), jnp.float32)
    value, gradient = jax.value_and_grad(
        lambda x: dengnet.square_root(dengnet.covariance(x)).sum()
    )(x)
    assert np.isfinite(value) and np.isfinite(gradient).all()
    if scale == 0:
        assert value == 0 and not gradient.any()


def test_kernels_begin_as_the_authors_framework_begins_them():
    params = plain.initialise(dengnet.DengNet(), 1, 16, 16, 1)["params"]
    of = params["group5"]["conv2"]
    np.testing.assert_allclose(np.std(of["kernel"]), np.sqrt(2 / (9 * 128)), rtol=0.02)
    limit = (9 * 128) ** -0.5
    assert 0.95 * limit < np.abs(of["bias"]).max() <= limit and np.ptp(of["bias"]) > 1.9 * limit
    np.testing.assert_allclose(np.std(params["full"]["kernel"]), 0.01, rtol=0.02)
    assert not params["full"]["bias"].any()


def test_statistics_are_averaged_over_devices():
    plain.assert_statistics_are_averaged(
        lambda axis: dengnet.DengNet(width=0.125, axis_name=axis), plain.picture(1, (4, 33, 35, 1))
    )


def test_gradients_are_finite_at_the_corners():
    plain.assert_gradients_are_finite(dengnet.DengNet(width=0.125), (1, 20, 20, 1))


def test_what_cannot_be_judged_is_refused():
    plain.assert_refuses(dengnet.DengNet(), dengnet.MINIMUM_SIZE)
    with pytest.raises(ValueError, match=r"\(4, 4\) was given"):
        dengnet.covariance(jnp.zeros((4, 4)))
    for function in (dengnet.square_root, dengnet.upper_triangle):
        with pytest.raises(ValueError, match=r"\(4, 5\) was given"):
            function(jnp.zeros((4, 5)))
    with pytest.raises(ValueError, match="at least 2 iterations are needed, 1 was given"):
        dengnet.square_root(jnp.eye(3), iterations=1)
