"""Layers of networks in plain NumPy and float64, and what every steganalyzer's tests do with
them.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stegojax.errors import InputError


def picture(seed, shape, *, levels=256):
    """Grey levels without structure; the second picture has a quarter of the first's contrast, and
    so on.
    """
    contrast = 4.0 ** -(np.arange(shape[0]) % 4).reshape(-1, *[1] * (len(shape) - 1))
    return jnp.asarray(
        np.floor(np.random.default_rng(seed).integers(0, levels, shape) * contrast), jnp.float32
    )


def shapes_of(network, x):
    """Shapes of parameters and statistics; nothing is computed."""
    return jax.eval_shape(lambda: network.init(jax.random.key(0), jnp.zeros(x.shape), train=False))


def count(network, *shape):
    """How many trainable parameters a network has for pictures of a shape."""
    return sum(leaf.size for leaf in jax.tree.leaves(shapes_of(network, np.empty(shape))["params"]))


def outputs_of(network, *shape):
    """Shape of what each of a network's parts returns for pictures of a shape; its own logits are
    under "network".
    """

    def run(variables, x):
        return network.apply(
            variables, x, train=False, capture_intermediates=lambda module, _: len(module.path) < 2
        )

    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    logits, outputs = jax.eval_shape(run, shapes_of(network, x), x)
    parts = {
        name: value["__call__"][0].shape
        for name, value in outputs["intermediates"].items()
        if name != "__call__"
    }
    return {**parts, "network": logits.shape}


def initialise(network, *shape):
    """Parameters and statistics as the network begins."""
    return jax.jit(lambda key: network.init(key, jnp.zeros(shape), train=False))(jax.random.key(0))


def variables_of(network, x, *, seed=0, gain=1.0):
    """Parameters and statistics drawn with NumPy: no layer's bias, scale, mean or variance is left
    where it has no effect.

    Kernels are Xavier's times the gain: a larger one keeps a deep thin network's logits of
    different pictures apart.
    """
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
        noise = rng.uniform(-1, 1, leaf.shape).astype(np.float32)
        if path[-1].key == "kernel":
            return noise * np.float32(
                gain * np.sqrt(6 / (np.prod(leaf.shape[:-2]) * sum(leaf.shape[-2:])))
            )
        return 1 + 0.3 * np.abs(noise) if path[-1].key in ("var", "scale") else 0.3 * noise

    return jax.tree_util.tree_map_with_path(draw, shapes_of(network, x))


def _before(n, size, stride):
    return max((-(-n // stride) - 1) * stride + size - n, 0) // 2


def convolve(x, params, *, stride=1, padding="SAME"):
    """Cross-correlation with a kernel [h, w, C, D] or [C, D], plus the bias where there is one."""
    kernel = np.asarray(params["kernel"], np.float64)
    kernel = kernel[None, None] if kernel.ndim == 2 else kernel
    size, (height, width) = kernel.shape[0], x.shape[1:3]
    if padding == "SAME":
        rows, columns = -(-height // stride), -(-width // stride)
        top, left = _before(height, size, stride), _before(width, size, stride)
        x = np.pad(x, ((0, 0), (top, size), (left, size), (0, 0)))
    else:
        rows, columns = (height - size) // stride + 1, (width - size) // stride + 1
    y = np.zeros((x.shape[0], rows, columns, kernel.shape[-1])) + np.asarray(
        params.get("bias", 0.0)
    )
    for i, j in np.ndindex(size, size):
        y += (
            x[:, i : i + stride * rows : stride, j : j + stride * columns : stride][
                :, :rows, :columns
            ]
            @ kernel[i, j]
        )
    return y


def normalise(x, params, stats):
    """Batch normalisation with given statistics."""
    y = (x - np.asarray(stats["mean"])) / np.sqrt(np.asarray(stats["var"]) + 1e-5)
    return y * np.asarray(params["scale"]) + np.asarray(params["bias"])


def relu(x):
    """Nothing below zero."""
    return np.maximum(x, 0)


def dense(x, params):
    """A fully connected layer."""
    return x @ np.asarray(params["kernel"], np.float64) + np.asarray(params["bias"])


def mean_inside(x, size, stride):
    """Means over windows, centred as TensorFlow's SAME, of the pixels inside the map."""
    height, width = x.shape[1:3]
    y = np.empty((x.shape[0], -(-height // stride), -(-width // stride), x.shape[3]))
    for i, j in np.ndindex(*y.shape[1:3]):
        top, left = (
            stride * i - _before(height, size, stride),
            stride * j - _before(width, size, stride),
        )
        y[:, i, j] = x[:, max(top, 0) : top + size, max(left, 0) : left + size].mean(axis=(1, 2))
    return y


def mean_counted(x, size, stride, padding=0):
    """Means over whole windows of the map with zeros around it."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    tops, lefts = (range(0, n - size + 1, stride) for n in x.shape[1:3])
    return np.stack(
        [
            np.stack(
                [x[:, i : i + size, j : j + size].sum(axis=(1, 2)) / size**2 for j in lefts], axis=1
            )
            for i in tops
        ],
        axis=1,
    )


def bank(x, kernels, padding="SAME"):
    """The responses of one-channel pictures to [K, 5, 5] kernels."""
    return convolve(
        np.asarray(x, np.float64),
        {"kernel": np.asarray(kernels).transpose(1, 2, 0)[:, :, None]},
        padding=padding,
    )


def assert_computes(network, x, expected, variables):
    """With running statistics the network's logits are the expected ones, within a hundredth of how
    pictures differ in them.
    """
    actual = jax.jit(lambda v, x: network.apply(v, x, train=False))(variables, x)
    apart = np.ptp(expected, axis=0).min()
    assert actual.dtype == jnp.float32 and apart > 1e-3 * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=apart / 100)


def assert_statistics_are_averaged(make, x, *, rtol=2e-3, atol=1e-3):
    """Training on two devices gives the logits and statistics of training on one, and other logits
    than running statistics.
    """
    variables = variables_of(make(None), x)

    def apply(axis_name, x):
        return make(axis_name).apply(variables, x, train=True, mutable="batch_stats")

    whole, whole_stats = jax.jit(lambda x: apply(None, x))(x)
    parts, stats = jax.pmap(lambda x: apply("devices", x), axis_name="devices")(
        x.reshape(2, -1, *x.shape[1:])
    )
    np.testing.assert_allclose(parts.reshape(whole.shape), whole, rtol=rtol, atol=atol)
    assert len(jax.tree.leaves(stats)) == len(jax.tree.leaves(variables["batch_stats"])) > 0
    for part, expected, start in zip(
        jax.tree.leaves(stats),
        jax.tree.leaves(whole_stats),
        jax.tree.leaves(variables["batch_stats"]),
        strict=True,
    ):
        np.testing.assert_allclose(part, np.stack([expected] * 2), rtol=rtol, atol=atol)
        assert not np.allclose(expected, start)
    fixed = jax.jit(lambda x: make(None).apply(variables, x, train=False))(x)
    assert not np.allclose(fixed, whole, rtol=1e-2)


def assert_gradients_are_finite(network, shape):
    """Gradients by pixels and parameters at flat, saturated and nearly flat pictures, with
    parameters that all
    have an effect, and with those of a network that has not been trained."""
    flat = jnp.zeros(shape, jnp.float32)
    lone = flat.at[:, shape[1] // 2, shape[2] // 2].set(1.0)
    half = flat.at[:, : shape[1] // 2].set(255.0)
    batch = jnp.concatenate([flat, flat + 128, flat + 255, lone, half, half + lone])

    @jax.jit
    def gradients(variables, planes):
        def loss(params, planes, train):
            logits = network.apply(
                {**variables, "params": params}, planes, train=train, mutable="batch_stats"
            )[0]
            return -jax.nn.log_softmax(logits)[:, -1].mean() + logits.mean()

        return [
            jax.grad(loss, argnums=(0, 1))(variables["params"], planes, train)
            for train in (False, True)
        ]

    drawn = variables_of(network, flat)
    begin = {
        "scale": jnp.ones_like,
        "var": jnp.ones_like,
        "bias": jnp.zeros_like,
        "mean": jnp.zeros_like,
    }
    initialised = jax.tree_util.tree_map_with_path(
        lambda path, leaf: begin.get(path[-1].key, jnp.asarray)(leaf), drawn
    )
    for variables in (drawn, initialised):
        for planes in (
            batch,
            jnp.concatenate([flat] * len(batch)),
            batch + picture(9, batch.shape),
        ):
            for tree in gradients(variables, planes):
                assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree))
    assert np.abs(gradients(drawn, picture(9, batch.shape))[0][1]).max() > 0


def assert_refuses(network, smallest, channels=1):
    """Pictures of another rank, type, number of channels or too few pixels are refused; the
    smallest is judged.
    """

    def init(*shape, dtype=jnp.float32):
        return jax.eval_shape(
            lambda: network.init(jax.random.key(0), jnp.zeros(shape, dtype), train=False)
        )

    with pytest.raises(ValueError, match=rf"\(1, {smallest}, {smallest}\) was given"):
        init(1, smallest, smallest)
    with pytest.raises(ValueError, match="float32 array .* uint8"):
        init(1, smallest, smallest, channels, dtype=jnp.uint8)
    if channels == 1:
        with pytest.raises(
            ValueError, match=r"\[B, H, W, 1\] in 0..255, float32 \(1, \d+, \d+, 3\) was given"
        ):
            init(1, smallest, smallest, 3)
    message = f"at least {smallest}x{smallest} pixels, {smallest + 9}x{smallest - 1} was given"
    with pytest.raises(InputError, match=message):
        init(1, smallest - 1, smallest + 9, channels)
    assert outputs_of(network, 1, smallest, smallest, channels)["network"] == (1, 2)
