"""Files are whole or absent, whatever fails, and no file that is read is written over."""

import os
import resource
import signal
import subprocess
import sys

import pytest

from stegojax import files
from stegojax.errors import InputError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    files.write_bytes(tmp_path / "a", b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(InputError, match="a: cannot be written .No space left on device."):
        files.write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old" and names(tmp_path) == ["a"]


def test_a_file_larger_than_the_process_may_write_leaves_the_old_one(tmp_path):
    files.write_bytes(tmp_path / "a", b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(InputError, match="a: cannot be written .File too large."):
            files.write_bytes(tmp_path / "a", bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "a").read_bytes() == b"old" and names(tmp_path) == ["a"]


def refuse(written):
    raise InputError("not what it should be")


def interrupt(written):
    raise KeyboardInterrupt


@pytest.mark.parametrize("old", [None, b"old"])
@pytest.mark.parametrize(
    "verify,error",
    [(lambda written: False, InputError), (refuse, InputError), (interrupt, KeyboardInterrupt)],
)
def test_what_does_not_verify_is_not_put_in_place(tmp_path, old, verify, error):
    if old:
        files.write_bytes(tmp_path / "a", old)
    with pytest.raises(error):
        files.write_verified(
            tmp_path / "a", lambda file: file.write(b"new"), verify, overwrite=bool(old)
        )
    assert names(tmp_path) == (["a"] if old else [])
    assert not old or (tmp_path / "a").read_bytes() == old


def test_what_is_verified_is_what_is_on_the_disk(tmp_path):
    def verify(written):
        seen.append((written.parent, written.read_bytes(), (tmp_path / "a").read_bytes()))
        return True

    seen = []
    files.write_bytes(tmp_path / "a", b"old")
    files.write_verified(tmp_path / "a", lambda file: file.write(b"new"), verify, overwrite=True)
    assert seen == [(tmp_path, b"new", b"old")]
    assert (tmp_path / "a").read_bytes() == b"new" and names(tmp_path) == ["a"]


def test_a_save_that_fails_leaves_the_old_file(tmp_path):
    def save(file):
        file.write(b"half")
        raise RuntimeError("a mistake in the program")

    files.write_bytes(tmp_path / "a", b"old")
    with pytest.raises(RuntimeError):
        files.write_verified(tmp_path / "a", save, lambda written: True, overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"old" and names(tmp_path) == ["a"]


KILLED = """
import os, signal, sys
from stegojax import files

def verify(written):
    os.kill(os.getpid(), signal.SIGKILL)

files.write_verified(sys.argv[1], lambda file: file.write(b"new"), verify, overwrite=True)
"""


def test_after_a_kill_the_old_file_stands_and_the_next_write_clears_up(tmp_path):
    files.write_bytes(tmp_path / "a", b"old")
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "a"])
    assert done.returncode == -signal.SIGKILL and (tmp_path / "a").read_bytes() == b"old"
    assert len(names(tmp_path)) == 2
    files._remove_leftovers.cache_clear()
    files.write_bytes(tmp_path / "b", b"other")
    assert names(tmp_path) == ["a", "b"]


def test_a_file_that_another_process_is_writing_is_no_leftover(tmp_path):
    def verify(written):
        files._remove_leftovers.cache_clear()
        files.write_bytes(tmp_path / "b", b"other")
        return written.read_bytes() == b"new"

    files.write_verified(tmp_path / "a", lambda file: file.write(b"new"), verify, overwrite=False)
    assert names(tmp_path) == ["a", "b"]


def test_an_existing_file_is_kept_unless_told(tmp_path):
    files.write_bytes(tmp_path / "a", b"old")
    with pytest.raises(InputError, match="exists already"):
        files.write(tmp_path / "a", lambda file: file.write(b"new"), overwrite=False)
    assert (tmp_path / "a").read_bytes() == b"old"
    os.chmod(tmp_path / "a", 0o640)
    files.write(tmp_path / "a", lambda file: file.write(b"new"), overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(InputError, match="exists already"):
        files.write(
            tmp_path / "a", lambda file: (tmp_path / "a").write_bytes(b"other"), overwrite=False
        )
    assert (tmp_path / "a").read_bytes() == b"other" and names(tmp_path) == ["a"]


def test_a_link_is_followed(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "link").symlink_to("a")
    files.write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "a").read_bytes() == b"new"


def test_long_names_of_long_characters_can_be_written(tmp_path):
    files.write_bytes(tmp_path / ("\u20ac" * 85), b"new")
    with pytest.raises(InputError, match="File name too long"):
        files.check_output(tmp_path / ("\u20ac" * 86))


@pytest.fixture()
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cover").write_bytes(b"the cover")
    (tmp_path / "soft").symlink_to("cover")
    os.link("cover", "hard")
    (tmp_path / "folder").mkdir()
    (tmp_path / "around").symlink_to("folder")
    os.mkfifo("pipe")
    return tmp_path


@pytest.mark.parametrize(
    "path,words",
    [
        ("cover", "cover: is the cover itself"),
        ("folder/../cover", "is the cover itself"),
        ("around/../cover", "is the cover itself"),
        ("soft", "soft: is the cover itself"),
        ("hard", "is the cover itself"),
        ("folder", "folder: is a folder"),
        ("pipe", "pipe: is a device or a pipe"),
        ("/dev/null", "is a device or a pipe"),
        ("none/a", "cannot be written: there is no folder none"),
        ("cover/a", "cannot be written: there is no folder cover"),
        ("", "the name of the file to write is empty"),
    ],
)
def test_what_must_not_be_written_is_refused_with_and_without_leave(folder, path, words):
    for overwrite in (False, True):
        with pytest.raises(InputError, match=words) as caught:
            files.check_output(path, inputs={"cover": "the cover"}, overwrite=overwrite)
        assert str(caught.value).count(":") <= 2
    assert (folder / "cover").read_bytes() == b"the cover"


@pytest.mark.parametrize("path", ["new", "folder/new", "around/new"])
def test_what_may_be_written_is_not_refused(folder, path):
    files.check_output(path, inputs={"cover": "the cover", "-": "the message"})


def test_a_closed_folder_is_refused(folder, monkeypatch):
    monkeypatch.setattr(files.os, "access", lambda *arguments: False)
    with pytest.raises(InputError, match="nothing may be written to folder"):
        files.check_output("folder/new")
