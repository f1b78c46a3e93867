"""Tiles: the kept parts cover an axis once, and a tiled filter equals the whole one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stegojax import tiles


@given(length=st.integers(1, 400), radius=st.integers(0, 12), extra=st.integers(1, 60))
def test_kept_parts_cover_the_axis_once(length, radius, extra):
    tile = 2 * radius + extra
    covered = np.zeros(length, int)
    for start, first, last in tiles.spans(length, tile=tile, radius=radius):
        end = min(start + tile, length)
        assert 0 <= start and end <= length
        assert first == 0 or first - start >= radius
        assert last == length or end - last >= radius
        covered[first:last] += 1
    assert (covered == 1).all()


def blur(pictures, radius):
    """A box sum with zeros beyond the border, written out; its receptive radius is `radius`."""
    x = pictures["cover"]
    padded = np.pad(x, ((0, 0), (radius, radius), (radius, radius), (0, 0)))
    size = 2 * radius + 1
    out = sum(
        padded[:, i : i + x.shape[1], j : j + x.shape[2]] for i in range(size) for j in range(size)
    )
    return {"stego": out}


@pytest.mark.parametrize("height,width", [(50, 61), (20, 33), (21, 20), (64, 7)])
def test_a_tiled_filter_equals_the_whole(height, width):
    picture = {
        "cover": np.random.default_rng(0).integers(0, 256, (2, height, width, 3)).astype(np.float64)
    }
    whole = blur(picture, 3)["stego"]
    shapes = set()

    def filtered(part):
        shapes.add(part["cover"].shape)
        return blur(part, 3)

    tiled = tiles.apply(filtered, picture, radius=3, tile=20)["stego"]
    np.testing.assert_array_equal(tiled, whole)
    assert len(shapes) == 1
    short = tiles.apply(filtered, picture, radius=1, tile=20)["stego"]
    assert height <= 20 and width <= 20 or not np.array_equal(short, whole)


def test_a_function_of_the_whole_picture_gets_it_whole():
    picture = {"cover": np.arange(40.0 * 40).reshape(1, 40, 40, 1)}
    result = tiles.apply(
        lambda part: {"mean": part["cover"] - part["cover"].mean()}, picture, radius=None, tile=8
    )
    assert abs(result["mean"].mean()) < 1e-9


def test_a_tile_shorter_than_the_neighbourhood_is_refused():
    with pytest.raises(ValueError, match="keep nothing"):
        tiles.spans(100, tile=8, radius=4)
