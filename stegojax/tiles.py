"""Pictures of any size through networks that see a bounded neighbourhood, in tiles, with the very
result of the whole picture.

Neighbouring tiles overlap by twice the receptive radius and only what a tile's networks saw whole
is kept, so nothing depends on how a picture was cut. Tiles are of one size, so that one compiled
function serves a picture of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

TILE = 512
"""Height and width of a tile in pixels."""


def spans(length: int, *, tile: int, radius: int) -> list[tuple[int, int, int]]:
    """How one axis is cut.

    Args:
      length: of the axis, in pixels.
      tile: length of a tile.
      radius: of the neighbourhood that one output depends on.

    Returns:
      `(start, first, last)` for each tile: it covers `start .. start + min(tile, length)`, and what
      is kept of it is `first .. last`, in coordinates of the axis. The kept parts follow each other
      without a gap.

    Raises:
      ValueError: a tile is too short to keep anything.
    """
    if length <= tile:
        return [(0, 0, length)]
    if tile <= 2 * radius:
        raise ValueError(f"tiles of {tile} pixels keep nothing with a receptive radius of {radius}")
    cuts, first = [], 0
    while True:
        start = min(max(0, first - radius), length - tile)
        last = length if start + tile == length else start + tile - radius
        cuts.append((start, first, last))
        if last == length:
            return cuts
        first = last


def apply(
    function: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]],
    pictures: Mapping[str, np.ndarray],
    *,
    radius: int | None,
    tile: int = TILE,
) -> dict[str, np.ndarray]:
    """Applies a function of pictures tile by tile.

    Args:
      function: maps a dict of arrays `[B, h, w, C]` to a dict of arrays of the same height and
        width.
      pictures: arrays `[B, H, W, C]` of one height and width.
      radius: the function's receptive radius in pixels; None: it needs the whole picture and gets
        it.
      tile: height and width of a tile.

    Returns:
      A dict of arrays `[B, H, W, C]`.
    """
    height, width = next(iter(pictures.values())).shape[1:3]
    if radius is None:
        return {name: np.asarray(value) for name, value in function(pictures).items()}
    whole: dict[str, np.ndarray] = {}
    for top, row, row_end in spans(height, tile=tile, radius=radius):
        for left, column, column_end in spans(width, tile=tile, radius=radius):
            part = {
                name: value[:, top : top + tile, left : left + tile]
                for name, value in pictures.items()
            }
            for name, value in function(part).items():
                value = np.asarray(value)
                if name not in whole:
                    whole[name] = np.empty(
                        (value.shape[0], height, width, value.shape[3]), value.dtype
                    )
                whole[name][:, row:row_end, column:column_end] = value[
                    :, row - top : row_end - top, column - left : column_end - left
                ]
    return whole
