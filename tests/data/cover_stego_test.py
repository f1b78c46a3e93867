"""Covers with ready-made stegos: who is paired with whom, in which part, cropped and turned alike,
and what is refused.
"""

import json
import pickle

import numpy as np
import pytest
from PIL import Image

from stegojax.data import cover_stego, kinds, pipeline
from stegojax.data.folder import split_of
from stegojax.errors import InputError

COUNT = 24


def coded(number, size=(12, 12)):
    """A cover whose every pixel tells its place and, from row to row, the picture; its stego is one
    higher everywhere.
    """
    rows, columns = np.indices(size)
    return ((5 * number + 7 * rows + 3 * columns * columns) % 200).astype(np.uint8)


def write(folder, number, plane, ending="png"):
    folder.mkdir(exist_ok=True)
    Image.fromarray(plane).save(folder / f"{number}.{ending}")


@pytest.fixture
def folders(tmp_path):
    """Covers as PNG, their stegos as PGM, under the same names."""
    for number in range(COUNT):
        write(tmp_path / "covers", number, coded(number))
        write(tmp_path / "stegos", number, coded(number) + 1, "pgm")
    return {"covers": str(tmp_path / "covers"), "stegos": str(tmp_path / "stegos")}


@pytest.fixture
def arrays(tmp_path):
    """Twelve pictures that hold their own number, stegos 100 more, and a split of ten of them."""
    numbers = np.arange(12, dtype=np.uint8)[:, None, None]
    np.save(tmp_path / "covers.npy", np.broadcast_to(numbers, (12, 8, 8)))
    np.save(tmp_path / "stegos.npy", np.broadcast_to(numbers + np.uint8(100), (12, 8, 8)))
    split = {"train": [11, 0, 3, 5, 8], "validation": [2, 9], "test": [1, 4, 7]}
    (tmp_path / "split.json").write_text(json.dumps(split))
    return {
        name: str(tmp_path / file)
        for name, file in (
            ("covers", "covers.npy"),
            ("stegos", "stegos.npy"),
            ("parts", "split.json"),
        )
    }


def batches(section, *, split="train", count=None, batch_size=4, **rest):
    with pipeline.make(
        {"kind": "cover_stego", **section}, split=split, batch_size=batch_size, seed=0, **rest
    ) as loader:
        if count is None:
            return [batch for batch, _ in zip(loader, range(loader.length), strict=True)]
        return [next(loader) for _ in range(count)]


def opened(section, part):
    return cover_stego.open_pairs(
        section["covers"],
        section["stegos"],
        part=part,
        parts=section.get("parts", ""),
        train_share=section.get("train_share", 0.5),
    )


def test_files_pair_by_name_and_not_by_place(folders):
    """The order of the files differs, since one folder's endings and one name's folder do."""
    pairs = opened(folders | {"train_share": 1.0}, "train")
    assert sorted(pairs.names) == sorted(map(str, range(COUNT)))
    for index, name in enumerate(pairs.names):
        pair = pairs[index]
        assert pair.shape == (12, 12, 2) and pair.dtype == np.uint8
        np.testing.assert_array_equal(pair[..., 0], coded(int(name)))
        np.testing.assert_array_equal(pair[..., 1], coded(int(name)) + 1)
    assert list(pairs.sizes()) == [(12, 12)] * COUNT


def test_a_folders_split_follows_from_the_name_alone(folders):
    train, validation, test = (opened(folders, part) for part in ("train", "validation", "test"))
    assert (
        sorted((*train.names, *validation.names)) == sorted(map(str, range(COUNT)))
        and len(train)
        and len(validation)
    )
    assert validation.names == test.names
    for name in map(str, range(COUNT)):
        assert (name in train.names) == (split_of(name, train_share=0.5) == "train")


def test_cover_and_stego_are_cropped_turned_and_flipped_alike(folders):
    """The stego is the cover plus one wherever it was taken from, and both are a turned piece of
    one picture.
    """
    section = folders | {"crop": 8, "train_share": 1.0}
    orientations, corners = set(), set()
    for batch in batches(section, count=40):
        np.testing.assert_array_equal(batch["stego"], batch["cover"] + 1)
        for piece in batch["cover"][..., 0]:
            [(number, place)] = found(piece)
            orientations.add(place[2])
            corners.add(place[:2])
    assert len(orientations) == 8 and len(corners) == 25


