"""Hiding a picture in a picture, and revealing it, with a trained run (ISGAN and the systems it is
compared with). There is no key: whoever has the run reveals.
"""

from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np

from stegojax import images, metrics, run
from stegojax.data import preprocess
from stegojax.errors import InputError
from stegojax.hiders.contract import Capacity, Hider, Options, Stego, cover_of, pixels_of, refuse
from stegojax.hiders.prediction import predict
from stegojax.types import Cover


def hider(loaded: run.Loaded, options: Options) -> Hider:
    """What hides pictures.

    Args:
      loaded: a run of such a system.
      options: as a person gave them; none is of use here.

    Returns:
      The hider. Its messages are picture files of any size: they are made grey, but for runs that
      hide colour, and resized to the cover's size where they differ. Of several covers it takes
      the one whose stego is most like it (ISGAN, sec. 4).

    Raises:
      InputError: an option is given.
    """
    refuse(options, "scheme", "code", "constraint_height")

    colour = bool(loaded.config.get("data", {}).get("secret_colour", False))

    def hide(shared, cover, message):
        del shared
        pixels = preprocess.to_colour(pixels_of(cover))
        secret, note = _secret(message, pixels.shape[:2], colour=colour)
        outputs = predict(loaded, {"cover": pixels, "secret": secret}, names=("stego",))
        stego = outputs["stego"].astype(np.uint8)
        revealed = pixels_of(reveal(None, cover_of(stego)))
        return Stego(
            cover_of(stego),
            f"stego {_psnr(stego, pixels):.2f} dB, revealed {_psnr(revealed, secret):.2f} dB",
            note,
        )

    def choose(covers, message):
        return int(np.argmax([_similarity(hide(None, cover, message), cover) for cover in covers]))

    def reveal(shared, stego):
        del shared
        pixels = pixels_of(stego)
        if pixels.shape[2] != 3:
            raise InputError(
                "a stego of this run is a colour picture, this one is grey; give the file as it "
                "was written"
            )
        outputs = predict(loaded, {"stego": pixels}, names=("revealed",))
        return cover_of(outputs["revealed"].astype(np.uint8))

    return Hider(
        takes_cover=True,
        takes_secret=False,
        hide=hide,
        reveal=reveal,
        capacity=functools.partial(_capacity, colour=colour),
        choose=choose,
    )


def _similarity(hidden: Stego, cover: Cover) -> float:
    """SSIM of a stego and its cover."""
    stego, original = (
        jnp.asarray(preprocess.to_colour(pixels_of(each)), jnp.float32)[None]
        for each in (hidden.elements, cover)
    )
    return float(metrics.ssim(stego, original)[0])


def _secret(
    message: bytes, size: tuple[int, int], *, colour: bool
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The secret picture, grey or colour and of the cover's size, and what was done to it."""
    pixels = images.read(message, name="the message").pixels
    pixels = preprocess.to_colour(pixels) if colour else pixels
    secret = jnp.asarray(pixels, jnp.float32)
    secret = secret if colour else images.grey(secret)
    height, width = secret.shape[:2]
    note: tuple[str, ...] = ()
    if (height, width) != size:
        secret = images.imresize(secret, size)
        note = (f"the message is resized from {width}x{height} to the size of the cover",)
    return np.asarray(images.round_to_pixels(secret)).astype(np.uint8), note


def _capacity(cover: Cover, *, colour: bool) -> Capacity:
    height, width = cover.planes[0].shape
    return Capacity(
        height * width,
        "pixels",
        height * width,
        (
            f"carries a {'colour' if colour else 'grey'} picture of {width}x{height}, which comes "
            "back with losses",
        ),
    )


def _psnr(x: np.ndarray, y: np.ndarray) -> float:
    return float(metrics.psnr(*(jnp.asarray(pixels[None], jnp.float32) for pixels in (x, y)))[0])
