"""Hiding in arrays from Python: `stegojax.hide`, `stegojax.reveal` and `stegojax.capacity`.

Pixels are uint8, `[H, W]` or `[H, W, 1]` grey, `[H, W, 3]` colour, as files hold them.
"""

from __future__ import annotations

import numpy as np

from stegojax import hiders, secret
from stegojax.errors import InputError
from stegojax.hiders.contract import Options, cover_of, pixels_of

Password = str | secret.Secret


def hide(
    pixels: np.ndarray,
    message: bytes,
    password: Password,
    *,
    scheme: str | None = None,
    code: str | None = None,
) -> np.ndarray:
    """Hides a message in a picture's pixels; what it gives has been revealed.

    Args:
      pixels: the cover, uint8 `[H, W]`, `[H, W, 1]` or `[H, W, 3]`; it is not modified.
      message: any bytes.
      password: a text, or what `secret.password` and `secret.key_file` give.
      scheme: a cost with a recipe, such as "hill-cmd" (the default), see `embed.parse_scheme`.
      code: "stc" (the default) or "polar".

    Returns:
      The stego, uint8 of the cover's shape.

    Raises:
      InputError: the array is no picture, the message is no bytes or does not fit, the password is
        none, or an option is unknown.
    """
    if not isinstance(message, bytes | bytearray):
        raise InputError(f"the message is bytes, not {type(message).__name__}; encode a text first")
    hider = hiders.load(None, Options(scheme=scheme, code=code))
    stego = hider.hide(_secret(password), cover_of(_checked(pixels)), bytes(message))
    return pixels_of(stego.elements).reshape(np.shape(pixels))


def reveal(pixels: np.ndarray, password: Password) -> bytes:
    """Reads the message that `hide`, or the command, has put into a picture.

    Args:
      pixels: the stego, uint8 `[H, W]`, `[H, W, 1]` or `[H, W, 3]`.
      password: as it was given to `hide`.

    Returns:
      The message.

    Raises:
      InputError: the array is no picture, or there is no message for this password.
    """
    return hiders.load(None).reveal(_secret(password), cover_of(_checked(pixels)))


def capacity(pixels: np.ndarray, *, scheme: str | None = None) -> int:
    """How many bytes of message a picture carries.

    Args:
      pixels: the cover, uint8 `[H, W]`, `[H, W, 1]` or `[H, W, 3]`.
      scheme: as for `hide`.

    Returns:
      Bytes after compression; -1 where not even an empty message fits.

    Raises:
      InputError: the array is no picture, or the scheme is unknown.
    """
    most = hiders.load(None, Options(scheme=scheme)).capacity(cover_of(_checked(pixels))).most
    return -1 if most is None else most


def _checked(pixels: np.ndarray) -> np.ndarray:
    """The pixels as `[H, W, C]`."""
    try:
        values = np.asarray(pixels)
    except ValueError as error:
        raise InputError(
            "pixels are uint8 [H, W] or [H, W, 3]; got rows of many lengths"
        ) from error
    if values.dtype != np.uint8 or values.ndim not in (2, 3) or values.size == 0:
        raise InputError(
            f"pixels are uint8 [H, W] or [H, W, 3]; got {values.dtype} {list(values.shape)}"
        )
    values = values[..., None] if values.ndim == 2 else values
    if values.shape[2] not in (1, 3):
        raise InputError(
            f"pixels have 1 or 3 channels, got {values.shape[2]}; take transparency off and put it "
            "back afterwards, or use hiders.hide_file"
        )
    return values


def _secret(password: Password) -> secret.Secret:
    if isinstance(password, secret.Secret):
        return password
    if not isinstance(password, str | bytes):
        raise InputError(
            f"the password is a text, or what secret.password or secret.key_file gives; got "
            f"{type(password).__name__}"
        )
    return secret.password(password)
