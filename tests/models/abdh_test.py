"""The ABDH-like networks: counted against the networks they are made of, and computed naively."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage
from support import hiding_networks as hiding
from support import numpy_layers as plain

from stegojax.errors import InputError
from stegojax.models import abdh


def test_parameters_are_those_of_resnet_cyclegan_and_patchgan():
    """ResNet-50's stem and first two layers; CycleGAN's published 11.378 M and 2.765 M for three
    channels in and out.
    """
    stem, layer1, layer2 = 9408 + 128, 215808, 1219584
    mask = 9 * 512 * 256 + 256 + 9 * 256 * 64 + 64 + 64 + 1
    assert plain.count(abdh.Attention(), 1, 32, 32, 3) == stem + layer1 + layer2 + mask
    assert plain.count(abdh.Extractor(depth=3), 1, 32, 32, 3) == 11378179
    assert plain.count(abdh.Steganalyzer(), 1, 32, 32, 3) == 2764737
    generator = hiding.Joined(abdh.Generator(), lambda x: (x[..., :3], x[..., 3:4], x[..., 4:]))
    assert plain.count(generator, 1, 32, 32, 5) == 11378179 + 49 * 2 * 64


@pytest.mark.parametrize("size", [(8, 8), (9, 11), (32, 30)])
def test_any_size(size):
    assert plain.outputs_of(abdh.Attention(), 2, *size, 1)["network"] == (2, *size, 1)
    assert plain.outputs_of(abdh.Extractor(depth=2), 2, *size, 1)["network"] == (2, *size, 2)


def instance_norm(x):
    x = x - x.mean(axis=(1, 2), keepdims=True)
    return x / np.sqrt((x**2).mean(axis=(1, 2), keepdims=True) + 1e-5)


def valid(x, params, around, mode="reflect"):
    return plain.convolve(
        np.pad(x, ((0, 0), (around, around), (around, around), (0, 0)), mode=mode),
        params,
        padding="VALID",
    )


def generator(x, params, blocks):
    x = plain.relu(instance_norm(valid(x, params["first"], 3)))
    sizes = [x.shape[1:3]]
    for i in (1, 2):
        x = plain.relu(instance_norm(plain.convolve(x, params[f"down{i}"], stride=2)))
        sizes.append(x.shape[1:3])
    for i in range(1, blocks + 1):
        y = plain.relu(instance_norm(valid(x, params[f"block{i}"]["conv1"], 1)))
        x = x + instance_norm(valid(y, params[f"block{i}"]["conv2"], 1))
    for i in (2, 1):
        height, width = sizes[i - 1]
        x = plain.relu(instance_norm(hiding.doubled(x, params[f"up{i}"])[:, :height, :width]))
    return valid(x, params["last"], 3)


def test_the_generators_compute_cyclegan_s():
    x = np.asarray(hiding.joined_picture(0, (2, 13, 10, 3), 1)).copy()
    x[..., 2] /= 3
    network = hiding.Joined(
        abdh.Generator(blocks=2, width=0.0625), lambda x: (x[..., :1], x[..., 1:2], x[..., 2:])
    )
    variables = plain.variables_of(network, x)
    inputs = x.astype(np.float64) * [1 / 127.5, 2, 1] - [1, 1, 0]
    y = generator(inputs, variables["params"]["generator"], 2)
    hiding.assert_returns(network, jnp.asarray(x), (np.tanh(y) + 1) / 2 * 255, variables, rtol=1e-3)

    stego = jnp.asarray(x[..., :1])
    network = abdh.Extractor(depth=2, blocks=1, width=0.0625)
    variables = plain.variables_of(network, stego)
    y = generator(np.asarray(stego, np.float64) / 127.5 - 1, variables["params"]["generator"], 1)
    hiding.assert_returns(network, stego, y, variables, rtol=1e-3)


def largest(x):
    """Maxima over 3x3 windows, of every other row and column of even sizes, from the first pixel
    on.
    """
    maxima = ndimage.maximum_filter(x, (1, 3, 3, 1), mode="constant", cval=-np.inf)
    return maxima[:, 1::2, 1::2]


def linear(n, new):
    """Rows of weights that take n samples to `new` by interpolation between their centres."""
    where = np.clip((np.arange(new) + 0.5) * n / new - 0.5, 0, n - 1)
    return np.maximum(0, 1 - np.abs(where[:, None] - np.arange(n)))


def test_the_attention_computes_resnet_s_beginning():
    x = plain.picture(1, (2, 16, 24, 1))
    network = abdh.Attention(width=0.0625)
    variables = plain.variables_of(network, x, gain=1.5)
    params, stats = variables["params"], variables["batch_stats"]

    def unit(y, at, name, stride=1):
        p, s = (params[at], stats[at]) if at else (params, stats)
        return plain.normalise(
            plain.convolve(y, p[name], stride=stride), p[f"{name}_norm"], s[f"{name}_norm"]
        )

    y = largest(plain.relu(unit(np.asarray(x, np.float64) / 127.5 - 1, None, "stem", stride=2)))
    for layer, blocks in ((1, 3), (2, 4)):
        for block in range(1, blocks + 1):
            at = f"layer{layer}_block{block}"
            z = plain.relu(unit(plain.relu(unit(y, at, "reduce")), at, "middle"))
            y = plain.relu(unit(z, at, "expand") + (unit(y, at, "shortcut") if block == 1 else y))
    assert y.shape == (2, 4, 6, 32)
    for i in (1, 2):
        y = plain.relu(instance_norm(plain.convolve(y, params[f"mask{i}"])))
    y = hiding.sigmoid(plain.convolve(y, params["output"]))
    hiding.assert_returns(
        network,
        x,
        np.einsum("ih,bhwc,jw->bijc", linear(4, 16), y, linear(6, 24)),
        variables,
        rtol=1e-3,
    )


def test_the_steganalyzer_computes_patchgan_s():
    x = plain.picture(2, (2, 26, 25, 1))
    network = abdh.Steganalyzer(width=0.0625)
    params = plain.variables_of(network, x)["params"]

    def halved(y, name):
        return valid(y, params[name], 1, "constant")[:, ::2, ::2]

    y = hiding.leaky(halved(np.asarray(x, np.float64) / 127.5 - 1, "conv1"), 0.2)
    for name in ("conv2", "conv3"):
        y = hiding.leaky(instance_norm(halved(y, name)), 0.2)
    y = hiding.leaky(instance_norm(valid(y, params["conv4"], 1, "constant")), 0.2)
    y = valid(y, params["output"], 1, "constant").mean(axis=(1, 2))
    hiding.assert_returns(network, x, y, {"params": params}, rtol=1e-3)


def test_statistics_are_averaged_over_devices():
    plain.assert_statistics_are_averaged(
        lambda axis: abdh.Attention(width=0.0625, axis_name=axis),
        plain.picture(3, (4, 16, 16, 1)),
        rtol=1e-2,
        atol=2e-2,
    )


def test_gradients_are_finite_at_the_corners():
    network = hiding.Joined(
        abdh.Generator(blocks=1, width=0.0625), lambda x: (x[..., :1], x[..., 1:2], x[..., 2:])
    )
    plain.assert_gradients_are_finite(network, (1, 8, 8, 3))
    plain.assert_gradients_are_finite(abdh.Steganalyzer(width=0.0625), (1, 24, 24, 1))


def test_what_does_not_fit_is_refused():
    def init(network, *inputs):
        return jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, train=False))

    cover = jnp.zeros((1, 8, 9, 1))
    with pytest.raises(ValueError, match="abdh.Generator: the message must be"):
        init(abdh.Generator(), cover, cover[:, :7], cover)
    with pytest.raises(ValueError, match="abdh.Generator: the masks must be"):
        init(abdh.Generator(), cover, cover, cover[:, :, :8])
    for network in (abdh.Attention(), abdh.Extractor()):
        with pytest.raises(InputError, match="at least 8x8 pixels, 9x7 was given"):
            init(network, cover[:, :7])
        with pytest.raises(ValueError, match="float32 array .* uint8"):
            init(network, cover.astype(jnp.uint8))
    with pytest.raises(InputError, match="at least 8x8 pixels"):
        init(abdh.Generator(), cover[:, :7], cover[:, :7], cover[:, :7])
    with pytest.raises(InputError, match="at least 24x24 pixels, 24x23 was given"):
        init(abdh.Steganalyzer(), jnp.zeros((1, 23, 24, 1)))
    init(abdh.Steganalyzer(), jnp.zeros((1, 24, 24, 1)))
