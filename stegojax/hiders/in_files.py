"""Files around a `Hider`: a message into a picture file, and back."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from stegojax import domains, files, secret
from stegojax.errors import InputError
from stegojax.hiders import comparison
from stegojax.hiders.contract import Capacity, Hider, Message, Stego
from stegojax.types import Cover

Path = str | os.PathLike
Ask = Callable[[], secret.Secret | None]

# Stands for what hiders make by themselves, colour pictures, before they are made.
_MADE = Cover((np.zeros((1, 1), np.int16),) * 3), domains.pixels.Rest()


def hide_file(
    hider: Hider,
    ask: Ask,
    cover: Path | None,
    message: bytes,
    stego: Path,
    *,
    overwrite: bool = False,
    tell: Callable[[str], object] = lambda note: None,
) -> Stego:
    """Hides a message in a file; it appears under its name once it has been read back.

    Args:
      hider: what hides.
      ask: gives the secret; it is called when everything else is in order, and only where the hider
        takes one.
      cover: the file of the cover, which is not touched; None where the hider makes its own.
      message: the content of a file.
      stego: the file to write.
      overwrite: whether `stego` may replace a file (never the cover).
      tell: is given what a person should know about the cover, a sentence each.

    Returns:
      What was hidden, and how.

    Raises:
      InputError: a file cannot be read or written, or the message cannot be hidden.
    """
    inputs = {} if cover is None else {cover: "the cover"}
    files.check_output(stego, inputs=inputs, overwrite=overwrite)
    domain = domains.of(stego)
    elements, rest = _MADE if cover is None else domain.read(cover)
    domain.check(stego, elements, rest)
    for note in domain.notes(rest):
        tell(f"{cover}: {note}")
    shared = ask() if hider.takes_secret else None
    hidden = hider.hide(shared, None if cover is None else elements, message)
    write_elements(stego, hidden.elements, rest, overwrite=overwrite)
    return hidden


def reveal_file(hider: Hider, ask: Ask, stego: Path) -> Message:
    """Reads the message hidden in a file.

    Args:
      hider: what hid it.
      ask: gives the secret, as for `hide_file`.
      stego: the file.

    Returns:
      The message.

    Raises:
      InputError: the file cannot be read, or there is no message for this secret.
    """
    elements, _ = domains.of(stego).read(stego)
    shared = ask() if hider.takes_secret else None
    try:
        return hider.reveal(shared, elements)
    except InputError as error:
        raise InputError(f"{stego}: {error}") from error


def capacity_of_file(hider: Hider, cover: Path) -> tuple[str, Capacity]:
    """What a file can carry.

    Args:
      hider: what would hide.
      cover: the file.

    Returns:
      The size of the picture in words, and the capacity.

    Raises:
      InputError: the file cannot be read, or the hider takes no cover.
    """
    elements, _ = domains.of(cover).read(cover)
    return comparison.described(elements), hider.capacity(elements)


def write_elements(
    path: Path, elements: Cover, rest: Any = _MADE[1], *, overwrite: bool = False
) -> None:
    """Writes elements to a file that gives them back exactly.

    Args:
      path: the file; its name says which domain and format it is of.
      elements: what it shall hold.
      rest: of the file that they came from; by default that of a picture that was made here.
      overwrite: whether an existing file may be replaced.

    Raises:
      InputError: the file cannot be written or cannot hold the elements, or it does not read back.
    """
    domain = domains.of(path)

    def verify(written):
        back, _ = domain.read(written)
        return back.shapes == elements.shapes and np.array_equal(back.flat(), elements.flat())

    files.write_verified(
        path, lambda file: domain.save(file, elements, rest, path=path), verify, overwrite=overwrite
    )


def write_message(path: Path, message: Message, *, overwrite: bool = False) -> None:
    """Writes what was revealed: a file, a line of text, or a picture.

    Args:
      path: where to.
      message: what a hider's `reveal` gave.
      overwrite: whether an existing file may be replaced.

    Raises:
      InputError: the file cannot be written, or its name asks for a format that cannot hold a
        picture without loss.
    """
    if isinstance(message, Cover):
        write_elements(path, message, overwrite=overwrite)
    else:
        content = f"{message}\n".encode() if isinstance(message, str) else message
        files.write(path, lambda file: file.write(content), overwrite=overwrite)
