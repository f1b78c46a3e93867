"""A method small enough to train in a test: one gain per network, learned on the embedded
photographs.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from stegojax import optimizers, parallel
from stegojax.methods import network
from stegojax.types import Method, Stage, State


class Gain(nn.Module):
    """Normalises the batch and multiplies by one learned number."""

    @nn.compact
    def __call__(self, x, *, train):
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9, axis_name=parallel.AXIS)(
            x / 255.0
        )
        return x * self.param("gain", nn.initializers.constant(0.5), ())


def make(*, steps_per_epoch=1, learning_rate=0.1, bad_step=-1, noise=1.0, stages=(), traces=None):
    """Learns a gain that turns the cover into the secret, with noise per example; at `bad_step` the
    loss becomes NaN.
    """
    module = Gain()
    optimizer = optimizers.make(
        "adam", learning_rate=learning_rate, steps_per_epoch=steps_per_epoch
    )

    def init(key, batch):
        params, stats = network.initialise(key, module, batch["cover"])
        return State(
            jnp.int32(0), {"gain": params}, {"gain": stats}, {"gain": optimizer.init(params)}
        )

    def train_step(state, batch, key):
        if traces is not None:
            traces.append(1)
        keys = parallel.example_keys(key, batch["cover"].shape[0])
        shape = batch["secret"].shape[1:]
        random = noise * jax.vmap(lambda key: jax.random.normal(key, shape))(keys)

        def loss_fn(params):
            out, stats = network.apply_training(
                module, params, state.batch_stats["gain"], batch["cover"]
            )
            return jnp.mean((out - (batch["secret"] + random) / 255.0) ** 2), stats

        (loss, stats), gradients = jax.value_and_grad(loss_fn, has_aux=True)(state.params["gain"])
        params, opt_state, norm = network.descend(
            optimizer, gradients, state.opt_state["gain"], state.params["gain"]
        )
        loss = jnp.where(state.step + 1 == bad_step, jnp.nan, loss)
        return (
            State(
                state.step + 1,
                {**state.params, "gain": params},
                {"gain": stats},
                {"gain": opt_state},
            ),
            parallel.mean({"loss": loss, "gradient_norm": norm}),
        )

    def predict(state, batch, key):
        out = network.apply(module, state.params["gain"], state.batch_stats["gain"], batch["cover"])
        return {"stego": jnp.clip(jnp.round(255.0 * out), 0, 255)}

    def measure(batch, outputs):
        return {"error": jnp.mean(jnp.abs(outputs["stego"] - batch["secret"]), axis=(1, 2, 3))}

    listed = ()
    if stages:

        def begin_frozen(state, key):
            return state._replace(params={**state.params, "copy": state.params["gain"]})

        listed = (
            Stage("joint", stages[0], train_step),
            Stage("second", stages[1], train_step, begin_frozen),
        )
    return Method(init, train_step, predict, measure, stages=listed)


def config(**changes) -> ConfigDict:
    """A short run on 16x16 crops; keyword arguments are set on top, with `__` between section and
    field.
    """
    c = ConfigDict(
        dict(
            seed=3,
            batch_size=4,
            epochs=0.0,
            steps=6,
            log_every=1,
            method=dict(name="toy"),
            data=dict(
                kind="pairs",
                source="embedded",
                secret_source="",
                data_dir="",
                preprocess=(),
                crop=16,
            ),
            loader=dict(workers=0, threads=1, prefetch=2),
            evaluation=dict(every=3, crop=0, batches=2),
            report=dict(batches=2),
            checkpoint=dict(every=2, keep=2, milestones=0),
        )
    )
    for name, value in changes.items():
        section, _, field = name.rpartition("__")
        (c[section] if section else c)[field] = value
    return c
