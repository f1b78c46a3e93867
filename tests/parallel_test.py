"""Devices: sharding and gathering, keys per example, averages, donated buffers, and what is
refused.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stegojax import parallel
from stegojax.errors import InputError
from stegojax.models import layers


def test_a_batch_survives_the_way_to_the_devices_and_back():
    batch = {"cover": np.arange(8 * 2 * 3.0).reshape(8, 2, 3)}
    sharded = parallel.shard(batch)
    assert sharded["cover"].shape == (4, 2, 2, 3)
    assert {shard.device for shard in sharded["cover"].addressable_shards} == set(
        jax.local_devices()
    )
    np.testing.assert_array_equal(parallel.gather(sharded)["cover"], batch["cover"])


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(ValueError, match="6 cannot be divided among 4"):
        parallel.shard(np.zeros((6, 1)))
    with pytest.raises(InputError, match="take a multiple of 4"):
        parallel.check_batch_size(6)
    with pytest.raises(InputError):
        parallel.check_batch_size(0)
    assert parallel.check_batch_size(8) == 8


def test_example_keys_do_not_depend_on_the_number_of_devices():
    def draw(state, batch, key):
        return jax.vmap(lambda key: jax.random.bits(key, ()))(
            parallel.example_keys(key, batch.shape[0])
        )

    batch = np.zeros((8, 1))
    four = parallel.gather(
        parallel.over_devices(draw)((), parallel.shard(batch), jax.random.key(5))
    )
    one = jax.pmap(
        draw, axis_name=parallel.AXIS, in_axes=(None, 0, None), devices=jax.local_devices()[:1]
    )((), batch[None], jax.random.key(5))
    np.testing.assert_array_equal(four, np.asarray(one)[0])
    assert len(set(four.tolist())) == 8


def test_a_step_averages_and_reuses_the_states_buffers():
    def step(state, batch, key):
        return {"a": state["a"] + parallel.mean(jnp.sum(batch))}, parallel.mean(
            {"loss": jnp.sum(batch)}
        )

    compiled = parallel.train_step(step)
    first = parallel.replicate({"a": np.zeros(3, np.float32)})
    batch = parallel.shard(np.arange(8, dtype=np.float32))
    second, values = compiled(first, batch, jax.random.key(0))
    np.testing.assert_allclose(second["a"], 28 / 4)
    assert float(values["loss"]) == 28 / 4
    assert first["a"].is_deleted()


def test_all_finite_sees_one_bad_value():
    good = {"a": np.ones(3, np.float32), "count": np.int32(3)}
    assert parallel.all_finite(good)
    assert not parallel.all_finite({**good, "b": np.asarray([1.0, np.nan], np.float32)})
    assert not parallel.all_finite({**good, "b": np.asarray([np.inf], np.float32)})


def test_a_host_that_does_not_know_the_others_is_refused():
    with pytest.raises(InputError, match="needs --coordinator"):
        parallel.start(coordinator="127.0.0.1:1")


def test_outside_of_the_loop_a_step_is_that_of_one_device():
    """Means are of the whole batch, and batch statistics too."""

    def step(state, batch, key):
        norm = layers.batch_norm(train=True, axis_name=parallel.AXIS)
        out, updates = norm.apply(state, batch, mutable=["batch_stats"])
        share = jnp.mean(out**3) / parallel.device_count()
        return updates["batch_stats"], parallel.mean({"loss": share * parallel.device_count()})

    batch = np.random.default_rng(0).normal(size=(8, 2, 2, 1)).astype(np.float32)
    state = layers.batch_norm(train=True).init(jax.random.key(0), batch)
    stats, values = step(state, batch, jax.random.key(0))
    jitted = jax.jit(step)(state, batch, jax.random.key(0))
    on_devices = parallel.train_step(step)(
        parallel.replicate(state), parallel.shard(batch), jax.random.key(0)
    )
    for others in (jitted, on_devices):
        jax.tree.map(
            lambda own, other: np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-6),
            (stats, values),
            others,
        )
