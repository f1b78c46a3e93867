"""Covers that nobody has seen before: pictures made by a trained run (SSGAN, SGAN), alone or with a
message hidden in them.

What a picture is made from comes from the operating system, is used once and never stored, so no
second picture like it exists that a stego could be compared with. The message is hidden by costs
and codes as in any picture, and the receiver needs the key alone.
"""

from __future__ import annotations

import functools
import os
import pathlib
import secrets
from collections.abc import Callable, Sequence

import jax
import numpy as np

from stegojax import files, run
from stegojax.errors import InputError
from stegojax.hiders import by_costs, comparison
from stegojax.hiders.contract import Hider, Options, Stego, cover_of
from stegojax.hiders.in_files import write_elements
from stegojax.methods import METHODS
from stegojax.models import dcgan
from stegojax.types import Array, State

MOST = 9999
"""How many pictures are written by one call: their names have four digits."""

_BATCH = 16


def hider(loaded: run.Loaded, options: Options) -> Hider:
    """What hides in covers that a run makes.

    Args:
      loaded: a run that makes covers.
      options: as a person gave them.

    Returns:
      The hider. What it hides any hider by costs reveals, without the run.

    Raises:
      InputError: an option is unknown or does not go with the others.
    """
    choices = by_costs.choices_of(None, options)

    def hide(shared, cover, message):
        del cover
        cover = cover_of(make(loaded, 1)[0])
        try:
            stego = by_costs.hide(shared, cover, message, choices=choices)
        except InputError as error:
            most = by_costs.capacity(cover, choices=choices).most
            room = "no message at all" if most is None else f"up to {most} bytes after compression"
            size = comparison.described(cover).split()[0]
            raise InputError(
                f"the cover of {size} that {loaded.title} made carries {room}, and this message "
                "takes more; shorten it, try again with another cover, or use a run that makes "
                "larger pictures"
            ) from error
        changes = comparison.in_words(comparison.compare(cover, stego))
        return Stego(stego, f"{len(message)} bytes hidden in a fresh cover with {changes}")

    return Hider(
        takes_cover=False,
        takes_secret=True,
        hide=hide,
        reveal=by_costs.reveal,
        capacity=functools.partial(by_costs.capacity, choices=choices),
    )


def load(workdir: str | os.PathLike) -> run.Loaded:
    """Reads a run that makes covers.

    Args:
      workdir: of the run.

    Returns:
      The run.

    Raises:
      InputError: the folder is not a run, has no checkpoint, or is a run for something else.
    """
    name = run.read_config(workdir).get("method", {}).get("name", "")
    if name not in METHODS or METHODS[name].use != "covers":
        makers = ", ".join(name for name, known in METHODS.items() if known.use == "covers")
        raise InputError(
            f"the run in {workdir} ({name or 'the security protocol'}) makes no covers; there are "
            f"runs of {makers} for that"
        )
    return run.load(workdir)


def make(loaded: run.Loaded, count: int) -> np.ndarray:
    """Makes pictures, each from 400 fresh bytes of the operating system's randomness.

    Args:
      loaded: a run that makes covers.
      count: how many.

    Returns:
      uint8 `[count, H, W, 3]`.
    """
    pictures = []
    for _ in range(0, count, _BATCH):
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
    workdir: str | os.PathLike, folder: str | os.PathLike, *, count: int, overwrite: bool = False
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
    files.check_folder(folder)
    for path in paths if folder.is_dir() else ():
        files.check_output(path, overwrite=overwrite)
    loaded = load(workdir)
    files.make_folder(folder)
    for path, pixels in zip(paths, make(loaded, count), strict=True):
        write_elements(path, cover_of(pixels), overwrite=overwrite)
    return paths
