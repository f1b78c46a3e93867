"""Layers of generators and recurrent networks in plain NumPy and float64, and checks of networks
that judge by one number.
"""

import jax
import jax.numpy as jnp
import numpy as np


def draw(network, *inputs, seed=0, gain=1.0, **options):
    """Parameters and statistics drawn with NumPy: no bias, scale, mean or variance is left where it
    has no effect.

    Kernels are Xavier's times the gain: a larger one keeps the pictures of a deep thin generator
    apart.
    """
    rng = np.random.default_rng(seed)

    def one(path, leaf):
        noise = rng.uniform(-1, 1, leaf.shape).astype(np.float32)
        if path[-1].key == "kernel":
            return noise * np.float32(
                gain * np.sqrt(6 / (np.prod(leaf.shape[:-2]) * sum(leaf.shape[-2:])))
            )
        return 1 + 0.3 * np.abs(noise) if path[-1].key in ("var", "scale") else 0.3 * noise

    return jax.tree_util.tree_map_with_path(one, shapes(network, *inputs, **options))


def shapes(network, *inputs, **options):
    """Shapes of parameters and statistics; nothing is computed."""
    return jax.eval_shape(lambda: network.init(jax.random.key(0), *inputs, **options))


def count(network, *inputs, **options):
    """How many trainable parameters a network has."""
    return sum(leaf.size for leaf in jax.tree.leaves(shapes(network, *inputs, **options)["params"]))


def transposed_convolve(x, params):
    """Every input number is spread over a window of the output, two rows and columns further for
    each input's neighbour.
    """
    kernel = np.asarray(params["kernel"], np.float64)
    size, (height, width) = kernel.shape[0], x.shape[1:3]
    room = np.zeros((x.shape[0], 2 * height + 2 * size, 2 * width + 2 * size, kernel.shape[-1]))
    for i, j in np.ndindex(height, width):
        for a, b in np.ndindex(size, size):
            room[:, size + 2 * i - a, size + 2 * j - b] += x[:, i, j] @ kernel[a, b]
    # The output begins where the adjoint of a "SAME" convolution with stride 2 does.
    first = size - (size + 1) // 2
    return room[:, first : first + 2 * height, first : first + 2 * width] + np.asarray(
        params.get("bias", 0.0)
    )


def leaky_relu(x):
    """A fifth of what is below zero."""
    return np.where(x > 0, x, 0.2 * x)


def sigmoid(x):
    """The logistic function."""
    return 1 / (1 + np.exp(-x))


def max_pool(x, size):
    """Maxima over size x size windows, stride 1, with (size - 1) // 2 rows before that hold
    nothing.
    """
    before = (size - 1) // 2
    padded = np.pad(x, ((0, 0), (before, size), (before, size), (0, 0)), constant_values=-np.inf)
    height, width = x.shape[1:3]
    return np.max(
        [padded[:, i : i + height, j : j + width] for i, j in np.ndindex(size, size)], axis=0
    )


def lstm_step(params, cell, output, x):
    """One step of a long short-term memory (Hochreiter and Schmidhuber 1997, with a forget
    gate).
    """
    gate = {}
    for name in "ifgo":
        recurrent = {
            key: np.asarray(value, np.float64) for key, value in params[f"h{name}"].items()
        }
        gate[name] = (
            x @ np.asarray(params[f"i{name}"]["kernel"], np.float64)
            + output @ recurrent["kernel"]
            + recurrent["bias"]
        )
    cell = sigmoid(gate["f"]) * cell + sigmoid(gate["i"]) * np.tanh(gate["g"])
    return cell, sigmoid(gate["o"]) * np.tanh(cell)


def assert_gradients_are_finite(network, variables, inputs, **options):
    """Gradients by inputs and parameters are finite, and inputs have some."""

    @jax.jit
    def gradients(params, inputs):
        def loss(params, inputs):
            result = network.apply(
                {**variables, "params": params}, *inputs, mutable="batch_stats", **options
            )[0]
            return jnp.mean(result**2) + result.mean()

        return jax.grad(loss, argnums=(0, 1))(params, inputs)

    by_params, by_inputs = gradients(variables["params"], inputs)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((by_params, by_inputs)))
    return by_params, by_inputs
