"""What a person gives a command: files by name, standard input, and passwords.

All files of a command are checked (`check`) before anything is computed or asked for.
"""

from __future__ import annotations

import getpass
import os
import stat
import sys
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from stegojax import progress
from stegojax.errors import InputError

if TYPE_CHECKING:
    from stegojax import secret

STANDARD = "-"
"""Names standard input, and standard output."""

Path = str | os.PathLike


def check(given: Mapping[Path, str]) -> None:
    """Refuses files that cannot be read, before any work is done for them.

    Args:
      given: their names, and what each is ("the cover"); "-" is standard input.

    Raises:
      InputError: one is missing, closed, a folder, or a device that has no end.
    """
    for path, what in given.items():
        if os.fspath(path) == STANDARD:
            if sys.stdin is None:
                raise InputError(f"there is no standard input to read {what} from; name a file")
            continue
        try:
            mode = os.stat(path).st_mode
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such file ({what}); check the path") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{path}: cannot be read ({reason}); it is {what}") from error
        if stat.S_ISDIR(mode):
            raise InputError(f"{path}: is a folder; give the name of a file ({what})")
        if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and _endless(path)):
            raise InputError(f"{path}: is a device without an end; give a file ({what})")
        if not os.access(path, os.R_OK):
            raise InputError(f"{path}: may not be read (permission denied); it is {what}")


def _endless(path: Path) -> bool:
    """Whether a character device is none that ends: /dev/null, or a terminal."""
    if os.path.samefile(path, os.devnull):
        return False
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        return not os.isatty(handle)
    finally:
        os.close(handle)


def content(path: Path, what: str, *, most: int = -1) -> bytes:
    """What a file holds.

    Args:
      path: its name; "-" for standard input.
      what: what it is, for a person.
      most: how many bytes to read at most; negative for all.

    Returns:
      The bytes.

    Raises:
      InputError: as `check`, or reading fails.
    """
    check({path: what})
    if os.fspath(path) == STANDARD:
        return sys.stdin.buffer.read(most)
    try:
        with open(path, "rb") as file:
            return file.read(most)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); it is {what}") from error


def shared_secret(
    *, password_file: Path | None = None, key_file: Path | None = None, confirm: bool = False
) -> secret.Secret:
    """The password or key of a command; asked for on the terminal, without echo, where no file is
    given.

    Args:
      password_file: holds the password, see `secret.password_of_file`.
      key_file: holds the key.
      confirm: whether to ask twice.

    Returns:
      The secret.

    Raises:
      InputError: both files are given, one of them cannot be used, or nothing usable is typed.
    """
    from stegojax import secret  # NumPy and more, which a Ctrl-C at the start would end loudly

    if key_file is not None and password_file is not None:
        raise InputError("give --password-file or --key-file, not both")
    if key_file is not None:
        # One byte more than a key has tells a longer file.
        return secret.key_file(content(key_file, "the key file", most=secret.KEY_BYTES + 1))
    if password_file is not None:
        return secret.password_of_file(content(password_file, "the password file"))
    text = _typed("Password: ")
    shared = secret.password(text)
    if confirm and _typed("Again: ") != text:
        raise InputError("the two passwords differ; start again")
    return shared


def _typed(prompt: str) -> str:
    instead = "use --password-file or --key-file"
    try:
        with warnings.catch_warnings(), progress.hidden():
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(prompt)
    except getpass.GetPassWarning as error:
        raise InputError(f"there is no terminal to ask for a password on; {instead}") from error
    except EOFError as error:
        _end_line()
        raise InputError(f"no password was typed; start again, or {instead}") from error
    except UnicodeDecodeError as error:
        _end_line()
        raise InputError(
            f"the password holds a character that is not {error.encoding} as the terminal should "
            f"send it; set the terminal's encoding, or {instead}"
        ) from error
    except KeyboardInterrupt:
        _end_line()
        raise


def _end_line() -> None:
    """The prompt stands in the line that comes next."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(file=sys.stderr)
