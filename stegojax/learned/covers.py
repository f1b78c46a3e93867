"""Covers that nobody has seen before: pictures made by a trained run (SSGAN, SGAN), alone or with a
message hidden in them.

What a picture is made from comes from the operating system, is used once and never stored, so no
second picture like it exists that a stego could be compared with. The message is hidden by costs
and codes as in any picture, and the receiver needs the key alone. Pictures are uint8 `[H, W, C]`
here, as in files.
"""

from __future__ import annotations

import functools
import pathlib
import secrets
from collections.abc import Callable, Sequence

import jax
import numpy as np

from stegojax import hiding, images, run, secret
from stegojax.errors import InputError
from stegojax.methods import METHODS
from stegojax.models import dcgan
from stegojax.types import Array, State

MOST = 9999
"""How many pictures are written by one call: their names have four digits."""

_BATCH = 16


def load(workdir: str | pathlib.Path) -> run.Loaded:
    """Reads a run that makes covers.

    Args:
      workdir: of the run.

    Raises:
      InputError: the folder is not a run, has no checkpoint, or is a run for something else.
    """
    config = run.read_config(pathlib.Path(workdir))
    name = config.get("method", {}).get("name", "")
    if name not in METHODS or METHODS[name].use != "covers":
        makers = ", ".join(name for name, known in METHODS.items() if known.use == "covers")
        raise InputError(
            f"the run in {workdir} ({name or 'the security protocol'}) makes no covers; there are "
            f"runs of {makers} for that"
        )
    return run.load(pathlib.Path(workdir))


def make(loaded: run.Loaded, count: int) -> np.ndarray:
    """Makes pictures, each from 400 fresh bytes of the operating system's randomness.

    Args:
      loaded: a run that makes covers.
      count: how many.

    Returns:
      uint8 `[count, H, W, 3]`.
    """
    pictures = []
    for first in range(0, count, _BATCH):
        words = np.frombuffer(secrets.token_bytes(4 * _BATCH * dcgan.NOISE), np.uint32).reshape(
            _BATCH, dcgan.NOISE
        )
        # The upper 24 bits: as many as a float32 in (-1, 1) has without rounding to an end of the
        # interval.
        noise = ((words >> 8) + 0.5) / 2.0**23 - 1.0
        pictures.append(generator(loaded.method.predict)(loaded.state, noise.astype(np.float32)))
    return np.concatenate(pictures)[:count].astype(np.uint8)


@functools.lru_cache(maxsize=4)
def generator(predict: Callable) -> Callable[[State, np.ndarray], Array]:
    """The generator of a method, compiled.

    Args:
      predict: `Method.predict` of a method that makes covers.

    Returns:
      `(state, noise [B, 100]) -> pictures [B, H, W, 3]`, float32 whole values 0..255.
    """
    return jax.jit(
        lambda state, noise: predict(state, {"noise": noise}, jax.random.key(0))["generated"]
    )


def generate(
    workdir: str | pathlib.Path, folder: str | pathlib.Path, *, count: int, overwrite: bool = False
) -> Sequence[pathlib.Path]:
    """Writes pictures that a run makes: 0001.png and so on.

    Args:
      workdir: of the run.
      folder: where to; it is made where it is missing.
      count: how many.
      overwrite: whether they may replace files.

    Returns:
      The files.

    Raises:
      InputError: the count is none, a file cannot be written, or the run makes no covers.
    """
    folder = pathlib.Path(folder)
    if not 1 <= count <= MOST:
        raise InputError(f"{count} pictures cannot be made; ask for 1 to {MOST}")
    paths = [folder / f"{number:04d}.png" for number in range(1, count + 1)]
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; give the name of a folder")
    for path in paths:
        hiding.check_output(path, overwrite=overwrite)
    loaded = load(workdir)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made ({error.strerror}); name another folder"
        ) from error
    for path, pixels in zip(paths, make(loaded, count), strict=True):
        images.write(path, pixels, overwrite=overwrite)
    return paths


def hide_message(
    shared: secret.Secret,
    workdir: str | pathlib.Path,
    message: bytes,
    stego: str | pathlib.Path,
    *,
    choices: hiding.Choices = hiding.Choices(),
    overwrite: bool = False,
) -> hiding.Comparison:
    """Hides a message in a fresh cover, which is never written, and reads it back from the written
    file.

    Args:
      shared: password or key.
      workdir: of a run that makes covers.
      message: any bytes.
      stego: the lossless picture file to write.
      choices: how to embed.
      overwrite: whether `stego` may replace a file.

    Returns:
      How the written file differs from the cover.

    Raises:
      InputError: a file cannot be written, the message does not fit, or the run makes no covers.
    """
    hiding.check_output(stego, overwrite=overwrite)
    images.lossless_format(stego)
    hiding.check_choices(choices)
    picture = images.Picture(make(load(workdir), 1)[0])
    try:
        pixels = hiding.hide(shared, picture, message, choices=choices)
    except InputError as error:
        height, width = picture.pixels.shape[:2]
        most = hiding.capacity(picture, choices=choices).most
        room = "no message at all" if most is None else f"up to {most} bytes after compression"
        raise InputError(
            f"the cover of {width}x{height} that {workdir} made carries {room}, and this message "
            "takes more; shorten "
            "it, try again with another cover, or use a run that makes larger pictures"
        ) from error
    return hiding.write_checked(shared, picture, pixels, message, stego, overwrite=overwrite)
