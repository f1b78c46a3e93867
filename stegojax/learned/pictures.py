"""Hiding a picture in a picture file, and revealing it, with a trained run (ISGAN and the systems
it is compared with).

Pictures are uint8 `[H, W, C]` here, as in files.
"""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from stegojax import images, metrics, run
from stegojax.errors import InputError
from stegojax.learned.prediction import predict


class Hidden(NamedTuple):
    """What came of hiding a picture.

    stego_psnr:    of the written file against the cover, dB.
    revealed_psnr: of what the file gives back against the secret as it was hidden, dB.
    resized:       the secret's (height, width) before it was made the cover's size, or None.
    """

    stego_psnr: float
    revealed_psnr: float
    resized: tuple[int, int] | None


def check_hides_pictures(loaded: run.Loaded, workdir: pathlib.Path) -> None:
    """Raises `InputError` unless the run's messages are pictures."""
    if loaded.config.data.kind != "pairs":
        raise InputError(
            f"the run in {workdir} ({loaded.config.method.name}) does not hide pictures in pictures"
        )


def hide_picture(
    workdir: str | pathlib.Path,
    cover: str | pathlib.Path,
    secret: str | pathlib.Path,
    stego: str | pathlib.Path,
    *,
    overwrite: bool = False,
) -> Hidden:
    """Hides one picture file in another with a trained run, and reads the result back from the
    written file.

    Args:
      workdir: of the run.
      cover: a picture file of any size; a grey one is treated as colour.
      secret: a picture file; it is made grey, and resized to the cover's size where it differs.
      stego: a PNG file to write.
      overwrite: whether `stego` may replace a file.

    Returns:
      The figures of the written file.

    Raises:
      InputError: a file cannot be read or written, or the run does not hide pictures.
    """
    stego = pathlib.Path(stego)
    if stego.suffix.lower() != ".png":
        images.lossless_format(stego)
        raise InputError(f"{stego}: a stego is written as PNG; give a name that ends in .png")
    if stego.exists() and not overwrite:
        raise InputError(f"{stego}: exists already; choose another name or add --overwrite")
    cover_picture, secret_picture = images.read(cover), images.read(secret)
    loaded = run.load(pathlib.Path(workdir))
    check_hides_pictures(loaded, pathlib.Path(workdir))
    cover_pixels = np.broadcast_to(cover_picture.pixels, cover_picture.pixels.shape[:2] + (3,))
    size = cover_pixels.shape[:2]
    secret_float = images.grey(jnp.asarray(secret_picture.pixels, jnp.float32))
    resized = None
    if secret_float.shape[:2] != size:
        resized = secret_picture.pixels.shape[:2]
        secret_float = images.imresize(secret_float, size)
    secret_pixels = np.asarray(images.round_to_pixels(secret_float)).astype(np.uint8)
    made = predict(loaded, {"cover": cover_pixels, "secret": secret_pixels})["stego"].astype(
        np.uint8
    )
    images.write(stego, made, like=cover_picture, overwrite=overwrite)
    written = images.read(stego).pixels
    if not np.array_equal(written, made):
        raise InputError(
            f"{stego}: does not read back as it was written; check the disk and try again"
        )
    revealed = predict(loaded, {"stego": written})["revealed"].astype(np.uint8)
    return Hidden(_psnr(written, cover_pixels), _psnr(revealed, secret_pixels), resized)


def reveal_picture(
    workdir: str | pathlib.Path,
    stego: str | pathlib.Path,
    secret: str | pathlib.Path,
    *,
    overwrite: bool = False,
) -> None:
    """Reveals the picture that a run hid in a file.

    Args:
      workdir: of the run.
      stego: the picture file to look into.
      secret: a lossless picture file to write, grey.
      overwrite: whether `secret` may replace a file.

    Raises:
      InputError: a file cannot be read or written, the stego is grey, or the run does not hide
        pictures.
    """
    images.lossless_format(secret)
    if pathlib.Path(secret).exists() and not overwrite:
        raise InputError(f"{secret}: exists already; choose another name or add --overwrite")
    picture = images.read(stego)
    loaded = run.load(pathlib.Path(workdir))
    check_hides_pictures(loaded, pathlib.Path(workdir))
    if picture.pixels.shape[2] != 3:
        raise InputError(
            f"{stego}: a stego of this run is a colour picture, this one is grey; give the file "
            "as it was written"
        )
    images.write(
        secret,
        predict(loaded, {"stego": picture.pixels})["revealed"].astype(np.uint8),
        overwrite=overwrite,
    )


def _psnr(x: np.ndarray, y: np.ndarray) -> float:
    return float(
        metrics.psnr(jnp.asarray(x[None], jnp.float32), jnp.asarray(y[None], jnp.float32))[0]
    )
