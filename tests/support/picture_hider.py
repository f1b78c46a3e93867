"""A run that hides pictures without networks: the lowest three bits of a cover's green say the
secret's highest.
"""

import jax.numpy as jnp
from ml_collections import ConfigDict

from stegojax import run
from stegojax.methods import picture_hiding
from stegojax.types import Method


def loaded():
    """The run."""

    def embed(state, cover, secret):
        green = 8 * jnp.floor(cover[..., 1:2] / 8) + jnp.floor(secret / 32)
        return jnp.concatenate([cover[..., :1], green, cover[..., 2:]], axis=-1)

    def reveal(state, stego):
        return 32 * (stego[..., 1:2] % 8) + 16

    predict = picture_hiding.predict_with(embed, reveal)
    method = Method(None, None, predict, picture_hiding.measure, receptive_radius=0)
    return run.Loaded(ConfigDict(dict(seed=0)), method, {}, 1)
