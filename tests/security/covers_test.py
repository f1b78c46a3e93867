"""Splits that no photograph straddles, and tiles from the middle outwards."""

import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from stegojax.data.sources import open_source
from stegojax.errors import InputError
from stegojax.security.covers import photographs, prepare, split_photographs, tiles


def test_a_photograph_is_on_one_side_of_every_split():
    groups = np.random.default_rng(1).integers(0, 40, 300).tolist()
    seen = set()
    for number in range(20):
        parts = split_photographs(groups, (0.5, 0.1, 0.4), seed=(0, number))
        sides = [{groups[picture] for picture in part} for part in parts]
        assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
        assert sorted(picture for part in parts for picture in part) == list(range(300))
        seen.add(tuple(parts[0]))
    assert len(seen) == 20


def test_shares_without_a_photograph_are_refused():
    with pytest.raises(InputError, match="too few for shares"):
        split_photographs([0, 1, 2, 3], (0.5, 0.01, 0.4), seed=(0,))


def test_tiles_do_not_overlap_and_begin_in_the_middle():
    picture = np.arange(7 * 13, dtype=np.uint8).reshape(7, 13, 1)
    cut = dict(tiles(picture, (2, 4), 0, "p"))
    assert len(cut) == 9 and next(iter(cut)) == "[1,1]"
    pixels = np.concatenate([tile.ravel() for tile in cut.values()])
    assert len(set(pixels)) == len(pixels) == 9 * 8
    # Three rows of two are in the middle of seven, three columns of four in the middle of thirteen.
    np.testing.assert_array_equal(cut["[0,0]"], picture[:2, :4, 0])
    assert list(dict(tiles(picture, (2, 4), 3, "p"))) == list(cut)[:3]
    [(place, whole)] = tiles(picture, (0, 0), 1, "p")
    assert place == "" and whole.shape == (7, 13)


def test_a_photograph_that_is_too_small_is_left_out(tmp_path, caplog):
    for number in range(6):
        side = 8 if number == 2 else 20
        Image.fromarray(np.full((side, side), number, np.uint8)).save(tmp_path / f"{number}.png")
    section = dict(source=f"folder:{tmp_path}", data_dir="", preprocess=(), tiles=1, limit=0)
    for name in ("work", "other"):
        (tmp_path / name).mkdir()
    covers = prepare(tmp_path / "work", ConfigDict({**section, "crop": 16}))
    assert len(covers.planes) == 5 and len(set(covers.photographs)) == 5
    assert "1 of 6 photographs left out: 2.png is 8x8" in caplog.text
    with pytest.raises(InputError, match="smaller than covers.crop=32"):
        prepare(tmp_path / "other", ConfigDict({**section, "crop": 32}))


def test_the_pictures_that_a_run_was_trained_on_can_be_left_out():
    section = dict(source="embedded", data_dir="", preprocess=("resize:16",), limit=0)
    chosen = {
        choice: {name for name, _ in photographs(ConfigDict({**section, "photographs": choice}))}
        for choice in ("all", "held_out")
    }
    trained_on = set(open_source("embedded", "train").names)
    assert chosen["held_out"] == chosen["all"] - trained_on and len(chosen["held_out"]) == 4
    with pytest.raises(InputError, match="covers.photographs is one of all, held_out; got 'test'"):
        photographs(ConfigDict({**section, "photographs": "test"}))
