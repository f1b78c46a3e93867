"""Sources by name, and pictures that two of them share."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from stegojax.data import embedded
from stegojax.data.embedded import Embedded
from stegojax.data.folder import Folder
from stegojax.data.sources import check_disjoint, open_source
from stegojax.errors import InputError


def _write(folder, name, seed):
    folder.mkdir(exist_ok=True, parents=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (70, 70), np.uint8)).save(
        folder / name
    )


def test_sources_by_name(tmp_path):
    _write(tmp_path, "a.pgm", 0)
    assert isinstance(open_source("embedded", "train"), Embedded)
    assert len(open_source("embedded:grey", "held_out")) == 1
    assert isinstance(open_source(f"folder:{tmp_path}", "train", train_share=1.0), Folder)
    for text in ("", "embeded", "folder", "folder:", "tfds:", str(tmp_path)):
        with pytest.raises(
            InputError,
            match="unknown data source .*; use embedded, folder:PATH, array:PICTURES.npy or",
        ):
            open_source(text, "train")
    with pytest.raises(ValueError, match="validation"):
        open_source("embedded", "validation")


def test_pictures_for_testing_are_apart_from_those_for_training_and_choosing(tmp_path):
    for number in range(60):
        _write(tmp_path, f"{number}.pgm", number)
    shares = dict(train_share=0.5, test_share=0.4)
    parts = {
        split: open_source(f"folder:{tmp_path}", split, **shares).names
        for split in ("train", "held_out", "test")
    }
    assert sorted(sum(parts.values(), [])) == sorted(f"{number}.pgm" for number in range(60))
    assert all(5 < len(names) < 40 for names in parts.values())
    # Without a share for them there is one part for both.
    both = {split: open_source("embedded", split).names for split in ("held_out", "test")}
    assert both["held_out"] == both["test"] and len(both["test"]) == 4
    with pytest.raises(InputError, match="none of the 1 pictures .* split held_out .* 0.95"):
        open_source("embedded:grey", "held_out", test_share=0.95)


def test_a_folder_name_may_hold_colons(tmp_path):
    _write(tmp_path / "a:b", "a.pgm", 0)
    assert len(open_source(f"folder:{tmp_path}/a:b", "train", train_share=1.0)) == 1


def test_disjoint_sources_pass(tmp_path):
    for number in range(5):  # files of equal size, as the grey image sets have them
        _write(tmp_path / "covers", f"{number}.pgm", number)
        _write(tmp_path / "secrets", f"{number}.pgm", 10 + number)
    check_disjoint(Folder(tmp_path / "covers", "all"), Folder(tmp_path / "secrets", "all"))
    check_disjoint(Embedded("train"), Embedded("held_out"))
    check_disjoint(Embedded("train", kind="grey"), Embedded("train", kind="colour"))


def test_the_same_file_by_another_path_is_found(tmp_path):
    _write(tmp_path / "covers", "a.pgm", 0)
    _write(tmp_path / "secrets", "b.pgm", 1)
    os.symlink(tmp_path / "covers" / "a.pgm", tmp_path / "secrets" / "link.pgm")
    with pytest.raises(InputError, match="share pictures: .*a.pgm; take them out"):
        check_disjoint(Folder(tmp_path / "covers", "all"), Folder(tmp_path / "secrets", "all"))
    with pytest.raises(InputError, match="share pictures: .*link.pgm; take them out"):
        check_disjoint(Folder(tmp_path / "secrets", "all"), Folder(tmp_path / "covers", "all"))


def test_copies_are_found_among_files_of_one_size(tmp_path):
    for number in range(4):
        _write(tmp_path / "covers", f"{number}.pgm", number)
        _write(tmp_path / "secrets", f"{number}.pgm", 10 + number)
    shutil.copy(tmp_path / "covers" / "2.pgm", tmp_path / "secrets" / "copy.pgm")
    with pytest.raises(InputError, match=r"2.pgm = .*copy.pgm") as caught:
        check_disjoint(Folder(tmp_path / "covers", "all"), Folder(tmp_path / "secrets", "all"))
    assert "\n" not in str(caught.value)


def test_files_that_only_begin_alike_are_different(tmp_path):
    for folder, last in (("covers", 0), ("secrets", 1)):
        (tmp_path / folder).mkdir()
        pixels = np.zeros((70, 70), np.uint8)
        pixels[-1, -1] = last
        Image.fromarray(pixels).save(tmp_path / folder / "a.pgm")
    check_disjoint(Folder(tmp_path / "covers", "all"), Folder(tmp_path / "secrets", "all"))


def test_copies_of_embedded_photographs_and_many_overlaps(tmp_path):
    for name in embedded.PHOTOGRAPHS:
        shutil.copy(embedded.path_of(name), tmp_path)
    with pytest.raises(InputError, match="and 7 more"):
        check_disjoint(Embedded("train"), Folder(tmp_path, "all"))
