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

from stegojax.checkpoint import Checkpoints, Damaged, Position
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


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    checkpoints = Checkpoints(folder)
    kernel = np.random.default_rng(0).normal(size=(16, 12)).astype(np.float32)
    given = state(1, shape=(16, 12))._replace(params={"net": {"kernel": jnp.asarray(kernel)}})
    checkpoints.save(1, given, Position(5, 1))
    checkpoints.close()
    return folder, given


def cut(content, rng):
    return content[: len(content) // 2]


def emptied(content, rng):
    return b""


def one_bit_flipped(content, rng):
    damaged = bytearray(content)
    damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


@pytest.mark.parametrize("damage", [None, cut, emptied, *[one_bit_flipped] * 4])
def test_whatever_is_damaged_is_never_handed_out(saved, tmp_path, damage, capfd):
    """Any file missing, cut, or with one other bit; and nothing but the refusal is said."""
    folder, given = saved
    rng, whole = np.random.default_rng(1), 0
    names = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    assert len(names) > 8
    for number, name in enumerate(names):
        copy = tmp_path / str(number)
        shutil.copytree(folder, copy)
        content = (copy / name).read_bytes()
        if damage is None:
            (copy / name).unlink()
        else:
            (copy / name).write_bytes(damage(content, rng))
        checkpoints = Checkpoints(copy)
        try:
            position, found = checkpoints.position(1), checkpoints.restore(1, given)
        except Damaged as error:
            assert "\n" not in str(error)
            continue
        # Without its digests it is taken as those of earlier versions are.
        assert damage is None and name.name == "digests.json"
        assert position == Position(5, 1)
        assert found.params["net"]["kernel"].tobytes() == given.params["net"]["kernel"].tobytes()
        whole += 1
    assert whole == (damage is None)
    said = capfd.readouterr()
    assert "Traceback" not in said.err + said.out


def test_a_damaged_checkpoint_can_be_set_aside(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2):
        checkpoints.save(step, state(step), Position(step, 0))
    assert checkpoints.set_aside(2) == tmp_path / "2.damaged" and checkpoints.steps() == [1]
    checkpoints.save(2, state(2), Position(2, 0))
    assert checkpoints.steps() == [1, 2]
    assert checkpoints.set_aside(2) == tmp_path / "2.damaged-2"
    assert int(checkpoints.restore(1, state(0)).step) == 1
