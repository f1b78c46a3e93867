"""Files that are whole or absent: written beside their place, read back, and moved there at last.

Whatever fails, what stood under the name before still stands. A process that is killed may leave a
hidden file `.stegojax-*` behind; the next one that writes into the folder removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import pathlib
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

from stegojax.errors import InputError

TEMPORARY = ".stegojax-"
"""How the names of files begin that are not in place yet."""

Path = str | os.PathLike


def check_output(
    path: Path, *, inputs: Mapping[Path, str] | None = None, overwrite: bool = False
) -> None:
    """Refuses a file that cannot or must not be written, before any work is done for it.

    Args:
      path: the file.
      inputs: the files that the same work reads, and what each is ("the cover"); "-" is none.
      overwrite: whether an existing file may be replaced; one of the inputs never is, whatever
        name it goes by.

    Raises:
      InputError: it is an input, exists, is no regular file, or its folder is missing or closed.
    """
    if not os.fspath(path):
        raise InputError("the name of the file to write is empty; give one")
    path = pathlib.Path(path)
    try:
        _check_place(path, inputs or {}, overwrite)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be written ({reason}); choose another name") from error


def _check_place(path: pathlib.Path, inputs: Mapping[Path, str], overwrite: bool) -> None:
    if not path.exists():
        if _followed(path).is_symlink():
            raise InputError(f"{path}: cannot be written: it is a link to itself")
        folder = _followed(path).parent
        if not folder.is_dir():
            raise InputError(f"{path}: cannot be written: there is no folder {folder}")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"{path}: cannot be written: nothing may be written to {folder}")
        return
    for name, what in inputs.items():
        if os.fspath(name) != "-" and os.path.exists(name) and os.path.samefile(name, path):
            raise InputError(
                f"{path}: is {what} itself, which is never modified; choose another name"
            )
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise InputError(f"{path}: is a folder; give the name of a file")
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: is a device or a pipe; give the name of a file")
    if not overwrite:
        raise InputError(f"{path}: exists already; choose another name or add --overwrite")


def check_folder(path: Path) -> None:
    """Refuses a folder that cannot be written to, before any work is done for it.

    Args:
      path: the folder, which need not be there yet.

    Raises:
      InputError: it is a file, or there can be no folder.
    """
    if not os.fspath(path):
        raise InputError("the name of the folder to write to is empty; give one")
    if os.path.exists(path) and not os.path.isdir(path):
        raise InputError(f"{path}: is a file; give the name of a folder")
    nearest = pathlib.Path(os.path.realpath(path))
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be made: nothing may be written to {nearest}")


def make_folder(path: Path) -> None:
    """Makes a folder to write to, where it is missing.

    Args:
      path: the folder.

    Raises:
      InputError: as `check_folder`.
    """
    check_folder(path)
    try:
        pathlib.Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be made ({error.strerror}); name another folder"
        ) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Puts a file in place, also of an older one: a reader sees the one or the other.

    Args:
      path: where the file shall be.
      content: what it shall hold.

    Raises:
      InputError: the disk refuses; an older file is untouched.
    """
    write(path, lambda file: file.write(content), overwrite=True)


def write(path: Path, save: Callable[[BinaryIO], object], *, overwrite: bool) -> None:
    """`write_verified` for what needs no reading back.

    Args:
      path: where the file shall be.
      save: writes the content to a binary file.
      overwrite: whether an existing file may be replaced.

    Raises:
      InputError: as `write_verified`.
    """
    write_verified(path, save, lambda written: True, overwrite=overwrite)


def write_verified(
    path: Path,
    save: Callable[[BinaryIO], object],
    verify: Callable[[pathlib.Path], bool],
    *,
    overwrite: bool,
) -> None:
    """Writes a file beside its place, verifies what is on the disk, and moves it into place.

    Args:
      path: where the file shall be; a link is followed.
      save: writes the content to a binary file.
      verify: whether the file whose path it is given holds what it should. An `InputError` that it
        raises means no.
      overwrite: whether an existing file may be replaced.

    Raises:
      InputError: as `check_output`; or the disk refuses, or what was written does not verify. Then
        as after any other exception, what was there before is untouched and nothing is left behind.
    """
    check_output(path, overwrite=overwrite)
    place = _followed(pathlib.Path(path))
    try:
        _remove_leftovers(place.parent)
        with _temporary(place.parent) as file:
            save(file)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), _mode_of_new_file(place))
            if not _verified(verify, pathlib.Path(file.name)):
                raise InputError(
                    f"{path}: did not give back what was written and was not put in place; check "
                    "the disk and try again"
                )
            if overwrite:
                os.replace(file.name, place)
            else:
                _rename_to_new(file.name, place)
        _sync_folder(place.parent)
    except FileExistsError as error:
        raise InputError(
            f"{path}: exists already; choose another name or add --overwrite"
        ) from error
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror or error}); check the folder and the disk"
        ) from error


def _followed(path: pathlib.Path) -> pathlib.Path:
    """Where a link leads."""
    return pathlib.Path(os.path.realpath(path)) if path.is_symlink() else path


def _verified(verify: Callable[[pathlib.Path], bool], written: pathlib.Path) -> bool:
    try:
        return verify(written)
    except InputError:
        return False


@contextlib.contextmanager
def _temporary(folder: pathlib.Path) -> Iterator[BinaryIO]:
    """A locked file that is gone at the end, unless it has been moved away."""
    while True:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=TEMPORARY, delete=False) as file:
            try:
                with contextlib.suppress(OSError):  # a file system that knows no locks
                    fcntl.flock(file, fcntl.LOCK_EX)
                if not os.fstat(file.fileno()).st_nlink:
                    continue  # taken for a leftover before it was locked
                yield file
                return
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(file.name)


@functools.lru_cache(maxsize=64)
def _remove_leftovers(folder: pathlib.Path) -> None:
    """Removes temporary files that no living process holds; once per folder and process."""
    for leftover in folder.glob(TEMPORARY + "*"):
        with contextlib.suppress(OSError), open(leftover, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(leftover)


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
