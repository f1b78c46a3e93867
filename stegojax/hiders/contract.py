"""What everything that hides is to the command and the protocols: a `Hider`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stegojax import domains, images, secret
from stegojax.errors import InputError
from stegojax.types import Cover, Domain

Message = bytes | str | Cover
"""What is revealed: a file's content, a line of text, or a picture."""


class Options(NamedTuple):
    """How a person wants to hide; None where nothing is said.

    scheme:            a cost with a recipe, see `embed.parse_scheme`; the domain's by default.
    code:              "stc" (default) or "polar".
    constraint_height: of the syndrome-trellis code, 7..12, 10 by default.
    domain:            of the covers and stegos.
    """

    scheme: str | None = None
    code: str | None = None
    constraint_height: int | None = None
    domain: Domain = domains.PIXELS


class Stego(NamedTuple):
    """What hiding gives.

    elements: the stego, which gives the message back.
    said:     in words, what was done.
    notes:    what a person should know besides, a sentence each.
    """

    elements: Cover
    said: str
    notes: tuple[str, ...] = ()


class Capacity(NamedTuple):
    """What a cover can carry.

    elements: how many it has, of what `unit` says.
    unit:     "samples", "coefficients", "bits written".
    most:     bytes of message (after compression) that fit, None where not even an empty message
              does. Where much of a cover is wet, a message of that length may still be refused.
    said:     what a person should know of it, a line each.
    """

    elements: int
    unit: str
    most: int | None
    said: tuple[str, ...] = ()


class Hider(NamedTuple):
    """What hides a message in a cover and gets it back under a secret.

    takes_cover:  whether it is given a cover, or makes its own picture.
    takes_secret: whether there is a key at all.
    hide:         `(secret | None, cover | None, message) -> Stego`, in memory; what it gives has
                  been revealed. The message is the content of a file.
    reveal:       `(secret | None, stego) -> Message`: refuses, or is right.
    capacity:     `(cover) -> Capacity`.
    domain:       of the covers and stegos.
    choose:       `(covers, message) -> index` of the cover whose stego is the best; None where a
                  message goes into the one cover that is given.
    """

    takes_cover: bool
    takes_secret: bool
    hide: Callable[[secret.Secret | None, Cover | None, bytes], Stego]
    reveal: Callable[[secret.Secret | None, Cover], Message]
    capacity: Callable[[Cover], Capacity]
    domain: Domain = domains.PIXELS
    choose: Callable[[Sequence[Cover], bytes], int] | None = None


def refuse(options: Options, *names: str) -> None:
    """Refuses options that a run has no use for.

    Args:
      options: as they were given.
      names: of the fields that must not be.

    Raises:
      InputError: one of them is given.
    """
    for name in names:
        if getattr(options, name) is not None:
            raise InputError(
                f"--{name.replace('_', '-')} is for messages under a key; a trained run (--run) "
                "does not use it"
            )


def pixels_of(cover: Cover) -> np.ndarray:
    """A cover of pixels as networks take it.

    Args:
      cover: its planes.

    Returns:
      uint8 `[H, W, C]`.
    """
    return domains.pixels.picture_of(cover).pixels


def cover_of(pixels: np.ndarray) -> Cover:
    """The inverse of `pixels_of`.

    Args:
      pixels: uint8 `[H, W, C]`.

    Returns:
      One plane per channel.
    """
    return domains.pixels.cover_of(images.Picture(pixels))
