"""SPAR-RL's and UT-GAN's generator: parameters by hand, its transposed convolution against flax's
own, any size, dropout, and what is refused.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stegojax.errors import InputError
from stegojax.models import unet


def count(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def shapes(module, shape):
    return jax.eval_shape(
        lambda key: module.init(key, jnp.zeros(shape), train=False), jax.random.key(0)
    )


def test_parameters_are_the_authors():
    params = shapes(unet.UNet(), (1, 256, 256, 1))["params"]
    assert count(params) == 4_095_088
    assert params["up8"]["kernel"].shape == (5, 5, 32, 1) and "bias" not in params["up8"]
    assert params["down8"]["kernel"].shape == (3, 3, 128, 128) and "bias" not in params["down8"]
    assert count(shapes(unet.UNet(output_bias=0.1), (1, 256, 256, 1))["params"]) == 4_095_089


@pytest.mark.parametrize("size", [(4, 6), (1, 1)])
def test_the_doubling_is_a_transposed_convolution(size):
    x = jax.random.normal(jax.random.key(0), (2, *size, 3))
    module = unet.Doubling(4)
    params = module.init(jax.random.key(1), x)["params"]
    # The adjoint of a strided convolution, whose kernel flax takes turned, its channels swapped.
    reference = nn.ConvTranspose(4, (5, 5), strides=(2, 2), use_bias=False, transpose_kernel=True)
    kernel = params["kernel"].transpose(0, 1, 3, 2)
    expected = reference.apply({"params": {"kernel": kernel}}, x)
    np.testing.assert_allclose(module.apply({"params": params}, x), expected, atol=1e-6)


def test_it_is_the_adjoint_of_a_strided_convolution():
    """<up(x), y> = <x, down(y)>, down being TensorFlow's "SAME" with stride 2."""
    x = jax.random.normal(jax.random.key(0), (1, 5, 3, 2))
    y = jax.random.normal(jax.random.key(1), (1, 10, 6, 4))
    module = unet.Doubling(4)
    params = module.init(jax.random.key(2), x)["params"]
    up = module.apply({"params": params}, x)
    down = jax.lax.conv_general_dilated(
        y,
        params["kernel"].transpose(0, 1, 3, 2),
        (2, 2),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    assert float(jnp.sum(up * y)) == pytest.approx(float(jnp.sum(x * down)), rel=1e-4)


@pytest.mark.parametrize("size", [(32, 32), (37, 50)])
def test_any_size_from_the_least_on(size):
    module = unet.UNet(width=0.25, depth=4, output_bias=0.5)
    maps = jax.random.uniform(jax.random.key(0), (2, *size, 1))
    variables = module.init(jax.random.key(1), maps, train=False)
    output = module.apply(variables, maps, train=False)
    assert output.shape == (2, *size, 1)
    assert abs(float(jnp.mean(output)) - 0.5) < 0.3


def test_dropout_is_for_training_alone():
    module = unet.UNet(width=0.25, depth=4, dropout=0.5)
    maps = jax.random.uniform(jax.random.key(0), (2, 16, 16, 1))
    variables = module.init(jax.random.key(1), maps, train=False)

    def trained(seed):
        rngs = {"dropout": jax.random.key(seed)}
        return module.apply(variables, maps, train=True, rngs=rngs, mutable=["batch_stats"])[0]

    assert not np.array_equal(trained(0), trained(1))
    np.testing.assert_array_equal(trained(0), trained(0))


@pytest.mark.parametrize(
    "module, size, words",
    [
        (unet.UNet(), (255, 300), "needs sides of at least 256 pixels; 300x255 was given"),
        (unet.UNet(depth=9), (32, 32), "between 1 and 8 levels"),
    ],
)
def test_what_cannot_be_is_refused(module, size, words):
    with pytest.raises(InputError, match=words):
        shapes(module, (1, *size, 1))
