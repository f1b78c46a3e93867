"""JRM, the JPEG rich model: 11,255 features of the coefficients of a JPEG file's luminance, and
22,510 with its calibrated half (Kodovsky and Fridrich, SPIE 2012).

Joint frequencies of two coefficients, at fixed places in a block and its neighbours, or anywhere at
a fixed distance; of magnitudes and of their differences. Coefficients are numbered (u, v) in a
block; a place with a coordinate of 8 or more lies in the next block.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from stegojax.costs import dct
from stegojax.errors import InputError
from stegojax.steganalysis.coefficients import check_coefficients
from stegojax.types import Array

SMALLEST = 32
"""Least height and width: the calibrated half loses a block."""

SIZE = 11_255
"""Features of a plane, without the calibrated half."""

Place = tuple[int, int]
Pair = tuple[Place, Place]

_MODES = {
    **{v: (0, v) for v in range(6)},
    **{6 + v: (1, v) for v in range(5)},
    **{11 + v: (2, v) for v in range(4)},
    **{15 + v: (3, v) for v in range(3)},
    **{18: (4, 0), 19: (4, 1), 20: (5, 0), 22: (2, 4), 23: (3, 3), 24: (4, 2)},
}


def _pairs() -> list[Pair]:
    """The pairs of places of the 157 tables, in their order."""
    diagonal = (1, 2, 3, 4, 5, 7, 8, 9, 10, 13, 14)
    every = tuple(range(1, 21))
    groups: list[tuple[tuple[int, ...], Callable[[int, int], Pair]]] = [
        (every, lambda a, b: ((a, b), (a, b + 1))),
        (diagonal, lambda a, b: ((a, b), (a + 1, b + 1))),
        ((6, 7, 8, 9, 10, 12, 13, 14, 17), lambda a, b: ((a, b), (a - 1, b + 1))),
        ((1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 15, 16, 18), lambda a, b: ((a, b), (a, b + 2))),
        ((1, 2, 3, 4, 5, 8, 9, 10, 14), lambda a, b: ((a, b), (b, a))),
        ((1, 2, 3, 4, 7, 8, 9, 13), lambda a, b: ((a, b), (a + 2, b + 2))),
        ((11, 12, 13, 14, 22, 16, 17, 23, 24), lambda a, b: ((a, b), (a - 2, b + 2))),
        (tuple(range(6, 21)), lambda a, b: ((a, b), (a - 1, b + 2))),
        (every, lambda a, b: ((a, b), (a, b + 8))),
        (diagonal, lambda a, b: ((a, b), (a + 8, b + 8))),
        (diagonal, lambda a, b: ((a + 8, b), (a, b + 8))),
        (every, lambda a, b: ((a, b), (b, a + 8))),
    ]
    return [second(*_MODES[mode]) for modes, second in groups for mode in modes]


_PAIRS = np.array(_pairs())
"""Pairs of places, `[157, 2, 2]`."""

_MAGNITUDE, _ACROSS, _DOWN, _DIAGONAL, _NEXT_ACROSS, _NEXT_DOWN = range(6)
_DIFFERENCES = (_ACROSS, _DOWN, _DIAGONAL, _NEXT_ACROSS, _NEXT_DOWN)
_LOST = np.array([[0, 0], [0, 8], [8, 0], [8, 8], [0, 8], [8, 0]])
"""How many rows and columns of the plane each of these has less."""

_AT_PLACES, _ANYWHERE = 2, 5
_MAGNITUDES_AT_PLACES = 3
_STEPS = ((0, 1), (1, 0), (1, 1), (-1, 1), (0, 8), (8, 0), (8, 8), (-8, 8))
_STEPS_OF_MAGNITUDES = ((0, 1), (1, 0), (1, 1), (-1, 1), (1, -1), (0, 8), (8, 0), (8, -8), (8, 8))
_POOLED = ((0, 1), (2,), (3, 4), (5, 6), (7, 8))


def features(coefficients: Array, quantisation: Array, *, at_once: int = 1) -> Array:
    """The features of the JPEG rich model of every plane.

    Kodovsky and Fridrich, "Steganalysis of JPEG images using rich models", SPIE 8303, 2012.

    Args:
      coefficients: luminance, `[B, H, W]`, whole numbers, multiples of 8, at least 32.
      quantisation: `[B, 8, 8]`; not used.
      at_once: planes that are worked on together.

    Returns:
      Features `[B, 11255]`, float32, in the order of the released extractor.

    Raises:
      InputError: these are no such planes, or `at_once` is not positive.
    """
    return _features(coefficients, quantisation, at_once, calibrated=False)


def calibrated_features(coefficients: Array, quantisation: Array, *, at_once: int = 1) -> Array:
    """CC-JRM: the features of every plane, followed by those of what it becomes when its picture is
    shifted by half a block and compressed again.

    Args:
      coefficients: luminance, `[B, H, W]`, whole numbers, multiples of 8, at least 32.
      quantisation: `[B, 8, 8]`.
      at_once: planes that are worked on together.

    Returns:
      Features `[B, 22510]`, float32.

    Raises:
      InputError: these are no such planes, or `at_once` is not positive.
    """
    return _features(coefficients, quantisation, at_once, calibrated=True)


def _features(coefficients, quantisation, at_once, *, calibrated):
    check_coefficients(coefficients, quantisation, smallest=SMALLEST)
    if at_once < 1:
        raise InputError(f"at least one plane is worked on at a time; got at_once={at_once}")
    arrays = jnp.asarray(coefficients, jnp.int32), jnp.asarray(quantisation, jnp.int32)
    return _mapped(*arrays, min(at_once, len(arrays[0])), calibrated)


@functools.partial(jax.jit, static_argnums=(2, 3))
def _mapped(coefficients, quantisation, at_once, calibrated):
    height, width = coefficients.shape[1:]

    def of_plane(given):
        plane, table = given
        if not calibrated:
            return _of_plane(plane, jnp.array([height, width]))
        # Both halves by one program: the smaller plane is padded.
        moved = jnp.pad(shifted(plane, table), ((0, 8), (0, 8)))
        both = jnp.stack([plane, moved]), jnp.array([[height, width], [height - 8, width - 8]])
        return lax.map(lambda half: _of_plane(*half), both).reshape(-1)

    return lax.map(of_plane, (coefficients, quantisation), batch_size=at_once)


def shifted(coefficients: Array, quantisation: Array) -> Array:
    """The calibrated picture: decompressed to pixels, cropped by 4 on all sides, and compressed
    with the same table.

    Args:
      coefficients: `[..., H, W]`.
      quantisation: `[8, 8]`.

    Returns:
      Coefficients `[..., H - 8, W - 8]`, int32.
    """
    pixels = dct.integer_pixels(coefficients, quantisation)[..., 4:-4, 4:-4]
    return dct.integer_coefficients(pixels, quantisation)


def _of_plane(plane, size):
    """The features of the `size` first rows and columns of a plane."""
    magnitude = abs(plane)
    beyond = jnp.pad(magnitude, ((0, 8), (0, 8)))
    height, width = plane.shape

    def minus(down, right):
        return magnitude - beyond[down : down + height, right : right + width]

    planes = [magnitude, minus(0, 1), minus(1, 0), minus(1, 1), minus(0, 8), minus(8, 0)]
    planes, sizes = jnp.stack(planes), size[None] - _LOST
    swapped = _PAIRS[..., ::-1]
    rows = np.array([_ACROSS, _DIAGONAL, _NEXT_ACROSS])
    first = _at_places(planes[rows], sizes[rows], _PAIRS, -_AT_PLACES, _AT_PLACES)
    columns = np.array([_DOWN, _DIAGONAL, _NEXT_DOWN])
    second = _at_places(planes[columns], sizes[columns], swapped, -_AT_PLACES, _AT_PLACES)
    own = planes[:1], sizes[:1]
    magnitudes = [
        _at_places(*own, pairs, 0, _MAGNITUDES_AT_PLACES)[0] for pairs in (_PAIRS, swapped)
    ]
    anywhere = _anywhere(planes, sizes)
    parts = [(sum(magnitudes) / 2).swapaxes(-2, -1), _halved(first + second, _AT_PLACES)]
    return jnp.concatenate([part.reshape(-1) for part in (*parts, *anywhere)])


def _shares(counts):
    """Tables over their sums, 0 where there is nothing, `[..., V, V]`."""
    total = counts.sum((-2, -1), keepdims=True)
    return counts / jnp.maximum(total, 1e-9)


def _at_places(planes, sizes, pairs, lowest, highest):
    """Joint frequencies of the values at pairs of places, `[P, pairs, V, V]`: over whole planes, on
    the grid of blocks.
    """
    numbers, spans = _numbers(pairs), (pairs > 7).any(1).astype(np.int32)
    rows, columns = planes.shape[1] // 8, planes.shape[2] // 8
    row, column = (axis.reshape(1, -1) for axis in np.indices((rows, columns)))

    def places(plane):
        modes = jnp.clip(plane, lowest, highest).astype(jnp.int8).reshape(rows, 8, columns, 8)
        modes = modes.transpose(1, 3, 0, 2).reshape(64, rows, columns)
        modes = jnp.pad(modes, ((0, 0), (0, 1), (0, 1)))
        # A block beside those after it.
        around = [modes[:, i : i + rows, j : j + columns] for i in (0, 1) for j in (0, 1)]
        return jnp.concatenate(around).reshape(256, rows * columns)

    def count(given):
        words, size = given
        last_row, last_column = (size[axis] // 8 - spans[:, axis, None] for axis in (0, 1))
        inside = (row < last_row) & (column < last_column)
        first = words[numbers[:, 0]] & _words(inside.astype(jnp.int8), (1,))
        common = first[:, :, None] & words[numbers[:, 1]][:, None]
        return lax.population_count(common).astype(jnp.int32).sum(-1).astype(jnp.float32)

    values = range(lowest, highest + 1)
    words = lax.map(lambda plane: _words(plane, values), lax.map(places, planes))
    return _shares(lax.map(count, (words, sizes)))


def _numbers(pairs):
    """Where the places of pairs are among the coefficients of four blocks: `[pairs, 2]`."""
    block, mode = np.divmod(pairs, 8)
    return 64 * (2 * block[..., 0] + block[..., 1]) + 8 * mode[..., 0] + mode[..., 1]


def _halved(tables, largest):
    """Tables averaged with their negatives, one of each two cells kept, over their sums."""
    values = np.arange(-largest, largest + 1)
    merged = (tables + tables[..., ::-1, ::-1]) / 2
    first, second = np.meshgrid(values, values, indexing="ij")
    kept = (first < 0) | ((first == 0) & (second <= 0))
    cells = np.flatnonzero(kept.T)
    chosen = merged.swapaxes(-2, -1).reshape(*merged.shape[:-2], -1)[..., cells]
    return chosen / jnp.maximum(chosen.sum(-1, keepdims=True), 1e-9)


def _anywhere(planes, sizes):
    """Joint frequencies of all values at some distances, without DC coefficients: those of
    magnitudes, then those of differences. A distance below 8 stays within the block.
    """
    height, width = planes.shape[1:]
    i, j = np.indices((height, width))
    values, nothing = range(-_ANYWHERE, _ANYWHERE + 1), _ANYWHERE + 1
    usable = (i[None] < sizes[:, 0, None, None]) & (j[None] < sizes[:, 1, None, None])
    usable &= ((i % 8 > 0) | (j % 8 > 0))[None]
    cut = jnp.where(usable, jnp.clip(planes, -_ANYWHERE, _ANYWHERE), nothing).astype(jnp.int8)
    here = lax.map(lambda plane: _words(plane.reshape(-1), values), cut)
    beside = jnp.pad(cut, ((0, 0), (8, 8), (8, 8)), constant_values=nothing)
    near = [step for step in _STEPS_OF_MAGNITUDES if max(map(abs, step)) < 8]
    inside = np.ones((len(near) + 1, height, width), bool)
    for number, (down, right) in enumerate(near):
        inside[number] = (i % 8 + down) // 8 == 0
        inside[number] &= (j % 8 + right) // 8 == 0
    kinds = {step: number for number, step in enumerate(near)}

    def others(item):
        which, kind, down, right = item
        there = lax.dynamic_slice(beside[which], (8 + down, 8 + right), (height, width))
        return jnp.where(jnp.asarray(inside)[kind], there, nothing).reshape(-1)

    def count(item):
        which, there = item
        common = here[which][:, None] & there[None]
        return lax.population_count(common).astype(jnp.int32).sum(-1).astype(jnp.float32)

    items = [(_MAGNITUDE, step) for step in _STEPS_OF_MAGNITUDES]
    items += [(which, step) for which in _DIFFERENCES for step in _STEPS]
    items = [(which, kinds.get(step, len(near)), *step) for which, step in items]
    items = tuple(jnp.array(each) for each in zip(*items))
    # Loops of their own: XLA would make what is compared anew for every value.
    there = lax.map(lambda plane: _words(plane, values), lax.map(others, items))
    counts = lax.map(count, (items[0], there))
    of_magnitudes = counts[: len(_STEPS_OF_MAGNITUDES), _ANYWHERE:, _ANYWHERE:]
    pooled = jnp.stack([sum(of_magnitudes[number] for number in group) for group in _POOLED])
    of_differences = counts[len(_STEPS_OF_MAGNITUDES) :]
    return _shares(pooled).swapaxes(-2, -1), _halved(of_differences, _ANYWHERE)


def _words(values, wanted):
    """Where arrays have each wanted value, a bit each: `[..., n]` to uint32 `[..., V, words]`."""
    *lead, count = values.shape
    padded = jnp.pad(values, [(0, 0)] * len(lead) + [(0, -count % 32)], constant_values=100)
    flat = padded.reshape(*lead, 32, 1, -1)
    wanted = jnp.array(wanted, values.dtype).reshape((1,) * len(lead) + (-1, 1))
    words = jnp.zeros((), jnp.uint32)
    for bit in range(32):
        words |= (flat[..., bit, :, :] == wanted).astype(jnp.uint32) << bit
    return words
