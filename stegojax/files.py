"""Files that are whole or absent: written beside their place and renamed once they are on the
disk.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import BinaryIO

from stegojax.errors import InputError


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Puts a file in place, also of an older one: a reader sees the one or the other.

    Args:
      path: where the file shall be.
      content: what it shall hold.

    Raises:
      InputError: the disk refuses; an older file is untouched.
    """
    write(path, lambda file: file.write(content), overwrite=True)


def write(path: str | os.PathLike, save: Callable[[BinaryIO], object], *, overwrite: bool) -> None:
    """Calls `save(file)` on a temporary file beside `path` and gives it its name once it is on the
    disk.

    Args:
      path: where the file shall be.
      save: writes the content to a binary file.
      overwrite: whether an existing file may be replaced.

    Raises:
      InputError: the file exists, or the disk refuses; what was there before is untouched and
        nothing is left behind.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give the name of a file")
    if path.exists() and not overwrite:
        raise InputError(
            f"{path}: exists already; choose another name or ask for it to be overwritten"
        )
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name[:100]}.", delete=False
        ) as file:
            temporary = file.name
            save(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode_of_new_file(path))
        if overwrite:
            os.replace(temporary, path)
        else:
            _rename_to_new(temporary, path)
        temporary = None
        _sync_folder(path.parent)
    except FileExistsError as error:
        raise InputError(
            f"{path}: exists already; choose another name or ask for it to be overwritten"
        ) from error
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror or error}); check the folder and the disk"
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _rename_to_new(temporary: str, path: pathlib.Path) -> None:
    """Renames without replacing a file that appeared meanwhile, where the file system knows hard
    links.
    """
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        os.replace(temporary, path)
    else:
        os.unlink(temporary)


def _mode_of_new_file(path: pathlib.Path) -> int:
    """Permissions of the file to be replaced, or those that the process gives to a new file."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: pathlib.Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
