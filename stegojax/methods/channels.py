"""What may lie between an encoder and a decoder in training: a channel that damages the stego.

A `Channel` is handed the decoder as a function, so that one that damages in several ways can choose
between them by a branch. Noises named in configs make such channels.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax

from stegojax import parallel
from stegojax.errors import InputError
from stegojax.models import damage, hidden
from stegojax.types import Array, Key

Channel = Callable[[Key, Array, Array, Callable[[Array], Any]], Any]
"""`(key, stego, cover, read) -> read(what arrives of the stego)`, to be called under
`parallel.AXIS`.
"""

Noise = Callable[[Key, Array, Array], Array]
"""`(keys [B], stego, cover) -> damaged stego`, each example from its own key."""

NOISES = {**hidden.NOISES, "jpeg": damage.jpeg, "resize": damage.resize}
"""Noises by name: HiDDeN's layers, JPEG compression, and resizing there and back."""

SMALLER = ("crop",)
"""Noises after which pictures are smaller."""

STRENGTHS = {
    "jpeg": ("quality", int),
    "resize": ("factor", float),
    "dropout": ("keep", float),
    "cropout": ("keep", float),
    "crop": ("keep", float),
    "gaussian_blur": ("sigma", float),
    "jpeg_drop": ("quality", int),
}
"""Of the noises with a strength: the argument of the function, and its type."""


def undamaged(key: Key, stego: Array, cover: Array, read: Callable[[Array], Any]) -> Any:
    """The channel that hands on what it is given.

    Args:
      key: not used.
      stego: any array.
      cover: not used.
      read: the decoder.

    Returns:
      What `read` gives for the stego.
    """
    del key, cover
    return read(stego)


def noise(text: str) -> Noise:
    """A noise as a config names it: "jpeg_mask", or with its strength "dropout:0.3".

    Args:
      text: a name in `NOISES`, or `NAME:NUMBER` for those in `STRENGTHS`.

    Returns:
      The noise.

    Raises:
      InputError: the name is unknown, or the number is none or not for it.
    """
    name, colon, number = text.partition(":")
    if name not in NOISES:
        raise InputError(f"method.noise: {name!r} is unknown; there are {', '.join(NOISES)}")
    options = {}
    if colon:
        argument, kind = STRENGTHS.get(name, ("", None))
        try:
            options[argument] = kind(number)
        except (TypeError, ValueError):
            raise InputError(
                f"method.noise: {text!r} is not understood; write NAME, or NAME:NUMBER for "
                f"{', '.join(STRENGTHS)}"
            ) from None
    function = functools.partial(NOISES[name], **options)

    def damage(keys, stego, cover):
        return jax.vmap(lambda key, stego, cover: function(key, stego[None], cover[None])[0])(
            keys, stego, cover
        )

    return damage


def by_name(texts: Sequence[str], *, same_size: bool = True) -> dict[str, Noise]:
    """The noises that a config lists.

    Args:
      texts: see `noise`.
      same_size: whether pictures must keep their size, since what is read has the stego's.

    Returns:
      By their text.

    Raises:
      InputError: as `noise`, or one is listed twice or makes pictures smaller where it must not.
    """
    texts = tuple(texts)
    if len(set(texts)) < len(texts):
        raise InputError(f"method.noise needs each noise once, got {texts}")
    noises = {text: noise(text) for text in texts}
    smaller = [text for text in texts if same_size and text.partition(":")[0] in SMALLER]
    if smaller:
        raise InputError(
            f"method.noise: after {smaller[0]!r} a picture is smaller, and this method reads as "
            "many places as it hides in; take cropout"
        )
    return noises


def one_of(noises: Sequence[Noise]) -> Channel:
    """One of several noises in every step, all alike, as HiDDeN's combined model has it.

    Args:
      noises: none for a channel without damage.

    Returns:
      The channel.
    """
    if not noises:
        return undamaged

    def through(key, stego, cover, read):
        kind_key, noise_key = jax.random.split(key)
        keys = parallel.example_keys(noise_key, stego.shape[0])
        branches = [
            lambda stego, damage=damage: read(damage(keys, stego, cover)) for damage in noises
        ]
        if len(branches) == 1:
            return branches[0](stego)
        return jax.lax.switch(jax.random.randint(kind_key, (), 0, len(branches)), branches, stego)

    return through
