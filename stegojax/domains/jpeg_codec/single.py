"""Which single changes of a file's AC coefficients need symbols that its Huffman tables lack.

Several changes of one block may need others together; `absent` finds these once they are there.
"""

from __future__ import annotations

import numpy as np

from stegojax.domains.jpeg_codec.markers import NATURAL, Layout

_END, _SIXTEEN_ZEROS = 0x00, 0xF0


def single_changes(planes: tuple[np.ndarray, ...], layout: Layout) -> tuple[np.ndarray, ...]:
    """The AC coefficients that cannot be changed by one in both directions, all else being kept.

    Args:
      planes: int16 per component, `[8 rows, 8 columns]`.
      layout: of their file, which is not progressive.

    Returns:
      bool per plane, True where a change needs an absent symbol.
    """
    tables = {}
    for scan in layout.scans:
        tables |= dict(zip(scan.components, scan.ac_tables))
    return tuple(
        _of_plane(plane, layout.tables[tables[place]].symbols) for place, plane in enumerate(planes)
    )


def _of_plane(plane, symbols):
    known = np.zeros(256, bool)
    known[list(symbols)] = True
    rows, columns = (side // 8 for side in plane.shape)
    grid = plane.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3).reshape(-1, 64)
    values = np.pad(grid[:, NATURAL].astype(np.int32), ((0, 0), (0, 1)))
    at = np.arange(64)
    there = values[:, :64] != 0
    before = np.maximum.accumulate(np.where(there, at, 0), axis=1)
    before = np.concatenate([before[:, :1] * 0, before[:, :-1]], axis=1)
    after = np.minimum.accumulate(np.where(there, at, 64)[:, ::-1], axis=1)[:, ::-1]
    after = np.concatenate([after[:, 1:], after[:, :1] * 0 + 64], axis=1)
    following = np.take_along_axis(values, after, axis=1)

    def written(run, value):
        """Whether a value after a run of zeros has symbols, where there is a value."""
        size = np.frexp(abs(value))[1]
        symbol = known[(run & 15) * 16 + np.minimum(size, 15)]
        return (value == 0) | symbol & ((run < 16) | known[_SIXTEEN_ZEROS])

    ended = (after < 64) | known[_END]
    lacking = np.zeros(there.shape, bool)
    for step in (1, -1):
        changed = values[:, :64] + step
        new = written(at - before - 1, changed) & written(after - at - 1, following)
        new &= ended | (at == 63)
        gone = written(after - before - 1, following) & ended
        lacking |= ~np.where(changed != 0, new, gone)
    lacking[:, 0] = False
    natural = np.zeros_like(lacking)
    natural[:, NATURAL] = lacking
    blocks = natural.reshape(rows, columns, 8, 8).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(blocks).reshape(plane.shape)
