"""Alice, Bob and Eve: counted, and computed naively."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import hiding_networks as hiding
from support import numpy_layers as plain

from stegojax.errors import InputError
from stegojax.models import hayesgan


def test_parameters():
    def conv(inputs, outputs, *, norm=True):
        return 25 * inputs * outputs + outputs + 2 * outputs * norm

    full = (32 * 32 * 3 + 100) * 1024 + 1024
    alice = full + 2 * 256 + conv(256, 128) + conv(128, 64) + conv(64, 32) + conv(32, 3, norm=False)
    assert plain.count(hiding.with_bits(hayesgan.Alice(), 100), 1, 32, 32, 3) == alice == 4327939
    reader = conv(3, 32, norm=False) + conv(32, 64) + conv(64, 128) + conv(128, 256)
    assert plain.count(hayesgan.Bob(), 1, 32, 32, 3) == reader + 1024 * 100 + 100 == 1181476
    assert plain.count(hayesgan.Eve(), 1, 32, 32, 3) == reader + 1024 + 1
    assert plain.count(hayesgan.Eve(features=64), 1, 64, 64, 3) == (
        conv(3, 64, norm=False) + conv(64, 128) + conv(128, 256) + conv(256, 512) + 16 * 512 + 1
    )


def test_shapes():
    assert plain.outputs_of(hiding.with_bits(hayesgan.Alice(), 100), 2, 32, 48, 3)["network"] == (
        2,
        32,
        48,
        3,
    )
    assert plain.outputs_of(hayesgan.Bob(length=7), 2, 32, 48, 3)["network"] == (2, 7)
    assert plain.outputs_of(hayesgan.Eve(), 2, 32, 48, 3)["network"] == (2, 1)


def test_alice_computes_the_table():
    x = plain.picture(0, (2, 16, 32, 3))
    network = hiding.with_bits(hayesgan.Alice(width=0.125), 9)
    variables = plain.variables_of(network, x)
    params, stats = variables["params"], variables["batch_stats"]
    cover, bits = (np.asarray(part, np.float64) for part in network.split(x))
    assert set(bits.ravel()) == {0, 1}

    def normalised(y, name):
        return plain.relu(plain.normalise(y, params[name], stats[name]))

    y = plain.dense(
        np.concatenate([cover.reshape(2, -1) / 127.5 - 1, bits - 0.5], axis=1), params["full"]
    )
    y = normalised(y.reshape(2, 1, 2, 32), "norm0")
    for i, channels in enumerate((16, 8, 4), start=1):
        y = normalised(hiding.doubled(y, params[f"up{i}"]), f"norm{i}")
        assert y.shape[1:] == (2**i, 2 ** (i + 1), channels)
    hiding.assert_returns(
        network, x, (np.tanh(hiding.doubled(y, params["up4"])) + 1) / 2 * 255, variables
    )


@pytest.mark.parametrize(
    "network", [hayesgan.Bob(length=9, width=0.125), hayesgan.Eve(width=0.125)]
)
def test_bob_and_eve_compute_the_table(network):
    x = plain.picture(1, (2, 32, 16, 3))
    variables = plain.variables_of(network, x)
    params, stats = variables["params"]["reader"], variables["batch_stats"]["reader"]
    y = np.asarray(x, np.float64) / 127.5 - 1
    for i in (1, 2, 3, 4):
        y = plain.convolve(y, params[f"conv{i}"], stride=2)
        y = hiding.leaky(
            plain.normalise(y, params[f"norm{i}"], stats[f"norm{i}"]) if i > 1 else y, 0.2
        )
    y = plain.dense(y.reshape(2, -1), params["full"])
    hiding.assert_returns(
        network, x, np.tanh(y) if isinstance(network, hayesgan.Bob) else y, variables
    )


def test_kernels_begin_as_the_authors_do():
    network = hayesgan.Bob(features=16)
    params = plain.initialise(network, 1, 16, 16, 3)["params"]["reader"]
    conv, full = np.asarray(params["conv4"]["kernel"]), np.asarray(params["full"]["kernel"])
    assert 0.0399 < np.abs(conv).max() <= 0.04  # cut at two standard deviations
    np.testing.assert_allclose(full.std(), 0.02, rtol=0.03)
    assert np.abs(full).max() > 0.06


def test_levels_are_halves_of_signs():
    assert hayesgan.levels(jnp.asarray([0.0, 1.0])).tolist() == [-0.5, 0.5]


def test_statistics_are_averaged_over_devices():
    plain.assert_statistics_are_averaged(
        lambda axis: hiding.with_bits(hayesgan.Alice(width=0.0625, axis_name=axis), 5),
        plain.picture(2, (4, 16, 16, 3)),
        atol=2e-2,
    )
    plain.assert_statistics_are_averaged(
        lambda axis: hayesgan.Bob(width=0.0625, axis_name=axis),
        plain.picture(2, (4, 16, 16, 3)),
        atol=1e-2,
    )


def test_gradients_are_finite_at_the_corners():
    plain.assert_gradients_are_finite(
        hiding.with_bits(hayesgan.Alice(width=0.0625), 5), (1, 16, 16, 3)
    )
    plain.assert_gradients_are_finite(hayesgan.Bob(width=0.0625), (1, 16, 16, 3))


def test_what_does_not_fit_is_refused():
    def init(network, *inputs):
        return jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=False))

    cover = jnp.zeros((2, 16, 16, 3))
    for message in (jnp.zeros((1, 9)), jnp.zeros((2, 9, 1)), jnp.zeros((2, 9), jnp.uint8)):
        with pytest.raises(
            ValueError,
            match=r"the message must be float32 bits \[B, L\], .* was given with a cover",
        ):
            init(hayesgan.Alice(), cover, message)
    for network in (hayesgan.Bob(), hayesgan.Eve()):
        with pytest.raises(InputError, match="multiples of 16, 16x24 was given"):
            init(network, jnp.zeros((1, 24, 16, 3)))
        with pytest.raises(ValueError, match="pictures must be a float32 array"):
            init(network, cover[0])
    with pytest.raises(
        InputError, match="Alice needs pictures .* multiples of 16, 20x16 was given"
    ):
        init(hayesgan.Alice(), jnp.zeros((1, 16, 20, 3)), jnp.zeros((1, 9)))
