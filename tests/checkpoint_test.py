"""Checkpoints: whole or absent, the last few and milestones kept, and clear words for what cannot
be read or written.
"""

import errno
import pathlib
import shutil

import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest

from stegojax.checkpoint import Checkpoints, Position
from stegojax.errors import InputError
from stegojax.types import State


def state(value, shape=(2, 3)):
    params = {"net": {"kernel": jnp.full(shape, float(value))}}
    return State(
        jnp.int32(value), params, {"net": {}}, {"net": optax.adam(1e-3).init(params["net"])}
    )


def test_what_is_saved_comes_back_bit_for_bit(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    odd = (
        np.frombuffer(np.random.default_rng(0).bytes(24), np.uint32).view(np.float32).reshape(2, 3)
    )
    odd = np.nan_to_num(odd)
    saved = state(1)._replace(params={"net": {"kernel": jnp.asarray(odd)}})
    checkpoints.save(7, saved, Position(11, 2))
    restored = Checkpoints(tmp_path).restore(7, state(0))
    assert restored.params["net"]["kernel"].tobytes() == odd.tobytes()
    assert isinstance(restored, State) and int(restored.step) == 1
    assert Checkpoints(tmp_path).position(7) == Position(11, 2)


def test_the_last_two_and_milestones_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2, milestone=3)
    for step in range(1, 9):
        checkpoints.save(step, state(step), Position(step, 0))
    assert checkpoints.steps() == [3, 6, 7, 8]


def test_no_folder_is_no_checkpoint(tmp_path):
    assert Checkpoints(tmp_path / "none").steps() == []
    assert not (tmp_path / "none").exists()


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state(1), Position(1, 0))

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ocp.CheckpointManager, "save", full)
    with pytest.raises(
        InputError, match=r"step 2 could not be written .*No space left.*the last good one is .*/1"
    ):
        checkpoints.save(2, state(2), Position(2, 0))
    assert int(Checkpoints(tmp_path).restore(1, state(0)).step) == 1


def test_other_networks_are_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state(1), Position(1, 0))
    with pytest.raises(InputError, match="checkpoint .*1"):
        checkpoints.restore(1, state(1, shape=(4, 3)))


def test_a_damaged_checkpoint_is_named(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state(1), Position(1, 0))
    checkpoints.close()
    shutil.rmtree(pathlib.Path(tmp_path) / "1" / "state")
    with pytest.raises(InputError, match="cannot be read .*delete that folder"):
        Checkpoints(tmp_path).restore(1, state(0))
