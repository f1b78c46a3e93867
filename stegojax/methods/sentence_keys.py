"""What a key is to a run of sentences: arrays that follow from it alone (Seq2Seq-GAN).

keys    those of `secret.derive` with the salt `SALT`
order   of the state's numbers: the order that the key "order" stands for
signs   of the state's numbers: 1 or -1 for the bits 0 and 1 of the stream of "signs"
secret  normal numbers from the stream of "header"
noise   normal numbers from the stream of "check", one array after the other
normal  numbers from a stream: of every two 32-bit words a and b, little-endian, the Box-Muller
        pair sqrt(-2 log((a + 1) / 2^32)) times cos and sin of 2 pi b / 2^32
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import numpy as np

from stegojax import secret
from stegojax.errors import InputError
from stegojax.methods import seq2seq_gan
from stegojax.models import seq2seq_gan as models

NOISES = 128
"""How many pictures a sentence has under one key, and so how often the sender tries."""

SALT = hashlib.sha256(b"stegojax 1 sentences").digest()[: secret.SALT_BYTES]


class Material(NamedTuple):
    """What a key is to a run.

    arrays: what the networks take, by the names in `seq2seq_gan.KEYINGS[...].arrays`, one row each.
    noise:  `[NOISES, 2, S]`, standard normal, S numbers in each vector of a state.
    """

    arrays: dict[str, np.ndarray]
    noise: np.ndarray


def material(shared: secret.Secret | None, keyed: str, *, state: int = models.STATE) -> Material:
    """The arrays that follow from a key (format: see the module).

    Args:
      shared: the key; None where `keyed` is "none", whose noise is then everybody's.
      keyed: how the key takes part, a name in `seq2seq_gan.KEYINGS`.
      state: numbers in each of the two vectors of the run's states.

    Returns:
      The arrays.

    Raises:
      InputError: there is a key and none is used, or the other way round.
    """
    if (shared is None) != (keyed == "none"):
        raise InputError(
            "the run uses no key; leave out --password-file and --key-file"
            if shared is not None
            else "the run needs a key; give --key-file or --password-file"
        )
    keys = secret.derive(shared or secret.key_file(secret.PUBLIC_KEY), SALT)
    size = 2 * state
    bits = secret.to_bits(secret.keystream(keys.signs, size // 8))
    everything = {
        "order": secret.order(keys.order, size)[None],
        "signs": (1.0 - 2.0 * bits).astype(np.float32)[None],
        "secret": _normal(keys.header, models.SECRET)[None],
    }
    noise = _normal(keys.check, NOISES * size).reshape(NOISES, 2, state)
    return Material({name: everything[name] for name in seq2seq_gan.KEYINGS[keyed].arrays}, noise)


def _normal(key: bytes, count: int) -> np.ndarray:
    """`[count]` float32, count even."""
    words = np.frombuffer(secret.keystream(key, 4 * count), "<u4").reshape(-1, 2).astype(np.float64)
    radius, angle = (
        np.sqrt(-2.0 * np.log((words[:, 0] + 1.0) / 2.0**32)),
        2.0 * np.pi * words[:, 1] / 2.0**32,
    )
    return (
        (radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1))
        .reshape(-1)
        .astype(np.float32)
    )
