"""A system that hides bits with hardly any parameters, and how the tests of such systems run a
step.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from stegojax import losses, parallel
from stegojax.methods import bit_hiding, joint

SGD = optax.sgd(0.01)
ADAM = optax.adam(1e-2)

SECTION = dict(
    optimizer=dict(name="adam", learning_rate=1e-2),
    steganalyzer_optimizer=dict(name="adam", learning_rate=1e-2),
    image_decoder_optimizer=dict(name="adam", learning_rate=1e-2),
    message_weight=1.0,
    cover_weight=1.0,
    stage_lengths=(0, 6, 4),
)
"""What a config says of the training of such systems."""


class Layer(nn.Module):
    """A matrix over the channels and batch normalisation."""

    features: int

    @nn.compact
    def __call__(self, *inputs, train):
        x = nn.Dense(self.features)(jnp.concatenate([inputs[0] / 255.0, *inputs[1:]], axis=-1))
        return nn.BatchNorm(use_running_average=not train, momentum=0.9, axis_name=parallel.AXIS)(x)


class Means(nn.Module):
    """The mean of a matrix over the channels."""

    @nn.compact
    def __call__(self, pictures, *, train):
        return jnp.tanh(nn.Dense(1)(pictures / 255.0)).mean(axis=(1, 2))


def system(**changes) -> joint.System:
    """One bit per grey pixel, and one steganalyzer."""
    given = dict(
        shape=bit_hiding.MessageShape(1, 1),
        encoder=Layer(1),
        decoder=Layer(1),
        message_loss=losses.bit_cross_entropy,
        cover_loss=joint.squared_error(1.0),
        steganalyzers={"steganalyzer": joint.classifier(Means(), 2.0)},
        stego=lambda cover, output: cover + 3.0 * output,
    )
    return joint.System(**{**given, **changes})


JOINT = joint.Lengths(0, 6, 0)
"""The joint stage alone."""


def training(**changes) -> joint.Training:
    """Three short stages of gradient descent."""
    given = joint.Training(joint.Lengths(4, 6, 5), SGD, SGD, SGD, 10.0, 0.5)
    return given._replace(**changes)


def make(changed=None, **options):
    """The training of that system."""
    return joint.make(changed or system(), training(**options))


def covers(count=4, size=8, channels=1, seed=0):
    """Smooth pictures with noise, a batch."""
    generator = np.random.default_rng(seed)
    smooth = (
        generator.uniform(40, 215, (count, size // 4, size // 4, channels))
        .repeat(4, 1)
        .repeat(4, 2)
    )
    return {
        "cover": np.clip(smooth + generator.normal(0, 4, smooth.shape), 0, 255).astype(np.float32)
    }


def begin(made, batch, key=0):
    return jax.tree.map(
        np.asarray,
        jax.jit(made.init)(jax.random.key(key), jax.tree.map(lambda leaf: leaf[:1], batch)),
    )


def over(function, devices=1):
    """A step on so many devices, given and giving host arrays."""
    compiled = jax.pmap(
        function,
        axis_name=parallel.AXIS,
        in_axes=(None, 0, None),
        out_axes=None,
        devices=jax.local_devices()[:devices],
    )

    def step(state, batch, key):
        share = jax.tree.map(lambda leaf: leaf.reshape((devices, -1) + leaf.shape[1:]), batch)
        return jax.tree.map(np.asarray, compiled(state, share, key))

    return step


def run_steps(made, batch, count, *, state=None, devices=1, stage=None):
    """Steps of the method, or of one of its stages, from the beginning or from a state."""
    state = begin(made, batch) if state is None else state
    step, values = (
        over(made.train_step if stage is None else made.stages[stage].train_step, devices),
        {},
    )
    for index in range(count):
        state, values = step(state, batch, jax.random.fold_in(jax.random.key(1), index))
    return state, values


def same(left, right):
    """Whether two trees hold the same numbers."""
    return all(
        np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    )


def assert_near(left, right, **tolerances):
    for (path, a), b in zip(
        jax.tree.flatten_with_path(left)[0], jax.tree.leaves(right), strict=True
    ):
        np.testing.assert_allclose(a, b, err_msg=jax.tree_util.keystr(path), **tolerances)
