"""The channel of bits that a trained run opens in a picture (SFTN and its family): its networks
write bits, and read most of them right.

How the bits run, and why a large picture is cut into blocks: `envelope.py`, "By networks". Pictures
are uint8 `[H, W, C]` here, as in files.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from stegojax import run
from stegojax.coding import correction
from stegojax.data import preprocess
from stegojax.errors import InputError
from stegojax.hiders.prediction import predict, predict_many
from stegojax.methods import METHODS
from stegojax.methods.bit_hiding import MessageShape


class Sounding(NamedTuple):
    """What a trial with random bits says about a cover.

    elements:    bits that the networks hide in it, right or wrong.
    accuracy:    share of them that they read right from the rounded stego.
    information: what one element tells on average, in bits.
    trust:       how much to trust outputs, from `correction.calibrate`.
    """

    elements: int
    accuracy: float
    information: float
    trust: np.ndarray


def message_shape(loaded: run.Loaded) -> MessageShape:
    """How many bits a run hides, and in what.

    Args:
      loaded: a trained run.

    Returns:
      The shape.

    Raises:
      InputError: the run's messages are no bits.
    """
    entry, section = run.entry(loaded.config)
    if entry.message is None:
        others = ", ".join(name for name, known in METHODS.items() if known.message)
        raise InputError(
            f"a run of {loaded.config.method.name} does not hide bits in pictures; there are runs "
            f"of {others} for that"
        )
    return entry.message(section)


def elements(loaded: run.Loaded, pixels: np.ndarray) -> int:
    """How many bits a run hides in a picture, right or wrong.

    Args:
      loaded: a trained run.
      pixels: the picture.

    Returns:
      The number N.
    """
    shape, (height, width) = message_shape(loaded), block_size(loaded)
    planes = pixels.shape[2] if shape.channels == 1 else 1
    if shape.depth:
        return planes * pixels.shape[0] * pixels.shape[1] * shape.depth
    return planes * (pixels.shape[0] // height) * (pixels.shape[1] // width) * shape.length


def block_size(loaded: run.Loaded) -> tuple[int, int]:
    """Height and width of the pictures that a run was trained on.

    Args:
      loaded: a trained run.

    Returns:
      Both, in pixels.
    """
    return run.example(loaded.config)["cover"].shape[1:3]


def write_bits(loaded: run.Loaded, pixels: np.ndarray, bits_N: np.ndarray) -> np.ndarray:
    """A picture with bits written into it by a run's encoder, rounded.

    Args:
      loaded: a trained run.
      pixels: the cover.
      bits_N: `[N]` uint8, as many as `elements` says.

    Returns:
      The stego, uint8 `[H, W, C]`; of three channels where the run is for colour pictures.
    """
    stegos = []
    for plane, message in _planes_and_messages(loaded, pixels, bits_N):
        if message.ndim == 3:
            batch = {"cover": plane, "message": message}
            stegos.append(predict(loaded, batch, names=("stego",))["stego"])
        else:
            batch = {"cover": _blocks(plane, block_size(loaded)), "message": message}
            stegos.append(
                _with_blocks(plane, predict_many(loaded, batch, names=("stego",))["stego"])
            )
    return np.concatenate(stegos, axis=-1).astype(np.uint8)


def read_bits(loaded: run.Loaded, pixels: np.ndarray) -> np.ndarray:
    """What a run's decoder says of every bit of a stego.

    Args:
      loaded: a trained run.
      pixels: the stego, of three channels where the run is for colour pictures.

    Returns:
      `[N]` float32 logits, positive for 1.
    """
    shape, size = message_shape(loaded), block_size(loaded)
    logits = []
    for plane in _planes(pixels, shape):
        if shape.depth:
            outputs = predict(loaded, {"stego": plane}, names=("logits",))
        else:
            outputs = predict_many(loaded, {"stego": _blocks(plane, size)}, names=("logits",))
        logits.append(outputs["logits"].ravel())
    return np.concatenate(logits)


def sound(loaded: run.Loaded, pixels: np.ndarray) -> Sounding:
    """Hides random bits in a cover, always the same ones, and counts how they come back.

    Args:
      loaded: a trained run.
      pixels: the cover.

    Returns:
      The figures.

    Raises:
      InputError: the cover is smaller than a block of the run.
    """
    count = elements(loaded, pixels)
    if not count:
        height, width = block_size(loaded)
        raise InputError(
            f"the picture is {pixels.shape[1]}x{pixels.shape[0]}, smaller than the "
            f"{width}x{height} that the run hides in; take a larger one"
        )
    bits = np.random.default_rng(0).integers(0, 2, count).astype(np.uint8)
    return sounding_of(read_bits(loaded, write_bits(loaded, pixels, bits)), bits)


def sounding_of(logits_N: np.ndarray, bits_N: np.ndarray) -> Sounding:
    """What known bits say about the cover that they were read from.

    Args:
      logits_N: `[N]`, as they were read.
      bits_N: `[N]`, as they were written.

    Returns:
      The figures.
    """
    trust = correction.calibrate(logits_N, bits_N)
    accuracy = float(np.mean((logits_N > 0) == (bits_N > 0)))
    return Sounding(bits_N.size, accuracy, correction.information(trust), trust)


def measure(loaded: run.Loaded, pixels: np.ndarray, bits_N: np.ndarray) -> dict[str, float]:
    """The figures of `Method.measure` on a whole picture.

    Args:
      loaded: a trained run.
      pixels: the cover.
      bits_N: `[N]` uint8, as many as `elements` says.

    Returns:
      Their means over the channels or blocks of the picture.
    """
    figures = []
    for plane, message in _planes_and_messages(loaded, pixels, bits_N):
        if message.ndim == 3:
            outputs = predict(loaded, {"cover": plane, "message": message})
            outputs = {name: value[None] for name, value in outputs.items()}
            batch = {"cover": plane[None].astype(np.float32)}
        else:
            covers = _blocks(plane, block_size(loaded)).astype(np.float32)
            batch = {"cover": covers, "message": message}
            outputs = predict_many(loaded, batch)
        figures.append(loaded.method.measure(batch, outputs))
    return {
        name: float(np.mean([np.mean(values[name]) for values in figures])) for name in figures[0]
    }


def _planes_and_messages(
    loaded: run.Loaded, pixels: np.ndarray, bits_N: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """What the networks see, and the bits for it: `[H, W, depth]`, or `[blocks, length]`."""
    shape = message_shape(loaded)
    planes = _planes(pixels, shape)
    sizes = [
        (*plane.shape[:2], shape.depth) if shape.depth else (-1, shape.length) for plane in planes
    ]
    return [
        (plane, bits.reshape(size))
        for plane, bits, size in zip(planes, bits_N.reshape(len(planes), -1), sizes, strict=True)
    ]


def _planes(pixels: np.ndarray, shape: MessageShape) -> list[np.ndarray]:
    """The pictures `[H, W, channels]` that the networks see."""
    if shape.channels == 3:
        return [preprocess.to_colour(pixels)]
    return [pixels[..., channel : channel + 1] for channel in range(pixels.shape[2])]


def _blocks(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """`[n, h, w, C]`, row by row from the top left; what is left over on the right and below is in
    none.
    """
    down, across = (side // block for side, block in zip(plane.shape, size))
    cut = plane[: down * size[0], : across * size[1]]
    return (
        cut.reshape(down, size[0], across, size[1], -1)
        .swapaxes(1, 2)
        .reshape(-1, *size, plane.shape[2])
    )


def _with_blocks(plane: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """The plane with blocks put in, the inverse of `_blocks`."""
    size = blocks.shape[1:3]
    down, across = (side // block for side, block in zip(plane.shape, size))
    whole = plane.astype(np.float32)
    whole[: down * size[0], : across * size[1]] = (
        blocks.reshape(down, across, *blocks.shape[1:])
        .swapaxes(1, 2)
        .reshape(down * size[0], across * size[1], -1)
    )
    return whole