def found(piece):
    """Every picture, corner, and orientation of eight that a piece could come from."""
    pieces = [np.rot90(side, turns) for side in (piece, piece[:, ::-1]) for turns in range(4)]
    places = []
    for number in range(COUNT):
        windows = np.lib.stride_tricks.sliding_window_view(coded(number), (8, 8))
        for orientation, candidate in enumerate(pieces):
            tops, lefts = np.nonzero((windows == candidate).all(axis=(2, 3)))
            places += [
                (number, (top, left, orientation))
                for top, left in zip(tops.tolist(), lefts.tolist(), strict=True)
            ]
    return places


def test_held_out_pairs_are_whole_pictures_middles_in_order(folders):
    names = opened(folders, "validation").names
    held_out = batches(folders | {"crop": 8, "train_share": 0.5}, split="held_out", batch_size=1)
    assert len(held_out) == len(names)
    for name, batch in zip(names, held_out, strict=True):
        np.testing.assert_array_equal(batch["cover"][0, ..., 0], coded(int(name))[2:10, 2:10])
        np.testing.assert_array_equal(batch["stego"], batch["cover"] + 1)


@pytest.mark.parametrize("split,part", [("train", [0, 3, 5, 8, 11]), ("held_out", [2, 9])])
def test_no_picture_outside_its_part_ever_appears(arrays, split, part):
    """Ten passes over a part show its pictures alone, all of them, each cover with its own
    stego.
    """
    seen = []
    for batch in batches(
        arrays | {"crop": 6, "crops_per_photo": 10},
        split=split,
        count=10 if split == "train" else None,
        batch_size=len(part),
    ):
        np.testing.assert_array_equal(batch["stego"], batch["cover"] + 100)
        assert (batch["cover"] == batch["cover"][:, :1, :1]).all()
        seen.append(batch["cover"][:, 0, 0, 0].astype(int).tolist())
    assert len(seen) == 10 and all(sorted(one) == part for one in seen)
    assert (len({tuple(one) for one in seen}) > 1) == (split == "train")


def test_parts_are_those_of_the_file(arrays):
    assert [
        [int(pair[0, 0, 0]) for pair in map(pairs.__getitem__, range(len(pairs)))]
        for pairs in (opened(arrays, part) for part in ("train", "validation", "test"))
    ] == [[11, 0, 3, 5, 8], [2, 9], [1, 4, 7]]


def test_arrays_are_opened_again_by_worker_processes(arrays):
    """A pair travels to another process as paths, not as pixels."""
    pairs = opened(arrays, "train")
    text = pickle.dumps(pairs)
    assert len(text) < 1000
    again = pickle.loads(text)
    assert again.names == pairs.names
    np.testing.assert_array_equal(again[3], pairs[3])


def test_worker_processes_change_nothing(arrays):
    section = arrays | {"crop": 6}
    for one, other in zip(
        batches(section, count=3), batches(section | {"workers": 1}, count=3), strict=True
    ):
        for name in ("cover", "stego"):
            np.testing.assert_array_equal(one[name], other[name])


def test_colour_files_become_one_plane_each(folders, tmp_path):
    write(tmp_path / "covers", 0, np.repeat(coded(0)[..., None], 3, axis=2))
    pair = opened(folders | {"train_share": 1.0}, "train")[0]
    assert pair.shape == (12, 12, 2)
    np.testing.assert_array_equal(pair[..., 0], coded(0))


