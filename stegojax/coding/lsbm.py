"""LSB matching: message bits in the lowest bits of values, each wrong one put right by +1 or -1 at
random (Ker, IEEE SPL 2005).

Values: whole numbers in the key's order, `[..., N]`; bits are uint8 {0, 1}. The first M elements
carry the message.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from stegojax.coding.parity_check import AnyArray
from stegojax.errors import InputError
from stegojax.types import Array, Key


def _check(length: int, message_length: int) -> None:
    if not 0 <= message_length <= length:
        raise InputError(
            f"{message_length} bits do not fit in {length} elements: at most {length} bits would "
            "fit"
        )


def embed(key: Key, cover_N: Array, message_M: Array, *, lowest: int, highest: int) -> Array:
    """Puts a message in the lowest bits by changes of +-1 (Ker 2005, Sec. I).

    Args:
      key: decides between +1 and -1.
      cover_N: `[..., N]` whole values from `lowest` to `highest`.
      message_M: `[..., M]` bits, one per element.
      lowest: the smallest value that an element can have.
      highest: the largest.

    Returns:
      The stego values, shape and dtype of the cover. A change goes up at `lowest` and down at
      `highest`; elsewhere either way is as likely.

    Raises:
      InputError: if the message is longer than the cover.
    """
    cover, message = jnp.asarray(cover_N), jnp.asarray(message_M)
    length = message.shape[-1]
    _check(cover.shape[-1], length)
    values = cover[..., :length].astype(jnp.int32)
    up = jax.random.bernoulli(key, 0.5, values.shape)
    step = jnp.where((values == lowest) | (up & (values < highest)), 1, -1)
    carrying = values + jnp.where(values & 1 != message.astype(jnp.int32), step, 0)
    return jnp.concatenate([carrying.astype(cover.dtype), cover[..., length:]], axis=-1)


def extract(stego_N: AnyArray, *, message_length: int) -> AnyArray:
    """Reads the message that `embed` put in.

    Args:
      stego_N: `[..., N]` whole values.
      message_length: number of message bits M.

    Returns:
      `[..., M]` uint8 bits.

    Raises:
      InputError: if the message is longer than the vector.
    """
    _check(stego_N.shape[-1], message_length)
    return (stego_N[..., :message_length].astype("int32") & 1).astype("uint8")
