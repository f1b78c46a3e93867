"""SGAN's networks against their layer tables: counted by hand, computed naively, well-behaved at
the corners.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import numpy_generator as generators
from support import numpy_layers as plain

from stegojax.errors import InputError
from stegojax.models import dcgan, high_pass

NOISE = jax.random.uniform(jax.random.key(0), (3, 100), minval=-1.0, maxval=1.0)
CONVS = sum(25 * a * b for a, b in ((3, 64), (64, 128), (128, 256), (256, 512)))


def test_parameters():
    # The released code has no bias in any transposed convolution, and normalises 512, 256, 128 and
    # 64 channels.
    generator = 100 * 8192 + 8192 + CONVS + 2 * (512 + 256 + 128 + 64)
    assert generator == 5134912 == 5133443 + 1920 - (256 + 128 + 64 + 3)
    assert generators.count(dcgan.Generator(), NOISE, train=False) == generator
    discriminator = CONVS + 960 + 2 * (3 + 64 + 128 + 256) + 8193
    assert plain.count(dcgan.Discriminator(), 1, 64, 64, 3) == discriminator == 4315655
    assert plain.count(dcgan.Steganalyzer(), 1, 64, 64, 3) == discriminator + 2 * 512 == 4316679
    expected = (
        49 * 3 * 10
        + 10
        + 25 * 10 * 20
        + 20
        + 9 * 20 * 30
        + 30
        + 9 * 30 * 40
        + 40
        + 64 * 64 * 40 * 100
        + 100
        + 202
    )
    assert plain.count(dcgan.IndependentSteganalyzer(), 1, 64, 64, 3) == expected == 16407072


def test_shapes():
    x = jax.eval_shape(
        lambda: dcgan.Generator(size=48).init_with_output(jax.random.key(0), NOISE, train=False)[0]
    )
    assert x.shape == (3, 48, 48, 3) and x.dtype == jnp.float32
    sizes = {
        "conv1": (2, 32, 32, 64),
        "conv2": (2, 16, 16, 128),
        "conv3": (2, 8, 8, 256),
        "conv4": (2, 4, 4, 512),
        "norm1": (2, 64, 64, 3),
        "norm2": (2, 32, 32, 64),
        "norm3": (2, 16, 16, 128),
        "norm4": (2, 8, 8, 256),
    }
    assert plain.outputs_of(dcgan.Discriminator(), 2, 64, 64, 3) == {
        **sizes,
        "full": (2, 1),
        "network": (2,),
    }
    sizes = {**sizes, "norm5": (2, 4, 4, 512), "full": (2, 1), "network": (2, 2)}
    assert plain.outputs_of(dcgan.Steganalyzer(), 2, 64, 64, 3) == sizes


def grown(variables, noise, activation):
    """A generator's layers, naively."""
    params, stats = variables["params"], variables["batch_stats"]
    x = plain.dense(np.asarray(noise, np.float64), params["full"])
    x = x.reshape(len(x), 2, 2, -1)
    for i in range(4):
        x = activation(plain.normalise(x, params[f"norm{i}"], stats[f"norm{i}"]))
        x = generators.transposed_convolve(x, params[f"up{i + 1}"])
    return (np.tanh(x) + 1) * 127.5


def test_the_generator_computes_the_table():
    network = dcgan.Generator(size=32, width=1 / 16)
    variables = generators.draw(network, NOISE, gain=2.0, train=False)
    assert all("bias" not in variables["params"][f"up{i}"] for i in range(1, 5))
    expected = grown(variables, NOISE, plain.relu)
    actual = jax.jit(lambda z: network.apply(variables, z, train=False))(NOISE)
    assert np.ptp(expected) > 30 and np.ptp(expected, axis=0).max() > 10
    np.testing.assert_allclose(actual, expected, atol=5e-3)


def test_pictures_stay_in_range():
    network = dcgan.Generator(size=16, width=1 / 64)
    variables = jax.tree.map(lambda leaf: leaf * 30, generators.draw(network, NOISE, train=False))
    pictures = network.apply(variables, NOISE, train=False)
    assert float(pictures.min()) == 0 and float(pictures.max()) == 255


def judged(x, variables):
    """The layers of discriminator and steganalyzer, naively."""
    params, stats = variables["params"], variables["batch_stats"]
    for i in range(1, 5):
        x = plain.normalise(x, params[f"norm{i}"], stats[f"norm{i}"])
        x = generators.leaky_relu(plain.convolve(x, params[f"conv{i}"], stride=2))
    return x


def test_the_discriminator_computes_the_table():
    pictures, network = plain.picture(0, (3, 48, 32, 3)), dcgan.Discriminator(width=1 / 32)
    variables = plain.variables_of(network, pictures)
    x = judged(np.asarray(pictures, np.float64) / 127.5 - 1, variables)
    expected = plain.dense(x.reshape(3, -1), variables["params"]["full"])[:, 0]
    actual = jax.jit(lambda x: network.apply(variables, x, train=False))(pictures)
    np.testing.assert_allclose(actual, expected, atol=np.ptp(expected) / 1000)


