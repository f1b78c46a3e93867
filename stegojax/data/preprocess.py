"""Operations on one picture before it is batched, each a named function: crops, resizing, JPEG,
colour, flips.

Pictures are NumPy uint8 `[H, W, C]`, C = 1 or 3, in and out: NumPy, because these run in worker
processes that must not start an accelerator. Random operations take a NumPy generator first. A
chain is written as texts, `("centre_crop:256", "jpeg:50", "grey")`, and parsed once by `parse`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from stegojax import images
from stegojax.errors import InputError

Size = tuple[int, int]

_STRIP = 192


def random_crop(rng: np.random.Generator, picture: np.ndarray, size: Size) -> np.ndarray:
    """A window at a uniformly random place.

    Args:
      rng: the source of randomness.
      picture: uint8 `[H, W, C]`.
      size: height and width of the window.

    Returns:
      uint8 `[height, width, C]`.

    Raises:
      InputError: the picture is smaller than the window.
    """
    _check(picture)
    smaller_than(size, picture.shape[:2])
    top = int(rng.integers(picture.shape[0] - size[0] + 1))
    left = int(rng.integers(picture.shape[1] - size[1] + 1))
    return picture[top : top + size[0], left : left + size[1]]


def centre_crop(picture: np.ndarray, size: Size) -> np.ndarray:
    """The window in the middle (half a pixel up and left of it where the difference is odd).

    Args:
      picture: uint8 `[H, W, C]`.
      size: height and width of the window.

    Returns:
      uint8 `[height, width, C]`.

    Raises:
      InputError: the picture is smaller than the window.
    """
    _check(picture)
    smaller_than(size, picture.shape[:2])
    top, left = (picture.shape[0] - size[0]) // 2, (picture.shape[1] - size[1]) // 2
    return picture[top : top + size[0], left : left + size[1]]


def resize(picture: np.ndarray, size: Size) -> np.ndarray:
    """MATLAB's `imresize` (bicubic, antialiased) of a uint8 picture.

    As there, the dimension with the smaller scale goes first (rows first where they are equal), and
    the result of each of the two passes is rounded to uint8.

    Args:
      picture: uint8 `[H, W, C]`.
      size: height and width of the result.

    Returns:
      uint8 `[height, width, C]`.
    """
    _check(picture)
    scales = [size[axis] / picture.shape[axis] for axis in (0, 1)]
    result = picture
    for axis in sorted((0, 1), key=lambda axis: scales[axis]):
        result = (
            _resize_rows(result, size[0])
            if axis == 0
            else _resize_rows(result.swapaxes(0, 1), size[1]).swapaxes(0, 1)
        )
    return np.ascontiguousarray(result)


def shrink(picture: np.ndarray, factor: float) -> np.ndarray:
    """The picture made smaller with a box filter: every new pixel is the mean of the area that it
    covers, rounded.

    It takes most of the traces of an earlier JPEG compression out of a photograph.

    Args:
      picture: uint8 `[H, W, C]`.
      factor: how many times smaller each side becomes, above 1.

    Returns:
      uint8 `[round(H / factor), round(W / factor), C]`.
    """
    _check(picture)
    height, width = _shrunk(picture.shape[:2], factor)
    values = _area_means(picture.astype(np.float32), height)
    values = _area_means(values.swapaxes(0, 1), width).swapaxes(0, 1)
    return np.ascontiguousarray(np.floor(values + 0.5).astype(np.uint8))


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """The picture after JPEG compression at a quality factor; see `images.jpeg_recompress`.

    Args:
      picture: uint8 `[H, W, C]`.
      quality: 1..100.

    Returns:
      uint8 `[H, W, C]`.
    """
    return images.jpeg_recompress(picture, quality)


def to_grey(picture: np.ndarray) -> np.ndarray:
    """The luma of a picture (BT.601 weights), rounded; a grey picture is returned as it is.

    Args:
      picture: uint8 `[H, W, C]`.

    Returns:
      uint8 `[H, W, 1]`.
    """
    _check(picture)
    if picture.shape[2] == 1:
        return picture
    luma = picture.astype(np.float64) @ np.asarray(images.LUMA)
    return np.floor(luma + 0.5).astype(np.uint8)[..., None]


def to_colour(picture: np.ndarray) -> np.ndarray:
    """Three equal channels from a grey picture; a colour picture is returned as it is.

    Args:
      picture: uint8 `[H, W, C]`.

    Returns:
      uint8 `[H, W, 3]`.
    """
    _check(picture)
    return picture if picture.shape[2] == 3 else np.repeat(picture, 3, axis=2)


def random_flip(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """The picture or its mirror image (left and right exchanged), with probability 1/2 each.

    Args:
      rng: the source of randomness.
      picture: uint8 `[H, W, C]`.

    Returns:
      uint8 `[H, W, C]`.
    """
    _check(picture)
    return picture[:, ::-1] if rng.integers(2) else picture


def random_rot90(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """The picture turned by 0, 90, 180 or 270 degrees, with probability 1/4 each; square pictures
    only.

    Args:
      rng: the source of randomness.
      picture: uint8 `[H, H, C]`.

    Returns:
      uint8 `[H, H, C]`.

    Raises:
      InputError: the picture is not square, so batches would not fit together.
    """
    _check(picture)
    _square(picture.shape[:2])
    return np.rot90(picture, int(rng.integers(4)))


class Operation(NamedTuple):
    """What a name in a chain stands for.

    function:   the operation: `(picture[, argument])`, or `(rng, picture[, argument])` where it is
                random.
    random:     whether it takes a generator first.
    argument:   turns the text behind the colon into the argument; None where the operation takes
                none.
    size_after: `(size[, argument]) -> size`, raising `InputError` where the size does not fit.
    """

    function: Callable
    random: bool
    argument: Callable[[str], object] | None
    size_after: Callable[..., Size]


class Step(NamedTuple):
    """One parsed element of a chain.

    text: what was parsed.
    apply: `(rng, picture) -> picture`.
    size_after: `size -> size`, raising `InputError` where the size does not fit.
    """

    text: str
    apply: Callable[[np.random.Generator, np.ndarray], np.ndarray]
    size_after: Callable[[Size], Size]


def parse(chain: Iterable[str]) -> tuple[Step, ...]:
    """Turns the texts of a chain into its steps.

    Args:
      chain: texts `name` or `name:argument`; a size is `256` or `256x384` (height x width), a
        quality 1..100.

    Returns:
      The steps in order.

    Raises:
      InputError: an unknown name, or a missing, superfluous or malformed argument.
    """
    if isinstance(chain, str):
        raise InputError(
            f"preprocess must be a sequence of texts, got the text {chain!r}; write ({chain!r},)"
        )
    return tuple(_parse_one(text) for text in chain)


def apply(rng: np.random.Generator, picture: np.ndarray, steps: Iterable[Step]) -> np.ndarray:
    """Applies a parsed chain.

    Args:
      rng: the source of randomness of the random steps.
      picture: uint8 `[H, W, C]`.
      steps: what `parse` returned.

    Returns:
      uint8 `[H', W', C']`.
    """
    for step in steps:
        picture = step.apply(rng, picture)
    return picture


def size_after(size: Size, steps: Iterable[Step]) -> Size:
    """The size of a picture after a chain, without the picture.

    Args:
      size: height and width before.
      steps: what `parse` returned.

    Returns:
      Height and width after.

    Raises:
      InputError: the picture is too small for a crop of the chain.
    """
    for step in steps:
        size = step.size_after(size)
    return size


def smaller_than(window: Size, size: Size) -> Size:
    """Checks that a window fits into a picture, and returns the window.

    Args:
      window: height and width of the crop.
      size: height and width of the picture.

    Returns:
      The window.

    Raises:
      InputError: it does not fit.
    """
    if size[0] < window[0] or size[1] < window[1]:
        raise InputError(
            f"is {size[0]}x{size[1]}, smaller than the crop {window[0]}x{window[1]}; lower "
            "data.crop, begin "
            f'data.preprocess with "resize:{window[0]}x{window[1]}", or leave the picture out'
        )
    return window


def _area_means(rows: np.ndarray, new: int) -> np.ndarray:
    """Means of the `new` intervals of equal length that the first dimension is cut into; a row
    belongs to two by its parts.
    """
    old = rows.shape[0]
    ends = np.arange(new + 1) * (old / new)
    first = np.minimum(ends[:-1].astype(int), old - 1)
    sums = np.zeros((new, *rows.shape[1:]), np.float32)
    for tap in range(int(np.ceil(old / new)) + 1):
        row = np.minimum(first + tap, old - 1)
        share = np.clip(
            np.minimum(ends[1:], first + tap + 1) - np.maximum(ends[:-1], first + tap), 0.0, None
        )
        sums += (share * (new / old)).astype(np.float32)[:, None, None] * rows[row]
    return sums


def _resize_rows(picture: np.ndarray, new: int) -> np.ndarray:
    """One pass of `resize`, along the first dimension: a sum over the few old rows that each new
    row depends on.

    Not a matrix product, because the threads of a linear algebra library and those that prepare
    pictures get in each other's way; and in strips of columns that stay in the processor's cache.
    """
    old, rest = picture.shape[0], picture.shape[1:]
    weights = images.resize_weights(old, new)
    begin = (weights != 0).argmax(axis=1)
    count = (old - (weights[:, ::-1] != 0).argmax(axis=1) - begin).max()
    begin = np.minimum(begin, old - count)
    taps = [(weights[np.arange(new), begin + tap][:, None], begin + tap) for tap in range(count)]
    columns = picture.reshape(old, -1)
    result = np.empty((new, columns.shape[1]), np.uint8)
    for left in range(0, columns.shape[1], _STRIP):
        strip = columns[:, left : left + _STRIP].astype(np.float64)
        sums = sum(weight * strip[row] for weight, row in taps)
        result[:, left : left + _STRIP] = np.clip(np.floor(sums + 0.5), 0, 255)
    return result.reshape(new, *rest)


def _check(picture: np.ndarray) -> None:
    # Of pairs of JPEG files, networks see pixels that were never rounded.
    of_a_pair = picture.ndim == 3 and picture.shape[2] == 2
    dtypes = (np.uint8, np.float32) if of_a_pair else (np.uint8,)
    if picture.ndim != 3 or picture.shape[2] not in (1, 2, 3) or picture.dtype not in dtypes:
        raise ValueError(
            "picture must be uint8 [H, W, 1 or 3], or [H, W, 2] for a cover with its stego, got "
            f"{picture.dtype} {list(picture.shape)}"
        )


def _square(size: Size) -> Size:
    if size[0] != size[1]:
        raise InputError(
            f"is {size[0]}x{size[1]}, and random_rot90 needs square pictures; crop to a square "
            "before it"
        )
    return size


def _size(text: str) -> Size:
    height, _, width = text.partition("x")
    size = int(height), int(width or height)
    if min(size) < 1:
        raise ValueError("a size must be positive")
    return size


def _quality(text: str) -> int:
    quality = int(text)
    if not 1 <= quality <= 100:
        raise ValueError("a quality must be 1..100")
    return quality


def _factor(text: str) -> float:
    factor = float(text)
    if not 1 < factor <= 64:
        raise ValueError("a factor must be above 1 and at most 64")
    return factor


def _shrunk(size: Size, factor: float) -> Size:
    return max(1, round(size[0] / factor)), max(1, round(size[1] / factor))


def _same(size: Size, argument=None) -> Size:
    return size


def _crop_size(size: Size, window: Size) -> Size:
    return smaller_than(window, size)


def _new_size(size: Size, argument: Size) -> Size:
    return argument


OPERATIONS = {
    "random_crop": Operation(random_crop, True, _size, _crop_size),
    "centre_crop": Operation(centre_crop, False, _size, _crop_size),
    "resize": Operation(resize, False, _size, _new_size),
    "shrink": Operation(shrink, False, _factor, _shrunk),
    "jpeg": Operation(jpeg, False, _quality, _same),
    "grey": Operation(to_grey, False, None, _same),
    "colour": Operation(to_colour, False, None, _same),
    "random_flip": Operation(random_flip, True, None, _same),
    "random_rot90": Operation(random_rot90, True, None, _square),
}
"""Every name that a chain may hold."""


def _parse_one(text: str) -> Step:
    name, colon, argument = str(text).partition(":")
    if name not in OPERATIONS:
        raise InputError(
            f"preprocess: unknown operation {text!r}; known are {', '.join(OPERATIONS)}"
        )
    operation = OPERATIONS[name]
    if operation.argument is None:
        if colon:
            raise InputError(f"preprocess: {name} takes no argument, got {text!r}")
        return Step(text, functools.partial(_run, operation, ()), operation.size_after)
    try:
        value = operation.argument(argument)
    except ValueError as error:
        example = {"jpeg": "jpeg:75", "shrink": "shrink:1.5"}.get(
            name, f"{name}:256 or {name}:256x384"
        )
        raise InputError(
            f"preprocess: cannot read {text!r} ({error}); write it like {example}"
        ) from error
    return Step(
        text,
        functools.partial(_run, operation, (value,)),
        lambda size: operation.size_after(size, value),
    )


def _run(
    operation: Operation, arguments: tuple, rng: np.random.Generator, picture: np.ndarray
) -> np.ndarray:
    if operation.random:
        return operation.function(rng, picture, *arguments)
    return operation.function(picture, *arguments)
