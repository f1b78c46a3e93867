"""LSB matching against what its definition says, element by element."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stegojax.coding import lsbm
from stegojax.errors import InputError

embed = functools.partial(lsbm.embed, lowest=0, highest=255)


def test_every_wrong_bit_is_put_right_by_one_and_nothing_else_moves():
    rng = np.random.default_rng(0)
    cover, message = rng.integers(0, 256, (3, 2000)), rng.integers(0, 2, (3, 1500)).astype(np.uint8)
    stego = np.asarray(embed(jax.random.key(1), cover.astype(np.uint8), message)).astype(int)
    assert stego.dtype == int and stego.min() >= 0 and stego.max() <= 255
    np.testing.assert_array_equal(stego[:, 1500:], cover[:, 1500:])
    np.testing.assert_array_equal(abs(stego - cover)[:, :1500], (cover[:, :1500] & 1) != message)
    np.testing.assert_array_equal(lsbm.extract(stego, message_length=1500), message)


def test_values_at_the_ends_of_the_range_move_inwards():
    cover, message = jnp.array([0, 255, 0, 255], jnp.uint8), jnp.array([1, 0, 0, 1], jnp.uint8)
    np.testing.assert_array_equal(embed(jax.random.key(0), cover, message), [1, 254, 0, 255])
    cover = jnp.tile(jnp.array([-8, 7], jnp.int16), 20)
    stego = lsbm.embed(jax.random.key(0), cover, 1 - (cover & 1), lowest=-8, highest=7)
    np.testing.assert_array_equal(stego, np.tile([-7, 6], 20))


def test_both_directions_are_equally_likely_and_the_change_rate_is_one_half():
    cover = jnp.full(40_000, 100, jnp.uint8)
    message = jax.random.bernoulli(jax.random.key(2), 0.5, (40_000,)).astype(jnp.uint8)
    step = np.asarray(embed(jax.random.key(3), cover, message)).astype(int) - 100
    # Four standard deviations.
    assert abs((step != 0).mean() - 0.5) < 4 * 0.0025
    assert abs((step == 1).sum() - (step == -1).sum()) < 4 * np.sqrt(20_000)


def test_float_covers_keep_their_type_and_jit_changes_nothing():
    cover = jnp.arange(256, dtype=jnp.float32)
    message = jnp.ones(256, jnp.uint8)
    stego = embed(jax.random.key(4), cover, message)
    assert stego.dtype == jnp.float32
    np.testing.assert_array_equal(stego, jax.jit(embed)(jax.random.key(4), cover, message))
    np.testing.assert_array_equal(
        jax.jit(lsbm.extract, static_argnames="message_length")(stego, message_length=256), message
    )


def test_no_bits_leave_the_cover_and_too_many_say_how_many_would_fit():
    cover = jnp.arange(10, dtype=jnp.uint8)
    np.testing.assert_array_equal(embed(jax.random.key(0), cover, jnp.zeros(0, jnp.uint8)), cover)
    with pytest.raises(InputError, match="at most 10"):
        embed(jax.random.key(0), cover, jnp.zeros(11, jnp.uint8))
    with pytest.raises(InputError, match="at most 10"):
        lsbm.extract(cover, message_length=11)
