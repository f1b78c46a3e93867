"""A method that hides bits without training: three bits of grey levels say one, and reading them is
as noisy as asked for.
"""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from stegojax import methods, run
from stegojax.methods import bit_hiding
from stegojax.types import Method, State

GAIN = 7.0


def shape(*, channels=1, depth=1, length=0, noise=1.0):
    return bit_hiding.MessageShape(channels, depth, length)


def make(*, channels=1, depth=1, length=0, noise=1.0):
    """Grey levels 2 and 6 of every eight say 0 and 1; noise that depends on place and level is
    logistic with scale `noise`.
    """

    def embed(state, cover, message):
        if not depth:
            flat = cover.reshape(len(cover), -1)
            said = jnp.concatenate(
                [8 * jnp.floor(flat[:, :length] / 8) + 2 + 4 * message, flat[:, length:]], axis=1
            )
            return said.reshape(cover.shape)
        said = 8 * jnp.floor(cover[..., :depth] / 8) + 2 + 4 * message
        return jnp.concatenate([said, cover[..., depth:]], axis=-1)

    def read(state, stego):
        levels = stego[..., :depth] if depth else stego.reshape(len(stego), -1)[:, :length]
        place = jnp.arange(levels[0].size, dtype=jnp.uint32).reshape(levels.shape[1:])[None]
        words = (place * jnp.uint32(2654435761)) ^ (
            levels.astype(jnp.uint32) * jnp.uint32(40503) + jnp.uint32(77)
        )
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            words = (words ^ (words >> shift)) * jnp.uint32(factor)
        share = ((words ^ (words >> 16)) >> 8).astype(jnp.float32) / 2.0**24 * 0.999998 + 1e-6
        gain = state.params["decoder"]["gain"]
        return gain * (levels % 8 - 4 + noise * jnp.log(share / (1 - share)))

    def init(key, batch):
        return State(jnp.int32(0), {"decoder": {"gain": jnp.float32(GAIN)}}, {"decoder": {}}, {})

    return Method(
        init,
        lambda state, batch, key: (state, {"loss": jnp.float32(0)}),
        bit_hiding.predict_with(embed, read, shape(channels=channels, depth=depth, length=length)),
        bit_hiding.measure,
    )


def config(**method):
    channels = method.get("channels", 1)
    return ConfigDict(
        dict(
            seed=3,
            batch_size=4,
            epochs=0.0,
            steps=1,
            log_every=1,
            method=dict(name="noisy_bits", **method),
            data=dict(
                kind="pictures",
                source="embedded",
                data_dir="",
                preprocess=(),
                augment=(),
                crop=16,
                colour=channels == 3,
                crops_per_photo=1,
            ),
            loader=dict(workers=0, threads=1, prefetch=2),
            evaluation=dict(every=1, crop=0, batches=1, refresh_batches=0),
            report=dict(batches=1, bits=dict(photographs=1, cross_source="")),
            checkpoint=dict(every=1, keep=1, milestones=0),
        )
    )


@contextlib.contextmanager
def registered():
    """The method under its name in the registry."""
    with pytest.MonkeyPatch.context() as patch:
        entry = methods.Entry(
            lambda section, *, steps_per_epoch, load=None: make(**section),
            use="bits",
            message=lambda section: shape(**section),
            reports=("quality", "bits", "security"),
        )
        patch.setitem(methods.METHODS, "noisy_bits", entry)
        yield


def loaded(**method):
    """A run whose state is that where training would begin."""
    settings = config(**method)
    made = run.method(settings)
    state = jax.tree.map(np.asarray, made.init(jax.random.key(0), run.example(settings)))
    return run.Loaded(settings, made, state, 1)
