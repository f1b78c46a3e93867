"""Any number of rows through a function that is compiled for one batch size.

Rows are the first axis of every array of a tree, and a row's result must depend on no other row.
The last batch is filled up with its first row, whose further results are dropped, so that one shape
is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np


class Filled(NamedTuple):
    """One batch.

    rows:  a tree of arrays `[size, ...]`.
    count: how many of them are real; those after them fill the batch up.
    """

    rows: Any
    count: int


def of(rows: Any, *, size: int) -> Iterator[Filled]:
    """The batches of a tree of rows.

    Args:
      rows: a tree of arrays `[N, ...]`, N at least 1; files that are mapped are read batch by
        batch.
      size: rows in a batch.

    Yields:
      `ceil(N / size)` batches, all of `size` rows.

    Raises:
      ValueError: there are no rows, arrays differ in their number, or the size is not positive.
    """
    counts = {len(leaf) for leaf in jax.tree.leaves(rows)}
    if size < 1 or len(counts) != 1 or not min(counts):
        raise ValueError(
            f"a batch has at least one row, and all arrays have as many rows; got size={size} and "
            f"{sorted(counts)} rows"
        )
    total = counts.pop()
    for first in range(0, total, size):
        chosen = slice(first, first + size)
        part = jax.tree.map(lambda leaf, chosen=chosen: _filled(leaf[chosen], size), rows)
        yield Filled(part, min(size, total - first))


def apply(function: Callable[[Any], Any], rows: Any, *, size: int) -> Any:
    """Applies a function of whole batches to any number of rows.

    Args:
      function: takes a tree of arrays `[size, ...]` and gives one of `[size, ...]`.
      rows: a tree of arrays `[N, ...]`, N at least 1.
      size: rows in a batch.

    Returns:
      The function's tree for all rows, numpy `[N, ...]`.

    Raises:
      ValueError: as `of`.
    """
    results = []
    for batch, count in of(rows, size=size):
        results.append(jax.tree.map(lambda leaf, n=count: np.asarray(leaf)[:n], function(batch)))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *results)


def _filled(rows: Any, size: int) -> np.ndarray:
    rows = np.asarray(rows)
    if len(rows) == size:
        return rows
    return np.concatenate([rows, np.repeat(rows[:1], size - len(rows), axis=0)])
