"""A run of sentences without networks: a rule that a person can read from the picture."""

import types

import jax.numpy as jnp

from stegojax import run
from stegojax.data import tokenizer
from stegojax.hiders import sentences

WORDS = ("the", "cat", "sees", "my", "old", "dog", ".")
VOCABULARY = tokenizer.Vocabulary((*tokenizer.SPECIAL, *WORDS))
ROW = 8
SIZES = dict(state=256, size=64)


def rule(state, batch, key):
    """Word numbers times 8 plus a shift by the key in the first pixels; the rest follows from key
    and noise.
    """
    shift = (batch["order"][:, :ROW] % 7).astype(jnp.float32)

    def read(stego):
        return {"read_ids": jnp.round((stego[:, 0, :ROW, 0] - shift) / 8).astype(jnp.int32)}

    if "stego" in batch:
        return read(batch["stego"])
    noise, ids = batch["noise"][:, 0, :64], batch["ids"]
    picture = jnp.clip(jnp.round(128 + 20 * noise + (batch["order"][:, :64] % 41 - 20)), 0, 255)
    picture = jnp.broadcast_to(picture[:, None, :, None], (len(ids), 64, 64, 3))
    garbled = ids.at[:, 1].add((noise[:, 0] > state).astype(jnp.int32))
    picture = picture.at[:, 0, :ROW, 0].set(8.0 * garbled + shift)
    return {"stego": picture, **read(picture)}


def stub(threshold=0.0, **method):
    config = types.SimpleNamespace(
        data=types.SimpleNamespace(kind="sentences"),
        method=types.SimpleNamespace(keyed="scramble", noise=0.1, length=ROW, **SIZES, **method),
    )
    return sentences.Sender(
        run.Loaded(config, types.SimpleNamespace(predict=rule), jnp.float32(threshold), 1),
        VOCABULARY,
    )
