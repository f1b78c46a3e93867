"""Processes that are killed and disks that are full: what was there stays, what is there is whole,
and the next call goes on.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest
from support import trials

from stegojax import journal
from stegojax.checkpoint import Checkpoints

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEGOJAX = [sys.executable, "-m", "stegojax.cli"]
SECRET = ("--key-file", "key", "--constraint-height", "7")

pytestmark = pytest.mark.slow


def environment(**changes):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    given = {**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    return {**given, **changes}


def call(folder, *arguments, program=STEGOJAX, seconds=None, most=None):
    """Calls a program; it is killed after so many seconds, and may write files of so many bytes."""
    limits = (
        [sys.executable, "-c", LIMITED, str(most), *program] if most is not None else [*program]
    )
    process = subprocess.Popen(
        [*limits, *map(str, arguments)],
        cwd=folder,
        # What is limited spoils a compilation cache of its own alone.
        env=environment(JAX_COMPILATION_CACHE_DIR=str(folder / "cache"))
        if most is not None
        else environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        process.wait(seconds or 300)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    return process.returncode, said.decode()


LIMITED = """
import os, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture()
def work(tmp_path):
    (tmp_path / "covers").mkdir()
    for number in range(12):
        trials.grey().rotate(7 * number).save(tmp_path / "covers" / f"{number:02}.png")
    trials.grey().save(tmp_path / "cover.png")
    (tmp_path / "message").write_bytes(b"the message")
    (tmp_path / "key").write_bytes(bytes(range(32)))
    return tmp_path


@pytest.fixture()
def small_disk(tmp_path):
    """A disk of 64 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_hide_many_goes_on_after_kills(work):
    """Killed at six times, the same call comes to its end and does nothing twice."""
    arguments = ("hide-many", "covers", "message", "-o", "out", *SECRET)
    for number in range(6):
        code, said = call(work, *arguments, seconds=1.0 + 0.6 * number)
        finished = (work / "out" / "manifest.json").exists() and json.loads(
            (work / "out" / "manifest.json").read_text()
        )["finished"]
        if code != -signal.SIGKILL:
            assert code == 0, said
            break
        assert not finished
    else:
        code, said = call(work, *arguments)
        assert code == 0, said
    names = {path.name for path in (work / "out").iterdir()}
    assert names == {f"{number:02}.png" for number in range(12)} | {"manifest.json"}
    for number in (0, 5, 11):
        code, said = call(work, "reveal", f"out/{number:02}.png", "-o", "found", *SECRET[:2])
        assert code == 0 and (work / "found").read_bytes() == b"the message"
        (work / "found").unlink()


def test_a_killed_hide_leaves_the_old_file_and_nothing_for_long(work):
    shutil.copy(work / "cover.png", work / "stego.png")
    old = (work / "stego.png").read_bytes()
    arguments = ("hide", "cover.png", "message", "-o", "stego.png", "--overwrite", *SECRET)
    for number in range(8):
        code, _ = call(work, *arguments, seconds=0.6 + 0.4 * number)
        if code == -signal.SIGKILL and (work / "stego.png").read_bytes() != old:
            code = 0  # killed after its work
        if code == 0:
            break
    assert call(work, *arguments)[0] == 0
    assert not [path for path in work.iterdir() if path.name.startswith(".stegojax-")]
    assert call(work, "reveal", "stego.png", "-o", "found", *SECRET[:2])[0] == 0


@pytest.mark.parametrize("most", [0, 1, 50, 500])
def test_a_file_that_may_not_grow(work, most):
    (work / "cache").mkdir()
    before = trials.contents(work)
    code, said = call(work, "hide", "cover.png", "message", "-o", "s.png", *SECRET, most=most)
    assert code == 1 and said.count("\n") == 1 and "cannot be written" in said, said
    shutil.rmtree(work / "cache")
    after = trials.contents(work)
    assert after == {path: before[path] for path in before if path != work / "cache"}


def test_a_full_disk(work, small_disk):
    """A stego that does not fit is absent; of many, those that fit are whole, others are named."""
    (small_disk / "full").write_bytes(bytes(65536))
    code, said = call(work, "hide", "cover.png", "message", "-o", small_disk / "s.png", *SECRET)
    assert code == 1 and said.count("\n") == 1 and "No space left" in said, said
    assert [path.name for path in small_disk.iterdir()] == ["full"]
    with open(small_disk / "full", "r+b") as file:
        file.truncate(65536 - 5 * 4096)
    arguments = ("hide-many", "covers", "message", "-o", small_disk / "out", *SECRET)
    code, said = call(work, *arguments)
    assert code == 1 and "No space left" in said and "Traceback" not in said, said
    whole = sorted((small_disk / "out").glob("*.png"))
    for path in whole:
        assert call(work, "reveal", path, "-o", "found", *SECRET[:2])[0] == 0
        (work / "found").unlink()
    (small_disk / "full").unlink()
    code, said = call(work, *arguments)
    assert code in (0, 1) and "Traceback" not in said
    assert len(list((small_disk / "out").glob("*.png"))) >= len(whole)


TINY = ("--config=configs/atique.py:tiny", "--config.steps=24", "--config.evaluation.every=12")
MAIN = [sys.executable, str(ROOT / "main.py")]


def losses(workdir):
    return {
        record["step"]: record["loss"]
        for record in journal.read(workdir)
        if record["kind"] == "train"
    }


def test_a_training_goes_on_after_kills_and_damage(tmp_path):
    """To the very numbers of one that nothing happened to."""
    options = (*TINY, "--config.checkpoint.every=4")
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    code, said = call(ROOT, *options, f"--workdir={straight}", program=MAIN)
    assert code == 0, said
    arguments = (*options, f"--workdir={broken}")
    process = subprocess.Popen(
        [*MAIN, *arguments], cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        if len(Checkpoints(broken / "checkpoints").steps()) > 1:
            break
        time.sleep(0.01)
    process.kill()
    process.wait()
    steps = Checkpoints(broken / "checkpoints").steps()
    with contextlib.suppress(IndexError):
        newest = broken / "checkpoints" / str(steps[-1])
        data = max(
            (newest / "state").rglob("*"), key=lambda path: path.is_file() * path.stat().st_size
        )
        content = bytearray(data.read_bytes())
        content[len(content) // 2] ^= 4
        data.write_bytes(content)
    with open(broken / "metrics.jsonl", "ab") as file:
        file.write(b"\xff\xfe{\n")
    code, said = call(ROOT, *arguments, program=MAIN)
    assert code == 0 and "Traceback" not in said, said
    if len(steps) > 1 and (broken / "checkpoints" / str(steps[-1]) / "digests.json").exists():
        assert "damaged lines are dropped" in said
    assert losses(broken) == losses(straight) and len(losses(broken)) == 24


def test_a_training_on_a_full_disk_keeps_its_checkpoints(tmp_path, small_disk):
    code, said = call(ROOT, *TINY, f"--workdir={small_disk / 'run'}", program=MAIN)
    assert code == 1 and "Traceback" not in said, said
    assert "No space left" in said or "could not be written" in said
