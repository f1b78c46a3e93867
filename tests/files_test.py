"""Files are whole or absent, whatever fails."""

import pytest

from stegojax import files
from stegojax.errors import InputError


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    files.write_bytes(tmp_path / "a", b"old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(InputError, match="a: cannot be written .No space left on device."):
        files.write_bytes(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old" and [
        path.name for path in tmp_path.iterdir()
    ] == ["a"]


def test_an_existing_file_is_kept_unless_told(tmp_path):
    files.write_bytes(tmp_path / "a", b"old")
    with pytest.raises(InputError, match="exists already"):
        files.write(tmp_path / "a", lambda file: file.write(b"new"), overwrite=False)
    assert (tmp_path / "a").read_bytes() == b"old"
    files.write(tmp_path / "a", lambda file: file.write(b"new"), overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"new"


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(InputError, match="exists already"):
        files.write(
            tmp_path / "a", lambda file: (tmp_path / "a").write_bytes(b"other"), overwrite=False
        )
    assert (tmp_path / "a").read_bytes() == b"other" and [
        path.name for path in tmp_path.iterdir()
    ] == ["a"]
