"""Where the blocks of a picture lie: in planes, and in the order in which a scan codes them.

A component is an int16 array `[rows, columns, 64]` with the blocks that fill its last MCUs, the 64
coefficients of a block at 8 u + v. A plane has the real blocks alone, coefficient (u, v) of block
(i, j) at [8 i + u, 8 j + v].
"""

from __future__ import annotations

import numpy as np

from stegojax.domains.jpeg_codec.markers import Component, Frame, Scan


def plane_of(blocks: np.ndarray, component: Component) -> np.ndarray:
    """The plane of a component's real blocks.

    Args:
      blocks: int16 `[rows, columns, 64]` with padding.
      component: whose they are.

    Returns:
      int16 `[8 rows, 8 columns]`.
    """
    rows, columns = component.rows, component.columns
    grid = blocks[:rows, :columns].reshape(rows, columns, 8, 8)
    return np.ascontiguousarray(grid.transpose(0, 2, 1, 3)).reshape(8 * rows, 8 * columns)


def dummies_of(blocks: np.ndarray, component: Component) -> np.ndarray:
    """What the blocks hold that only fill the last MCUs.

    Args:
      blocks: int16 `[rows, columns, 64]` with padding.
      component: whose they are.

    Returns:
      int32 `[dummies, 64]`; the DC coefficient is the difference to the block before, in the order
      of the MCU.
    """
    dummy = _dummy(component)
    if not dummy.any():
        return np.zeros((0, 64), np.int32)
    values = _by_mcu(blocks, component)[dummy].astype(np.int32)
    dc = _by_mcu(blocks[..., :1], component)[..., 0].astype(np.int32)
    values[:, 0] = np.diff(dc, axis=1, prepend=0)[dummy]
    return values


def padded(plane: np.ndarray, component: Component, dummies: np.ndarray) -> np.ndarray:
    """A component's blocks from its plane and its dummies; these follow a changed DC.

    Args:
      plane: int16 `[8 rows, 8 columns]`.
      component: whose it is.
      dummies: as `dummies_of`.

    Returns:
      int16 `[rows, columns, 64]` with padding.
    """
    rows, columns = component.rows, component.columns
    blocks = np.zeros((*component.padded, 64), np.int16)
    grid = plane.reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3)
    blocks[:rows, :columns].reshape(rows, columns, 8, 8)[...] = grid
    dummy = _dummy(component)
    if not dummy.any():
        return blocks
    mcus = _by_mcu(blocks, component)
    mcus[dummy] = dummies
    for place in range(1, mcus.shape[1]):
        follows = dummy[:, place]
        mcus[follows, place, 0] += mcus[follows, place - 1, 0]
    return _from_mcus(mcus, component)


def _by_mcu(blocks, component):
    """`[rows, columns, ...]` as `[MCUs, blocks of the component in one, ...]`."""
    vertical, horizontal = component.vertical, component.horizontal
    tail = blocks.shape[2:]
    down, along = blocks.shape[0] // vertical, blocks.shape[1] // horizontal
    grid = blocks.reshape(down, vertical, along, horizontal, *tail).swapaxes(1, 2)
    return grid.reshape(down * along, vertical * horizontal, *tail)


def _from_mcus(mcus, component):
    vertical, horizontal = component.vertical, component.horizontal
    rows, columns = component.padded
    tail = mcus.shape[2:]
    grid = mcus.reshape(rows // vertical, columns // horizontal, vertical, horizontal, *tail)
    return grid.swapaxes(1, 2).reshape(rows, columns, *tail)


def _dummy(component):
    """Which blocks of each MCU are no real ones."""
    dummy = np.ones(component.padded, bool)
    dummy[: component.rows, : component.columns] = False
    return _by_mcu(dummy, component)


def owners(frame: Frame, scan: Scan) -> tuple[int, ...]:
    """Whose the blocks of one MCU of a scan are.

    Args:
      frame: the picture.
      scan: the scan.

    Returns:
      For each block the place of its component in `scan.components`.
    """
    if len(scan.components) == 1:
        return (0,)
    counts = [
        frame.components[i].horizontal * frame.components[i].vertical for i in scan.components
    ]
    return tuple(owner for owner, count in enumerate(counts) for _ in range(count))


def count(frame: Frame, scan: Scan) -> int:
    """The number of blocks that a scan codes, dummies included.

    Args:
      frame: of the file.
      scan: of that frame.

    Returns:
      The number.
    """
    if len(scan.components) == 1:
        component = frame.components[scan.components[0]]
        return component.rows * component.columns
    return sum(np.prod(frame.components[i].padded, dtype=int) for i in scan.components)


def gather(pictured: list[np.ndarray], frame: Frame, scan: Scan) -> np.ndarray:
    """The blocks of a scan in the order in which it codes them.

    Args:
      pictured: per component of the picture `[rows, columns, ...]` with padding.
      frame: the picture.
      scan: the scan.

    Returns:
      `[blocks, ...]`, a copy.
    """
    chosen = [(pictured[i], frame.components[i]) for i in scan.components]
    if len(chosen) == 1:
        blocks, component = chosen[0]
        real = blocks[: component.rows, : component.columns]
        return real.reshape(component.rows * component.columns, *blocks.shape[2:])
    mcus = np.concatenate([_by_mcu(blocks, component) for blocks, component in chosen], axis=1)
    return mcus.reshape(-1, *mcus.shape[2:])


def scatter(coded: np.ndarray, pictured: list[np.ndarray], frame: Frame, scan: Scan) -> None:
    """Puts the blocks of a scan where they lie in the picture; the reverse of `gather`.

    Args:
      coded: `[blocks, ...]`.
      pictured: per component `[rows, columns, ...]` with padding, which is written to.
      frame: the picture.
      scan: the scan.
    """
    if len(scan.components) == 1:
        component = frame.components[scan.components[0]]
        shape = (component.rows, component.columns, *coded.shape[1:])
        pictured[scan.components[0]][: shape[0], : shape[1]] = coded.reshape(shape)
        return
    mcus = coded.reshape(-1, len(owners(frame, scan)), *coded.shape[1:])
    at = 0
    for i in scan.components:
        component = frame.components[i]
        size = component.horizontal * component.vertical
        pictured[i][...] = _from_mcus(mcus[:, at : at + size], component)
        at += size
