"""Seq2Seq-GAN for one user: what moves, under which key, and what it begins from."""

import jax
import numpy as np
import pytest
from support.configs import load as load_config

from stegojax import run
from stegojax.errors import InputError
from stegojax.methods import seq2seq_gan, seq2seq_user, trained
from stegojax.methods.sentence_keys import material
from stegojax.secret import key_file

KEY = bytes(range(32))
FROZEN = {"sentence_encoder", "state_reader", "discriminator"}


@pytest.fixture(scope="module")
def sections():
    base, user = (load_config(name).get_config("tiny") for name in ("seq2seq_gan", "seq2seq_user"))
    base.method.keyed, base.method.negative_weight = "scramble", 1.0
    with user.unlocked():
        user.method = {**base.method.to_dict(), "name": "seq2seq_user", "stage_steps": ()}
    return base, user


@pytest.fixture(scope="module")
def base(sections):
    """The state of a run, as numpy."""
    config, _ = sections
    made = run.method(config, run.Lengths(1, 1))
    example = run.example(config)
    return jax.tree.map(np.asarray, jax.jit(made.init)(jax.random.key(7), example)), example


def user(sections, base, tmp_path, **changes):
    (tmp_path / "key").write_bytes(KEY)
    section = {
        **sections[1].method.to_dict(),
        "base_from": "there",
        "key_from": str(tmp_path / "key"),
        **changes,
    }
    places = []

    def load(place):
        places.append(place)
        return trained.Trained(sections[0].method.to_dict(), base[0])

    made = seq2seq_user.from_config(section, steps_per_epoch=1, load=load)
    assert places == ["there"]
    return made


def test_it_begins_as_the_run_and_is_the_run_for_those_who_use_it(sections, base, tmp_path):
    made = user(sections, base, tmp_path)
    state = jax.jit(made.init)(jax.random.key(0), base[1])
    for name, network in state.params.items():
        for one, other in zip(jax.tree.leaves(network), jax.tree.leaves(base[0].params[name])):
            np.testing.assert_array_equal(one, other)
    assert set(state.opt_state) == {"sentences", "pictures"} and int(state.step) == 0
    assert not made.stages and made.describe(base[1])
    # A state that comes from a checkpoint needs neither the run nor the key.
    section = sections[1].method.to_dict()
    restored = seq2seq_user.from_config(section, steps_per_epoch=1, load=None)
    like = jax.eval_shape(restored.init, jax.random.key(0), base[1])
    assert jax.tree.structure(like) == jax.tree.structure(state)
    with pytest.raises(InputError, match="give method.base_from"):
        restored.describe(base[1])


def test_the_users_key_is_drawn_for_every_example_and_others_are_any(monkeypatch):
    own = material(key_file(KEY), "scramble").arrays
    keying = seq2seq_gan.KEYINGS["scramble"]
    drawn = seq2seq_gan._draw(jax.random.key(0), 3, keying, 0.0, own)
    for name in own:
        np.testing.assert_array_equal(drawn.own[name], np.repeat(own[name], 3, axis=0))
        assert not np.array_equal(drawn.other[name][0], drawn.other[name][1])


def test_a_run_of_other_networks_is_refused(sections, base, tmp_path):
    made = user(sections, base, tmp_path, width=1 / 8)
    with pytest.raises(InputError, match="the run of method.base_from has another generator"):
        jax.eval_shape(made.init, jax.random.key(0), base[1])
    with pytest.raises(InputError, match="the run needs a key"):
        user(sections, base, tmp_path, key_from="")
    with pytest.raises(InputError, match="no such file"):
        user(sections, base, tmp_path, key_from=str(tmp_path / "nowhere"))
