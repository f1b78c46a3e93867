"""Folders are searched, split by name, and read in spite of broken files."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from stegojax import images
from stegojax.data import embedded
from stegojax.data.folder import Folder, split_of
from stegojax.errors import InputError


def _piece(number, size=(40, 48)):
    """A piece of a real photograph, different for every number."""
    photo = embedded.Embedded("train", kind="colour")[number % 4]
    top = 7 * number % (photo.shape[0] - size[0])
    left = 13 * number % (photo.shape[1] - size[1])
    return photo[top : top + size[0], left : left + size[1]]


@pytest.fixture
def folder(tmp_path):
    """Twenty pictures of all formats in two folders, and files that are none."""
    (tmp_path / "sub" / "deeper").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    endings = ["png", "ppm", "tif", "bmp", "PNG", "tiff", "png", "png", "bmp", "ppm"]
    for number, ending in enumerate(endings):
        Image.fromarray(_piece(number)).save(tmp_path / f"{number}.{ending}")
        Image.fromarray(_piece(number)[..., 1]).save(
            tmp_path / "sub" / "deeper" / f"{number}.{ending.replace('ppm', 'pgm')}"
        )
    Image.fromarray(_piece(0)).save(tmp_path / "sub" / "photo.JPG", quality=90)
    Image.fromarray(_piece(0)).save(tmp_path / ".hidden" / "a.png")
    Image.fromarray(_piece(0)).save(tmp_path / "._a.png")
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


def test_all_formats_are_found_recursively_and_read(folder):
    source = Folder(folder, "all")
    assert len(source) == 21 and source.names == sorted(source.names)
    for index, name in enumerate(source.names):
        picture, expected = source[index], np.array(Image.open(folder / name))
        np.testing.assert_array_equal(picture, expected.reshape(*expected.shape[:2], -1))
        assert picture.dtype == np.uint8 and source.sizes()[index] == picture.shape[:2] == (40, 48)


def test_the_split_follows_from_the_name_alone(folder):
    train, held_out = (Folder(folder, split, train_share=0.6) for split in ("train", "held_out"))
    everything = Folder(folder, "all")
    assert sorted(train.names + held_out.names) == everything.names
    assert set(train.names).isdisjoint(held_out.names) and len(train) and len(held_out)
    for name in everything.names:
        share = int(hashlib.sha256(name.encode()).hexdigest()[:16], 16) / 16**16
        assert (name in train.names) == (share < 0.6)
    (folder / train.names[0]).unlink()
    Image.fromarray(_piece(3)).save(folder / "new.png")
    again = Folder(folder, "train", train_share=0.6)
    assert set(again.names) - {"new.png"} == set(train.names[1:])
    assert Folder(folder, "train", train_share=1.0).names == Folder(folder, "all").names


def test_about_the_asked_share_trains():
    sides = [split_of(f"some/folder/{number}.png", train_share=0.9) for number in range(4000)]
    assert abs(sides.count("train") / 4000 - 0.9) < 0.02 and set(sides) == {"train", "held_out"}
    with pytest.raises(InputError, match="train_share"):
        split_of("a.png", train_share=1.5)


def test_pictures_are_turned_upright_and_lose_their_alpha(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(_piece(1)).save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(np.dstack([_piece(2), np.full((40, 48), 7, np.uint8)])).save(
        tmp_path / "alpha.png"
    )
    source = Folder(tmp_path, "all")
    np.testing.assert_array_equal(source[1], np.rot90(_piece(1), -1))
    assert source.sizes()[1] == (48, 40)
    np.testing.assert_array_equal(source[0], _piece(2))


def test_unusable_files_are_named_and_counted(folder, caplog):
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    (folder / "empty.jpg").touch()
    Image.fromarray(_piece(0)[..., 0].astype(np.uint16) * 257).save(folder / "deep.png")
    for name in ("3.bmp", "1.ppm", "sub/deeper/1.pgm", "0.png", "sub/photo.JPG", "2.tif"):
        whole = (folder / name).read_bytes()
        (folder / f"cut_{name.replace('/', '_')}").write_bytes(whole[:-100])
        (folder / f"longer_{name.replace('/', '_')}").write_bytes(
            whole + b"something behind the picture"
        )
    assert len(Folder(folder, "all")) == 21 + 6
    for words in (
        "broken.png",
        "empty.jpg",
        "deep.png: has more than 8 bits",
        "9 of 36 pictures left out",
        "cut_3.bmp: broken",
        "cut_1.ppm: broken",
        "cut_sub_deeper_1.pgm: broken",
        "cut_0.png: broken",
        "cut_sub_photo.JPG: broken",
        "cut_2.tif",
    ):
        assert words in caplog.text


def test_folders_that_cannot_be_used_are_one_line_errors(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        Folder(tmp_path / "nowhere", "train")
    with pytest.raises(InputError, match="no picture in this folder"):
        Folder(tmp_path, "train")
    (tmp_path / "a.png").write_text("nonsense")
    with pytest.raises(InputError, match="all 1 pictures of the split all are broken"):
        Folder(tmp_path, "all")
    Image.fromarray(_piece(0)).save(tmp_path / "a.png")
    other = {"train": "held_out", "held_out": "train"}[split_of("a.png", train_share=0.9)]
    with pytest.raises(
        InputError, match=f"none of its 1 pictures falls into the split {other}.*train_share"
    ):
        Folder(tmp_path, other)


def test_a_picture_that_breaks_later_is_an_input_error(folder):
    source = Folder(folder, "all")
    whole = (folder / source.names[0]).read_bytes()
    (folder / source.names[0]).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=source.names[0]):
        source[0]


def test_real_photographs(shared):
    train, held_out = (Folder(shared / "data" / "photos", split) for split in ("train", "held_out"))
    assert len(train) + len(held_out) == 300 and 15 <= len(held_out) <= 45
    assert set(train.sizes()) == {(321, 481), (481, 321)} and train[0].shape[2] == 3
    np.testing.assert_array_equal(train[5], images.read(train.files()[5]).pixels)
