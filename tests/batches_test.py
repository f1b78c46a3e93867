"""Batches of one size: what fills the last one up never shows, and one shape is compiled."""

import jax
import numpy as np
import pytest

from stegojax import batches


@pytest.mark.parametrize("count", [1, 3, 4, 9])
def test_every_row_goes_through_once_and_in_order(count):
    rows = {"x": np.arange(2.0 * count).reshape(count, 2), "y": np.arange(count)}
    shapes = []

    @jax.jit
    def function(batch):
        shapes.append(batch["x"].shape)
        return {"sum": batch["x"].sum(axis=1) + batch["y"], "same": batch["y"]}

    results = batches.apply(function, rows, size=4)
    np.testing.assert_array_equal(results["sum"], rows["x"].sum(axis=1) + rows["y"])
    np.testing.assert_array_equal(results["same"], rows["y"])
    assert shapes == [(4, 2)]


def test_the_last_batch_is_filled_with_its_first_row():
    first, last = batches.of(np.arange(7), size=4)
    assert first.count == 4 and last.count == 3
    np.testing.assert_array_equal(last.rows, [4, 5, 6, 4])


def test_mapped_files_are_read_batch_by_batch():
    class Rows:
        """Says which of its rows were asked for."""

        asked = []

        def __len__(self):
            return 5

        def __getitem__(self, chosen):
            self.asked.append(chosen.start)
            return np.arange(5)[chosen]

    iterator = batches.of(Rows(), size=2)
    assert Rows.asked == []
    next(iterator)
    assert Rows.asked == [0]


@pytest.mark.parametrize(
    "rows, size", [(np.zeros((0, 2)), 4), (np.zeros(3), 0), ([np.zeros(3), np.zeros(4)], 2)]
)
def test_what_is_no_batch_is_refused(rows, size):
    with pytest.raises(ValueError, match="at least one row"):
        next(batches.of(rows, size=size))
