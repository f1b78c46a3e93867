"""Networks and a cost that compile in a second, in the place of real ones."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from stegojax import embed, parallel
from stegojax.models import layers
from stegojax.types import Costs


class Steganalyzer(nn.Module):
    """Differences of neighbours, normalised, squared and averaged, to two logits."""

    width: float = 1.0
    axis_name: str | None = parallel.AXIS

    @nn.compact
    def __call__(self, planes, *, train):
        x = layers.conv(4, 3, name="conv")((planes - jnp.roll(planes, 1, axis=2)) / 16)
        x = layers.batch_norm(train=train, axis_name=self.axis_name, name="norm")(x)
        return nn.Dense(2, name="full")(jnp.mean(jnp.tanh(x) * x, axis=(1, 2)))


class Linear(nn.Module):
    """Logits 0 and a multiple of the planes' sum, weighed by a pattern; without BatchNorm."""

    @nn.compact
    def __call__(self, planes, *, train):
        pattern = jnp.asarray([1.0, -2.0])[None, None, :, None]
        weights = jnp.tile(pattern, (1, 1, planes.shape[2] // 2, 1))
        gain = self.param("gain", nn.initializers.constant(0.01), ())
        logit = gain * jnp.sum(planes * weights, axis=(1, 2, 3))
        return jnp.stack([jnp.zeros_like(logit), logit], axis=-1)


class Generator(nn.Module):
    """Every pixel's maps, scaled, to one or two probabilities under 1/3; normalised once."""

    branches: int = 2
    bias: float = -2.4
    axis_name: str | None = parallel.AXIS

    @nn.compact
    def __call__(self, maps, *, train):
        x = layers.batch_norm(train=train, axis_name=self.axis_name, name="norm")(maps)
        bias = nn.initializers.constant(self.bias)
        x = nn.Dense(self.branches, bias_init=bias, name="full")(x)
        return nn.sigmoid(x) / 3


def rough_cost(plane):
    """A cost by the horizontal difference."""
    rho = 100 / (1 + jnp.abs(plane - jnp.roll(plane, 1, axis=-1)))
    return Costs(rho, rho)


ROUGH = embed.Scheme("rough", rough_cost, embed.RECIPES["plain"])


def covers(count=4, size=(32, 32), seed=0):
    """Rough pictures with some saturated pixels, `[B, H, W, 1]`."""
    rng = np.random.default_rng(seed)
    blocks = (count, size[0] // 4 + 1, size[1] // 4 + 1)
    smooth = rng.uniform(-30, 285, blocks).repeat(4, 1).repeat(4, 2)[:, : size[0], : size[1]]
    noisy = smooth + rng.normal(0, 6, (count, *size))
    return np.clip(np.round(noisy), 0, 255).astype(np.float32)[..., None]


def run_steps(train_step, state, batch, count, *, devices=1):
    """Some train steps over some devices; the state and every step's metrics, as numbers."""
    step = _over(train_step, devices)
    share = jax.tree.map(lambda leaf: leaf.reshape((devices, -1) + leaf.shape[1:]), batch)
    history = []
    for index in range(count):
        key = jax.random.fold_in(jax.random.key(1), index)
        state, values = step(jax.tree.map(np.asarray, state), share, key)
        history.append({name: float(value) for name, value in values.items()})
    return jax.tree.map(np.asarray, state), history


@functools.lru_cache(maxsize=1)
def _over(train_step, devices):
    return jax.pmap(
        train_step,
        axis_name=parallel.AXIS,
        in_axes=(None, 0, None),
        out_axes=(None, None),
        devices=jax.local_devices()[:devices],
    )


def differs(a, b):
    """Whether two trees of arrays differ anywhere."""
    return any(
        not np.array_equal(x, y)
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )
