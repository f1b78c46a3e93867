"""Hiding and revealing in files with a trained run: one whose message is a picture (ISGAN and the systems it is compared with),
or one that has learned costs, with which `hiding` then hides any file (the asymmetric-cost GAN).

Pictures are uint8 `[H, W, C]` here, as in files.
"""

from __future__ import annotations

import functools
import pathlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stegojax import images, metrics, run, tiles
from stegojax.errors import InputError
from stegojax.methods import SCHEMES


class Hidden(NamedTuple):
    """What came of hiding a picture.

    stego_psnr:    of the written file against the cover, dB.
    revealed_psnr: of what the file gives back against the secret as it was hidden, dB.
    resized:       the secret's (height, width) before it was made the cover's size, or None.
    """

    stego_psnr: float
    revealed_psnr: float
    resized: tuple[int, int] | None


def embeds_by_costs(workdir: str | pathlib.Path) -> bool:
    """Whether a run has learned costs with which any file can be hidden; only its config is read.

    Raises:
      InputError: the folder is not a run.
    """
    return run.read_config(pathlib.Path(workdir)).method.name in SCHEMES


def check_hides_pictures(loaded: run.Loaded, workdir: pathlib.Path) -> None:
    """Raises `InputError` unless the run's messages are pictures."""
    if loaded.config.data.kind != "pairs":
        raise InputError(f"the run in {workdir} ({loaded.config.method.name}) does not hide pictures in pictures")


@functools.lru_cache(maxsize=4)
def _compiled(predict):
    def call(state, pictures, key):
        return predict(state, pictures, key)

    return jax.jit(call)


def _predict(loaded: run.Loaded, pictures: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`Method.predict` on uint8 pictures `[H, W, C]` of any size, tiled where they are large."""
    made = loaded.method
    height, width = next(iter(pictures.values())).shape[:2]
    multiple = made.size_multiple
    bottom, right = -height % multiple, -width % multiple
    padded = {name: np.pad(value.astype(np.float32)[None], ((0, 0), (0, bottom), (0, right), (0, 0)), mode="edge")
              for name, value in pictures.items()}
    predict = _compiled(made.predict)
    key = jax.random.key(loaded.config.seed)
    results = tiles.apply(lambda part: predict(loaded.state, {name: jnp.asarray(value) for name, value in part.items()}, key),
                          padded, radius=made.receptive_radius)
    return {name: value[0, :height, :width].astype(np.uint8) for name, value in results.items()}


def hide_picture(workdir: str | pathlib.Path, cover: str | pathlib.Path, secret: str | pathlib.Path,
                 stego: str | pathlib.Path, *, overwrite: bool = False) -> Hidden:
    """Hides one picture file in another with a trained run, and reads the result back from the written file.

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
    made = _predict(loaded, {"cover": cover_pixels, "secret": secret_pixels})["stego"]
    images.write(stego, made, like=cover_picture, overwrite=overwrite)
    written = images.read(stego).pixels
    if not np.array_equal(written, made):
        raise InputError(f"{stego}: does not read back as it was written; check the disk and try again")
    revealed = _predict(loaded, {"stego": written})["revealed"]
    return Hidden(_psnr(written, cover_pixels), _psnr(revealed, secret_pixels), resized)


def reveal_picture(workdir: str | pathlib.Path, stego: str | pathlib.Path, secret: str | pathlib.Path, *,
                   overwrite: bool = False) -> None:
    """Reveals the picture that a run hid in a file.

    Args:
      workdir: of the run.
      stego: the picture file to look into.
      secret: a lossless picture file to write, grey.
      overwrite: whether `secret` may replace a file.

    Raises:
      InputError: a file cannot be read or written, the stego is grey, or the run does not hide pictures.
    """
    images.lossless_format(secret)
    if pathlib.Path(secret).exists() and not overwrite:
        raise InputError(f"{secret}: exists already; choose another name or add --overwrite")
    picture = images.read(stego)
    loaded = run.load(pathlib.Path(workdir))
    check_hides_pictures(loaded, pathlib.Path(workdir))
    if picture.pixels.shape[2] != 3:
        raise InputError(f"{stego}: a stego of this run is a colour picture, this one is grey; give the file as it was written")
    images.write(secret, _predict(loaded, {"stego": picture.pixels})["revealed"], overwrite=overwrite)


def _psnr(x: np.ndarray, y: np.ndarray) -> float:
    return float(metrics.psnr(jnp.asarray(x[None], jnp.float32), jnp.asarray(y[None], jnp.float32))[0])
