"""What tests of networks that hide and read messages share: layers in NumPy, and the networks as
functions of one array.
"""

import jax
import jax.numpy as jnp
import numpy as np
from support import numpy_layers as plain


class Joined:
    """A network of a cover and a message as a network of one array, as `numpy_layers` takes
    them.
    """

    def __init__(self, network, split):
        self.network, self.split = network, split

    def init(self, key, x, *, train):
        return self.network.init(key, *self.split(x), train=train)

    def apply(self, variables, x, **options):
        return self.network.apply(variables, *self.split(x), **options)


def with_map(network, channels=1):
    """The cover is the first channels of the array, and the message the others, as it is."""
    return Joined(network, lambda x: (x[..., :channels], x[..., channels:]))


def with_bits(network, length, channels=3):
    """The cover is the first channels of the array, and the message that many pixels' parities of
    the last one.
    """
    return Joined(
        network, lambda x: (x[..., :channels], x[..., -1].reshape(x.shape[0], -1)[:, :length] % 2)
    )


def joined_picture(seed, shape, channels):
    """Grey levels in the first channels, bits in the others."""
    x = np.asarray(plain.picture(seed, shape)).copy()
    x[..., channels:] = np.random.default_rng(seed + 100).integers(0, 2, x[..., channels:].shape)
    return jnp.asarray(x)


def leaky(x, slope=0.01):
    return np.where(x > 0, x, slope * x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def beside(*maps):
    return np.concatenate(maps, axis=-1)


def doubled(x, params):
    """Transposed convolution with stride 2 that doubles height and width: zeros between the pixels,
    then cross-correlation.
    """
    kernel = np.asarray(params["kernel"], np.float64)
    size = kernel.shape[0]
    height, width = x.shape[1:3]
    spread = np.zeros((x.shape[0], 2 * height - 1, 2 * width - 1, x.shape[3]))
    spread[:, ::2, ::2] = x
    before, after = -(-size // 2), size // 2
    spread = np.pad(spread, ((0, 0), (before, after), (before, after), (0, 0)))
    return plain.convolve(spread, {"kernel": kernel, "bias": params["bias"]}, padding="VALID")


def assert_returns(network, x, expected, variables, *, rtol=1e-4):
    """With running statistics the network returns what is expected, to a share of its spread; all
    pictures' outputs differ.
    """
    actual = jax.jit(lambda v, x: network.apply(v, x, train=False))(variables, x)
    assert actual.dtype == jnp.float32 and actual.shape == expected.shape
    spread = expected.std()
    assert spread > 1e-3 and np.abs(np.diff(expected, axis=0)).mean() > 0.01 * spread
    np.testing.assert_allclose(actual, expected, rtol=0, atol=rtol * spread)


def reach(network, x, variables, *, centre):
    """How many pixels from `centre` lies the furthest one that has an effect on the outputs
    there.
    """
    gradient = np.abs(
        jax.grad(lambda x: network.apply(variables, x, train=False)[0, centre, centre].sum())(x)
    )[0].sum(axis=-1)
    return np.abs(np.argwhere(gradient) - centre).max()
