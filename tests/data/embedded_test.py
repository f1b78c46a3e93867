"""The bundled photographs are what the table says."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from stegojax.data import embedded
from stegojax.errors import InputError


def test_the_table_agrees_with_the_files():
    for name, photograph in embedded.PHOTOGRAPHS.items():
        with Image.open(embedded.path_of(name)) as image:
            assert image.mode == ("RGB" if photograph.colour else "L"), name
            assert image.size == photograph.size[::-1], name


def test_pictures_are_those_of_the_files_in_a_stable_order():
    for split in ("train", "held_out"):
        source = embedded.Embedded(split)
        assert len(source) == len(source.names) == len(source.sizes()) == len(source.files())
        for name, picture, size in zip(source.names, source, source.sizes(), strict=False):
            values = np.array(Image.open(embedded.path_of(name)))
            np.testing.assert_array_equal(picture, values.reshape(*values.shape[:2], -1))
            assert picture.dtype == np.uint8 and picture.shape[:2] == size


def test_no_photograph_is_on_both_sides_and_both_have_colour():
    train, held_out = embedded.Embedded("train"), embedded.Embedded("held_out")
    digests = [
        hashlib.sha256(path.read_bytes()).digest() for path in (*train.files(), *held_out.files())
    ]
    assert len(set(digests)) == len(digests) == len(embedded.PHOTOGRAPHS)
    assert len(train) > 2 * len(held_out)
    assert (
        len(embedded.Embedded("train", kind="colour")) >= 4
        and len(embedded.Embedded("held_out", kind="colour")) >= 3
    )
    for kind, channels in (("colour", 3), ("grey", 1)):
        assert all(
            picture.shape[2] == channels for picture in _all(embedded.Embedded("train", kind=kind))
        )


def _all(source):
    return [source[index] for index in range(len(source))]


def test_pictures_stay_decoded_and_cannot_be_changed():
    source = embedded.Embedded("train")
    assert source[0] is embedded.Embedded("train")[0]
    with pytest.raises(ValueError, match="read-only"):
        source[0][0, 0, 0] = 1
    assert (
        sum(
            picture.nbytes
            for split in ("train", "held_out")
            for picture in _all(embedded.Embedded(split))
        )
        < 13e6
    )


def test_unknown_kinds_and_missing_files_are_one_line_errors(monkeypatch):
    with pytest.raises(InputError, match="embedded:blue is unknown"):
        embedded.Embedded("train", kind="blue")
    monkeypatch.setitem(
        embedded.PHOTOGRAPHS,
        "lost",
        embedded.Photograph("skimage", "data/lost.png", "train", True, (9, 9)),
    )
    with pytest.raises(InputError, match=r"skimage lacks its photograph data/lost.png"):
        embedded.path_of("lost")
