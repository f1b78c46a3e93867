"""The parity-check matrix of a syndrome-trellis code: a band of submatrices along the diagonal.

Block i of the columns is one submatrix, shifted down by i rows; what would lie below the last row
is cut off. The elements of a vector are the columns of the matrix, in order, and the message bits
its rows.
"""

from __future__ import annotations

from typing import TypeVar

import jax
import numpy as np

from stegojax.coding import submatrices
from stegojax.errors import InputError

AnyArray = TypeVar("AnyArray", np.ndarray, jax.Array)


def block_widths(length: int, message_length: int) -> np.ndarray:
    """How many columns each block has (Filler et al. 2011, Sec. IV).

    Args:
      length: number of cover elements n.
      message_length: number of message bits m, 1..n.

    Returns:
      `[M]` int64, each floor(n/m) or ceil(n/m); their sum is at most n, and elements beyond it are
      not used.
    """
    ratio = length / message_length
    ends = np.floor(np.arange(message_length + 1, dtype=np.float64) * ratio + 0.5).astype(np.int64)
    return np.diff(ends)


def check_lengths(length: int, message_length: int, constraint_height: int) -> None:
    """Refuses what there is no matrix for.

    Args:
      length: number of cover elements.
      message_length: number of message bits.
      constraint_height: height of the submatrices.

    Raises:
      InputError: if the message is longer than the vector or the height is not in 7..12.
    """
    if constraint_height not in submatrices.HEIGHTS:
        raise InputError(f"constraint height must be 7..12, {constraint_height} given")
    if message_length > length:
        raise InputError(
            f"{message_length} bits do not fit in {length} elements: at most {length} bits would "
            "fit"
        )


def block_columns(length: int, *, message_length: int, constraint_height: int = 10) -> np.ndarray:
    """The columns of every block.

    Args:
      length: number of cover elements n.
      message_length: number of message bits m, 0..n.
      constraint_height: height h of the submatrices, 7..12.

    Returns:
      `[M, W]` int32, W = ceil(n/m): row j of a submatrix in bit j, and 0 in the last place of a
      block that is narrower.

    Raises:
      InputError: if the message is longer than the vector or the height is not in 7..12.
    """
    check_lengths(length, message_length, constraint_height)
    if message_length == 0:
        return np.zeros((0, 1), np.int32)
    narrow, wide = length // message_length, -(-length // message_length)
    tables = np.zeros((2, wide), np.int32)
    tables[0, :narrow] = submatrices.columns(narrow, constraint_height)
    tables[1] = submatrices.columns(wide, constraint_height)
    return tables[(block_widths(length, message_length) == wide).astype(int)]


def element_numbers(columns: AnyArray, length: int) -> AnyArray:
    """Which element is in which place of the blocks.

    Args:
      columns: `[M, W]`, 0 in the places without an element; a NumPy or a JAX array.
      length: number of elements n.

    Returns:
      `[M, W]` int32, counted along the places; n where there is no element.
    """
    xp = columns.__array_namespace__()
    filled = columns != 0
    number = xp.cumsum(filled.reshape(-1), dtype=xp.int32).reshape(columns.shape) - 1
    return xp.where(filled, number, xp.int32(length))


def fits(wet_N: np.ndarray, message_length: int, constraint_height: int) -> bool:
    """Whether the columns of dry elements span all syndromes, row by row: then every message of
    this length can be hidden without a change of wet elements.

    Args:
      wet_N: `[N]` bool, the elements that may not be changed.
      message_length: number of message bits m, 0..n.
      constraint_height: height h of the submatrices, 7..12.

    Returns:
      The answer.
    """
    columns = block_columns(
        wet_N.size, message_length=message_length, constraint_height=constraint_height
    )
    dry = np.append(~wet_N, False)[element_numbers(columns, wet_N.size)]
    basis: dict[int, int] = {}
    for i in range(message_length):
        mask = (1 << min(constraint_height, message_length - i)) - 1
        allowed = set((columns[i, dry[i]] & mask).tolist())
        basis = _extended(basis, allowed, mask.bit_length())
        if 0 not in basis:
            return False
        rest = {vector >> 1 for lead, vector in basis.items() if lead}
        basis = _extended({}, rest, constraint_height)
    return True


def room(wet_N: np.ndarray, message_length: int, constraint_height: int) -> int:
    """How many bits the code can hide in any case without a change of wet elements.

    Args:
      wet_N: `[N]` bool, the elements that may not be changed.
      message_length: the most bits of interest.
      constraint_height: height h of the submatrices, 7..12.

    Returns:
      At most `message_length` bits, to about one in 100.
    """

    low, high = 0, message_length
    while high - low > max(1, high // 100):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(wet_N, middle, constraint_height) else (low, middle)
    return low


def _extended(basis: dict[int, int], vectors: set[int], rank: int) -> dict[int, int]:
    """A basis over GF(2) in echelon form, keyed by the lowest set bit, with more vectors in it."""
    basis = dict(basis)
    for vector in vectors:
        if len(basis) == rank:
            break
        while vector:
            lead = (vector & -vector).bit_length() - 1
            if lead not in basis:
                basis[lead] = vector
                break
            vector ^= basis[lead]
    return basis
