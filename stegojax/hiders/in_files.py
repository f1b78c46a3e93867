"""Files around a `Hider`: a message into a picture file, and back."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stegojax import domains, files, progress, secret
from stegojax.errors import InputError
from stegojax.hiders import comparison
from stegojax.hiders.contract import Capacity, Hider, Message, Stego
from stegojax.types import Cover, Domain

Path = str | os.PathLike
_ROUNDS = 20

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
    insist: bool = False,
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
      insist: whether to hide though the domain objects to the cover.
      tell: is given what a person should know about the cover, a sentence each.

    Returns:
      What was hidden, and how.

    Raises:
      InputError: a file cannot be read or written, or the message cannot be hidden.
    """
    inputs = {} if cover is None else {cover: "the cover"}
    files.check_output(stego, inputs=inputs, overwrite=overwrite)
    domain = hider.domain
    elements, rest = _MADE if cover is None else domain.read(cover)
    check_cover(domain, cover, stego, elements, rest, insist=insist)
    for note in domain.notes(rest):
        tell(f"{cover}: {note}")
    shared = ask() if hider.takes_secret else None
    progress.doing("hiding")
    if cover is None:
        hidden = hider.hide(shared, None, message)
    else:
        hidden = writable(domain, elements, rest, lambda own: hider.hide(shared, own, message))
    progress.doing("writing, and reading back")
    write_elements(stego, hidden.elements, rest, domain=domain, overwrite=overwrite)
    return hidden


def choose_cover(hider: Hider, covers: Sequence[Path], message: bytes) -> Path:
    """The cover that a message should go into, of several.

    Args:
      hider: what hides.
      covers: files of covers.
      message: the content of a file.

    Returns:
      One of the files.

    Raises:
      InputError: a file cannot be read, or the hider does not choose.
    """
    if len(covers) == 1:
        return covers[0]
    if hider.choose is None:
        raise InputError(f"hide takes two files, COVER and MESSAGE; {len(covers) + 1} given")
    return covers[hider.choose([hider.domain.read(cover)[0] for cover in covers], message)]


def check_cover(
    domain: Domain,
    cover: Path | None,
    stego: Path,
    elements: Cover,
    rest: Any,
    *,
    insist: bool = False,
) -> None:
    """Refuses a cover that cannot be hidden in, before any work is done for it.

    Args:
      domain: of the stego.
      cover: the file of the cover.
      stego: the file to write.
      elements: of the cover.
      rest: of its file.
      insist: whether the domain's objections do not count.

    Raises:
      InputError: the stego's file cannot hold what the cover's does, or the domain objects.
    """
    domain.check(stego, elements, rest)
    if not insist:
        for objection in domain.objections(rest):
            raise InputError(f"{cover}: {objection}; take another cover, or add --insist")


def writable(domain: Domain, cover: Cover, rest: Any, hide: Callable[[Cover], Stego]) -> Stego:
    """Hides so that the cover's file can hold the stego: what it could not is left alone, and
    hidden anew.

    Args:
      domain: of the cover.
      cover: its elements.
      rest: of its file.
      hide: hides in a cover.

    Returns:
      What `hide` gave last.

    Raises:
      InputError: as `hide`, or there is no end of it.
    """
    for _ in range(_ROUNDS):
        hidden = hide(cover)
        lacking = domain.unwritable(cover, hidden.elements, rest)
        if not lacking:
            return hidden
        before = cover.frozen or (None,) * len(lacking)
        cover = cover._replace(
            frozen=tuple(more if old is None else old | more for old, more in zip(before, lacking))
        )
    raise InputError(
        "the cover's file cannot hold what hiding changes in it; take another cover, or a shorter "
        "message"
    )


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
    elements, _ = hider.domain.read(stego)
    shared = ask() if hider.takes_secret else None
    progress.doing("looking for the message")
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
    domain = hider.domain
    elements, rest = domain.read(cover)
    size = domain.size(elements, rest)
    return comparison.described(elements, size=size), hider.capacity(elements)


def write_elements(
    path: Path,
    elements: Cover,
    rest: Any = _MADE[1],
    *,
    domain: Domain = domains.PIXELS,
    overwrite: bool = False,
) -> None:
    """Writes elements to a file that gives them back exactly.

    Args:
      path: the file; its name says which format it is of.
      elements: what it shall hold.
      rest: of the file that they came from; by default that of a picture that was made here.
      domain: of the elements.
      overwrite: whether an existing file may be replaced.

    Raises:
      InputError: the file cannot be written or cannot hold the elements, or it does not read back.
    """

    def verify(written):
        back, beside = domain.read(written)
        same = back.shapes == elements.shapes and np.array_equal(back.flat(), elements.flat())
        return same and domain.kept(rest, beside)

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