def test_the_steganalyzer_computes_the_table():
    pictures, network = (
        plain.picture(1, (3, 32, 48, 3), levels=16),
        dcgan.Steganalyzer(width=1 / 32),
    )
    variables = plain.variables_of(network, pictures)
    x = np.concatenate(
        [plain.bank(pictures[..., c : c + 1], high_pass.KV / 12) for c in range(3)], axis=-1
    )
    x = judged(x, variables)
    x = plain.normalise(x, variables["params"]["norm5"], variables["batch_stats"]["norm5"])
    stego = plain.dense(x.reshape(3, -1), variables["params"]["full"])
    actual = jax.jit(lambda x: network.apply(variables, x, train=False))(pictures)
    assert not np.asarray(actual[:, 0]).any()
    np.testing.assert_allclose(actual[:, 1:], stego, atol=np.ptp(stego) / 1000)


def test_the_independent_steganalyzer_computes_the_table():
    pictures, network = (
        plain.picture(2, (3, 17, 16, 3), levels=16),
        dcgan.IndependentSteganalyzer(width=0.2),
    )
    variables = plain.variables_of(network, pictures)
    params = variables["params"]
    x = np.concatenate(
        [plain.bank(pictures[..., c : c + 1], high_pass.KV / 12) for c in range(3)], axis=-1
    )
    for i, window in ((1, 1), (2, 4), (3, 1), (4, 2)):
        x = generators.max_pool(plain.relu(plain.convolve(x, params[f"conv{i}"])), window)
    x = np.tanh(plain.dense(x.reshape(3, -1), params["full1"]))
    plain.assert_computes(network, pictures, plain.dense(x, params["full2"]), variables)


def test_kernels_begin_as_the_paper_says():
    network = dcgan.Generator(size=16, width=0.25)
    params = jax.jit(lambda key: network.init(key, NOISE, train=False)["params"])(jax.random.key(0))
    for name in ("full", "up1", "up2"):
        np.testing.assert_allclose(np.std(params[name]["kernel"]), 0.02, rtol=0.05)
    kernel = np.asarray(
        plain.initialise(dcgan.IndependentSteganalyzer(), 1, 16, 16, 3)["params"]["conv4"]["kernel"]
    )
    # Cut off at two standard deviations, of which .88 are left.
    np.testing.assert_allclose(kernel.std(), 0.88 * 0.02, rtol=0.05)
    assert 0.039 < np.abs(kernel).max() <= 0.04


def test_statistics_are_averaged_over_devices():
    noise = jax.random.uniform(jax.random.key(1), (4, 100), minval=-1.0, maxval=1.0)
    plain.assert_statistics_are_averaged(
        lambda axis: dcgan.Generator(16, 1 / 64, axis), noise, atol=0.05
    )
    pictures = plain.picture(1, (4, 16, 32, 3))
    plain.assert_statistics_are_averaged(lambda axis: dcgan.Discriminator(1 / 64, axis), pictures)
    plain.assert_statistics_are_averaged(lambda axis: dcgan.Steganalyzer(1 / 64, axis), pictures)


def test_gradients_are_finite_at_the_corners():
    for network in (dcgan.Steganalyzer(1 / 64), dcgan.IndependentSteganalyzer(0.1)):
        plain.assert_gradients_are_finite(network, (1, 16, 16, 3))
    corners = jnp.stack(
        [jnp.zeros((16, 16, 3)), jnp.full((16, 16, 3), 255.0), plain.picture(3, (1, 16, 16, 3))[0]]
    )
    for network, x in (
        (dcgan.Discriminator(1 / 64), corners),
        (dcgan.Discriminator(1 / 64), 0 * corners),
        (dcgan.Generator(16, 1 / 64), NOISE),
        (dcgan.Generator(16, 1 / 64), 0 * NOISE),
    ):
        variables = generators.draw(network, x, train=True)
        by_params, by_inputs = generators.assert_gradients_are_finite(
            network, variables, (x,), train=True
        )
        # A batch whose examples are all alike tells nothing of them.
        assert (
            np.ptp(x) == 0
            or min(np.abs(leaf).max() for leaf in (*by_inputs, *by_params["full"].values())) > 0
        )


def test_what_cannot_be_used_is_refused():
    def init(network, x):
        return jax.eval_shape(lambda: network.init(jax.random.key(0), x, train=False))

    plain.assert_refuses(dcgan.IndependentSteganalyzer(), dcgan.MINIMUM_SIZE, channels=3)
    plain.assert_refuses(dcgan.Steganalyzer(), dcgan.HALVINGS, channels=3)
    for network in (dcgan.Steganalyzer(), dcgan.Discriminator()):
        with pytest.raises(InputError, match="multiples of 16, 40x32 was given"):
            init(network, jnp.zeros((1, 32, 40, 3)))
        with pytest.raises(
            ValueError, match=r"\[B, H, W, 3\] in 0..255, float32 \(1, 32, 32, 1\) was given"
        ):
            init(network, jnp.zeros((1, 32, 32, 1)))
    for noise in (jnp.zeros((1, 99)), jnp.zeros(100), jnp.zeros((1, 100), jnp.int32)):
        with pytest.raises(ValueError, match=r"float32 array \[B, 100\]"):
            init(dcgan.Generator(), noise)
    for size in (0, 40):
        with pytest.raises(InputError, match=f"multiple of 16, {size} was given"):
            init(dcgan.Generator(size=size), NOISE)
