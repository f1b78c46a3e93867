"""SSGAN's networks against the paper's words: counted by hand, computed naively, well-behaved at
the corners.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import numpy_generator as generators
from support import numpy_layers as plain

from stegojax.errors import InputError
from stegojax.models import ssgan

NOISE = jax.random.uniform(jax.random.key(0), (3, 100), minval=-1.0, maxval=1.0)
CONVS = sum(25 * a * b for a, b in ((3, 64), (64, 128), (128, 256), (256, 512)))


def test_parameters():
    generator = 100 * 8192 + 8192 + CONVS + 256 + 128 + 64 + 3 + 2 * (512 + 256 + 128 + 64)
    assert generators.count(ssgan.Generator(), NOISE, train=False) == generator == 5135363
    discriminator = CONVS + 3 * (64 + 128 + 256 + 512) + 8193
    assert plain.count(ssgan.Discriminator(), 1, 64, 64, 3) == discriminator == 4316673
    assert (
        plain.count(ssgan.Discriminator(normalise="but_first"), 1, 64, 64, 3)
        == discriminator - 2 * 64
    )
    assert (
        plain.count(ssgan.Discriminator(normalise="none"), 1, 64, 64, 3) == discriminator - 2 * 960
    )


def test_shapes():
    x = jax.eval_shape(
        lambda: ssgan.Generator().init_with_output(jax.random.key(0), NOISE, train=False)[0]
    )
    assert x.shape == (3, 64, 64, 3)
    sizes = {1: (2, 32, 32, 64), 2: (2, 16, 16, 128), 3: (2, 8, 8, 256), 4: (2, 4, 4, 512)}
    expected = {f"{kind}{i}": size for kind in ("conv", "norm") for i, size in sizes.items()}
    assert plain.outputs_of(ssgan.Discriminator(), 2, 64, 64, 3) == {
        **expected,
        "full": (2, 1),
        "network": (2,),
    }


def test_the_generator_computes_what_the_paper_says():
    network = ssgan.Generator(size=32, width=1 / 64)
    variables = generators.draw(network, NOISE, train=False)
    params, stats = variables["params"], variables["batch_stats"]
    x = plain.dense(np.asarray(NOISE, np.float64), params["full"]).reshape(3, 2, 2, 8)
    for i in range(4):
        x = generators.leaky_relu(plain.normalise(x, params[f"norm{i}"], stats[f"norm{i}"]))
        x = generators.transposed_convolve(
            x, {"bias": params[f"up{i + 1}"]["bias"], **params[f"up{i + 1}"]}
        )
    expected = (np.tanh(x) + 1) * 127.5
    assert np.ptp(expected) > 30 and np.ptp(expected, axis=0).max() > 10
    np.testing.assert_allclose(
        jax.jit(lambda z: network.apply(variables, z, train=False))(NOISE), expected, atol=2e-3
    )


@pytest.mark.parametrize("normalise", ssgan.NORMALISE)
def test_the_discriminator_computes_what_the_paper_says(normalise):
    pictures, network = (
        plain.picture(0, (3, 32, 48, 3)),
        ssgan.Discriminator(width=1 / 32, normalise=normalise),
    )
    variables = {"batch_stats": {}, **plain.variables_of(network, pictures)}
    params, stats = variables["params"], variables["batch_stats"]
    assert (
        sorted(stats)
        == {
            "all": ["norm1", "norm2", "norm3", "norm4"],
            "but_first": ["norm2", "norm3", "norm4"],
            "none": [],
        }[normalise]
    )
    x = np.asarray(pictures, np.float64) / 127.5 - 1
    for i in range(1, 5):
        x = plain.convolve(x, params[f"conv{i}"], stride=2)
        x = generators.leaky_relu(
            plain.normalise(x, params[f"norm{i}"], stats[f"norm{i}"]) if f"norm{i}" in stats else x
        )
    expected = plain.dense(x.reshape(3, -1), params["full"])[:, 0]
    actual = jax.jit(lambda x: network.apply(variables, x, train=False))(pictures)
    np.testing.assert_allclose(actual, expected, atol=np.ptp(expected) / 1000)


def test_without_normalisation_pictures_are_scored_by_themselves():
    pictures, network = (
        plain.picture(0, (3, 16, 16, 3)),
        ssgan.Discriminator(width=1 / 32, normalise="none"),
    )
    variables = plain.variables_of(network, pictures)
    jacobian = jax.jacobian(lambda x: network.apply(variables, x, train=True))(pictures)
    assert all((np.abs(jacobian[i, j]).max() > 0) == (i == j) for i in range(3) for j in range(3))


def test_statistics_are_averaged_over_devices():
    noise = jax.random.uniform(jax.random.key(1), (4, 100), minval=-1.0, maxval=1.0)
    plain.assert_statistics_are_averaged(
        lambda axis: ssgan.Generator(16, 1 / 64, axis), noise, atol=0.05
    )
    plain.assert_statistics_are_averaged(
        lambda axis: ssgan.Discriminator(1 / 64, axis), plain.picture(1, (4, 16, 32, 3))
    )


def test_gradients_are_finite_at_the_corners():
    corners = jnp.stack(
        [jnp.zeros((16, 16, 3)), jnp.full((16, 16, 3), 255.0), plain.picture(3, (1, 16, 16, 3))[0]]
    )
    for network, x in (
        (ssgan.Discriminator(1 / 64), corners),
        (ssgan.Discriminator(1 / 64), 0 * corners),
        (ssgan.Generator(16, 1 / 64), NOISE),
        (ssgan.Generator(16, 1 / 64), 0 * NOISE),
    ):
        variables = generators.draw(network, x, train=True)
        _, by_inputs = generators.assert_gradients_are_finite(network, variables, (x,), train=True)
        assert np.ptp(x) == 0 or np.abs(by_inputs[0]).max() > 0


def test_what_cannot_be_used_is_refused():
    def init(network, x):
        return jax.eval_shape(lambda: network.init(jax.random.key(0), x, train=False))

    with pytest.raises(InputError, match="multiples of 16, 40x32 was given"):
        init(ssgan.Discriminator(), jnp.zeros((1, 32, 40, 3)))
    with pytest.raises(ValueError, match="uint8"):
        init(ssgan.Discriminator(), jnp.zeros((1, 32, 32, 3), jnp.uint8))
    with pytest.raises(
        ValueError, match="normalise must be one of all, but_first, none, 'last' was given"
    ):
        init(ssgan.Discriminator(normalise="last"), jnp.zeros((1, 32, 32, 3)))
    with pytest.raises(ValueError, match=r"\(1, 99\) was given"):
        init(ssgan.Generator(), jnp.zeros((1, 99)))
