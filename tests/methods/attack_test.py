"""A steganalyzer of a frozen method's stegos: what it sees, what stays put, and another method in
the place of the one attacked.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.small_networks import Steganalyzer, differs, run_steps

from stegojax.images import rgb_to_ycbcr
from stegojax.methods import attack, steganalyzer
from stegojax.types import Method, State


def shifting(shift):
    """A method that adds its parameter to a cover, rounded, and its trained state."""

    def predict(state, batch, key):
        return {"stego": jnp.round(batch["cover"] + state.params["shift"]["by"])}

    state = State(jnp.int32(0), {"shift": {"by": jnp.float32(shift)}}, {"shift": {}}, {})
    return Method(None, None, predict, None), state


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    return {"cover": np.round(rng.uniform(20, 230, (4, 16, 16, 3))).astype(np.float32)}


def test_the_attacked_method_stays_put_and_may_be_another(batch):
    method, state = shifting(3.2)
    made = attack.make(attack.InYCbCr(Steganalyzer()), method, state, optax.sgd(0.1))
    start = jax.tree.map(np.asarray, made.init(jax.random.key(0), batch))
    after, (values,) = run_steps(made.train_step, start, batch, 1)
    assert np.isfinite(values["loss"]) and set(after.opt_state) == {steganalyzer.NAME}
    assert differs(start.params[steganalyzer.NAME], after.params[steganalyzer.NAME])
    assert not differs(start.params[steganalyzer.FROZEN], after.params[steganalyzer.FROZEN])
    other = attack.attack(after, shifting(-7.0)[1])
    for trained, shift in ((after, 3.0), (other, -7.0)):
        outputs = made.predict(trained, batch, jax.random.key(0))
        np.testing.assert_array_equal(outputs["stego"], batch["cover"] + shift)
        assert made.measure(batch, outputs)["accuracy"].shape == (4,)
    assert not differs(after.params[steganalyzer.NAME], other.params[steganalyzer.NAME])


def test_pictures_are_seen_in_ycbcr(batch):
    class Probe(nn.Module):
        @nn.compact
        def __call__(self, pictures, *, train):
            return pictures.reshape(pictures.shape[0], -1)

    seen = attack.InYCbCr(Probe()).apply({}, jnp.asarray(batch["cover"]), train=False)
    np.testing.assert_array_equal(seen, rgb_to_ycbcr(batch["cover"]).reshape(4, -1))