def refused(section, message, *, split="train"):
    with pytest.raises(InputError, match=message) as caught:
        batches(section, split=split, count=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fields", [dict(covers=""), dict(stegos=""), dict(covers="", stegos="")])
def test_nothing_named_is_refused_and_the_present_folder_not_searched(folders, monkeypatch, fields):
    monkeypatch.chdir(folders["covers"])
    refused(folders | fields, "names nothing; set data.covers and data.stegos to two folders")


def test_a_cover_without_stego_and_a_stego_without_cover_are_refused(folders, tmp_path):
    (tmp_path / "stegos" / "3.pgm").unlink()
    refused(
        folders, r"stegos: holds no 3, which .*covers has; every cover needs a stego of its name"
    )
    (tmp_path / "stegos" / "5.pgm").unlink()
    refused(folders, r"holds no 3 and 1 more, which")
    (tmp_path / "covers" / "3.png").unlink()
    (tmp_path / "covers" / "5.png").unlink()
    (tmp_path / "covers" / "7.png").unlink()
    kinds._opened_pairs.cache_clear()
    refused(folders, r"covers: holds no 7, which .*stegos has")


def test_two_files_of_one_name_are_refused(folders, tmp_path):
    write(tmp_path / "covers", 3, coded(3), "bmp")
    refused(folders, r"3\.bmp and .*3\.png have the same name")


@pytest.mark.parametrize("field", ["covers", "stegos"])
def test_a_missing_folder_is_refused(folders, field):
    refused(folders | {field: "/no/such/folder"}, "/no/such/folder: no such folder")


def test_a_stego_of_another_size_is_refused(folders, tmp_path):
    write(tmp_path / "stegos", 3, coded(3, (12, 10)), "pgm")
    refused(
        folders | {"train_share": 1.0},
        r"3\.pgm is 10x12 and its cover 12x12; a stego has the size of its cover",
    )


def test_pictures_smaller_than_the_crop_are_refused(folders, arrays):
    refused(folders | {"crop": 16}, "smaller than the crop 16x16")
    refused(arrays | {"crop": 9}, r"covers\.npy picture 11 .*8x8, smaller than the crop 9x9")


@pytest.mark.parametrize("operation", ["resize:8", "jpeg:75"])
def test_what_would_destroy_the_stego_is_refused(folders, operation):
    refused(
        folders | {"preprocess": (operation,), "crop": 4},
        f"{operation} would destroy what the stegos carry",
    )
    assert batches(folders | {"preprocess": ("centre_crop:8",), "crop": 4}, count=1)[0][
        "cover"
    ].shape == (4, 4, 4, 1)


@pytest.mark.parametrize("share,split", [(0.0, "train"), (1.0, "held_out")])
def test_an_empty_side_of_the_folders_is_refused(folders, share, split):
    refused(folders | {"train_share": share}, f"none of its {COUNT} pictures is for", split=split)


@pytest.mark.parametrize(
    "text,message",
    [
        (
            '{"train": [], "validation": [0]}',
            "lists pictures that .* does not have, or none, in the part train",
        ),
        ('{"train": [12]}', "lists pictures that .* does not have"),
        ('{"train": [-1]}', "lists pictures that .* does not have"),
        ('{"validation": [1]}', "does not list the part train"),
        ('{"train": [0, 1], "validation": [1, 2]}', "lists picture 1 more than once"),
        ('{"train": [0, 1, 0]}', "lists picture 0 more than once"),
        ('{"train": ["0"]}', "is not a split"),
        ('{"train": [0.5]}', "is not a split"),
        ('{"train": 5}', "is not a split"),
        ("[0, 1]", "is not a split"),
        ('{"train": [', "cannot be read as a JSON file"),
    ],
)
def test_a_split_that_is_none_is_refused(arrays, tmp_path, text, message):
    (tmp_path / "split.json").write_text(text)
    refused(arrays, message)


def test_a_missing_split_is_refused(arrays, tmp_path):
    (tmp_path / "split.json").unlink()
    refused(arrays, "split.json cannot be read as a JSON file")


def truncated(path):
    np.save(path, np.zeros((12, 8, 8), np.uint8))
    path.write_bytes(path.read_bytes()[:500])


def several(path):
    with open(path, "wb") as file:
        np.savez(file, one=np.zeros((12, 8, 8), np.uint8))


@pytest.mark.parametrize(
    "spoil,message",
    [
        (truncated, "cannot be read as a NumPy file"),
        (lambda path: path.write_bytes(b""), "cannot be read as a NumPy file"),
        (lambda path: path.write_text("covers"), "cannot be read as a NumPy file"),
        (lambda path: path.unlink(), "cannot be read as a NumPy file"),
        (lambda path: np.save(path, np.asarray([{}, {}])), "cannot be read as a NumPy file"),
        (several, "holds several arrays"),
        (
            lambda path: np.save(path, np.zeros((12, 8, 8), np.float64)),
            r"holds float64 \(12, 8, 8\); uint8 or float32 \[N, H, W\] is needed",
        ),
        (lambda path: np.save(path, np.zeros((12, 8, 8), np.float32)), "of its size and kind"),
        (
            lambda path: np.save(path, np.zeros((12, 8, 8, 1), np.uint8)),
            r"holds uint8 \(12, 8, 8, 1\)",
        ),
        (lambda path: np.save(path, np.zeros((0, 8, 8), np.uint8)), r"holds uint8 \(0, 8, 8\)"),
        (
            lambda path: np.save(path, np.zeros((11, 8, 8), np.uint8)),
            "a stego for every cover is needed",
        ),
        (
            lambda path: np.save(path, np.zeros((12, 8, 9), np.uint8)),
            "a stego for every cover is needed, of its size",
        ),
    ],
)
@pytest.mark.parametrize("which", ["covers", "stegos"])
def test_an_array_that_is_none_is_refused(arrays, tmp_path, which, spoil, message):
    spoil(tmp_path / f"{which}.npy")
    refused(arrays, message)
