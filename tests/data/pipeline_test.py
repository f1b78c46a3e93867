"""Order, pairing, position, hosts, workers, errors: batches are a function of the seed and the
batch's number.
"""

import os
import pathlib
import subprocess
import sys
import textwrap
import threading
import time
import types

import jax
import ml_collections
import numpy as np
import pytest
from PIL import Image

from stegojax import images
from stegojax.data import embedded, folder, kinds, pipeline, preprocess
from stegojax.errors import InputError

SECTION = {"kind": "pairs", "source": "embedded", "crop": 32}


def _make(section=None, *, split="train", batch_size=4, seed=0, **rest):
    return pipeline.make(
        SECTION | dict(section or {}), split=split, batch_size=batch_size, seed=seed, **rest
    )


def _take(loader, count):
    with loader:
        return [next(loader) for _ in range(count)]


def _assert_equal(one, other):
    assert len(one) == len(other)
    for left, right in zip(one, other, strict=True):
        assert left.keys() == right.keys()
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])


@pytest.fixture
def numbered(tmp_path):
    """A folder of seven grey pictures whose every pixel is the picture's number."""
    for number in range(7):
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(tmp_path / f"{number}.png")
    return {"source": f"folder:{tmp_path}", "crop": 8, "train_share": 1.0, "colour": False}


def test_batches_of_pairs_are_float_pixels():
    batch = _take(_make(ml_collections.ConfigDict(SECTION)), 1)[0]
    assert {name: (values.shape, values.dtype) for name, values in batch.items()} == {
        "cover": ((4, 32, 32, 3), np.float32),
        "secret": ((4, 32, 32, 1), np.float32),
    }
    for values in batch.values():
        assert (
            values.min() >= 0
            and values.max() > 30
            and values.max() <= 255
            and (values == np.round(values)).all()
        )


def test_crops_are_pieces_of_the_photographs():
    photographs = [
        np.asarray(photo) for photo in map(embedded.Embedded("train").__getitem__, range(10))
    ]
    cover = _take(_make({"kind": "pictures", "colour": True}), 1)[0]["cover"][0].astype(np.uint8)

    def holds(photo):
        photo = np.repeat(photo, 3, axis=2) if photo.shape[2] == 1 else photo
        tops, lefts = np.nonzero((photo[:-31, :-31] == cover[0, 0]).all(-1))
        return any(
            (photo[top : top + 32, left : left + 32] == cover).all()
            for top, left in zip(tops, lefts, strict=True)
        )

    assert sum(map(holds, photographs)) == 1


def test_channels(numbered):
    for colour, secret_colour in ((True, False), (False, True)):
        batch = _take(_make({"colour": colour, "secret_colour": secret_colour}), 1)[0]
        assert batch["cover"].shape[-1] == (3 if colour else 1) and batch["secret"].shape[-1] == (
            3 if secret_colour else 1
        )
    grey = _take(_make(numbered | {"colour": True}), 1)[0]["cover"]
    assert (grey[..., :1] == grey).all()
    assert set(_take(_make({"kind": "pictures"}), 1)[0]) == {"cover"}


def test_from_one_source_each_picture_is_used_once_a_pass_and_none_hides_itself(numbered):
    batches = _take(_make(numbered, batch_size=3), 40)
    passes = [
        (batch["cover"][:, 0, 0, 0].tolist(), batch["secret"][:, 0, 0, 0].tolist())
        for batch in batches
    ]
    for covers, secrets in passes:  # seven pictures: three pairs a pass, one picture sits out
        assert len(set(covers + secrets)) == 6
    assert len({tuple(covers) for covers, _ in passes}) > 20
    assert {picture for covers, secrets in passes for picture in covers} == set(range(7))
    left_out = [(set(range(7)) - set(covers + secrets)).pop() for covers, secrets in passes]
    assert set(left_out) == set(range(7))


def test_passes_of_one_seed_are_not_those_of_the_next_seed(numbered):
    one, other = (_take(_make(numbered, batch_size=3, seed=seed), 6) for seed in (0, 1))
    for shift in range(3):
        assert any(
            (left["cover"] != right["cover"]).any()
            for left, right in zip(one[shift:], other[: 6 - shift], strict=True)
        )


def test_two_sources_are_shuffled_by_themselves(numbered, tmp_path):
    for number in range(3):
        (tmp_path / "secrets").mkdir(exist_ok=True)
        Image.fromarray(np.full((9, 9), 100 + number, np.uint8)).save(
            tmp_path / "secrets" / f"{number}.png"
        )
    (tmp_path / "covers").mkdir()
    for number in range(7):
        (tmp_path / f"{number}.png").rename(tmp_path / "covers" / f"{number}.png")
    section = numbered | {
        "source": f"folder:{tmp_path / 'covers'}",
        "secret_source": f"folder:{tmp_path / 'secrets'}",
    }
    loader = _make(section, batch_size=7)
    assert loader.examples_per_epoch == 7
    batches = _take(loader, 6)
    assert all(sorted(batch["cover"][:, 0, 0, 0]) == list(range(7)) for batch in batches)
    secrets = np.concatenate([batch["secret"][:, 0, 0, 0] for batch in batches])
    for begin in range(0, 42, 3):
        assert sorted(secrets[begin : begin + 3]) == [100, 101, 102]
    assert len({tuple(batch["cover"][:, 0, 0, 0]) for batch in batches}) > 1
    assert len({tuple(secrets[begin : begin + 3]) for begin in range(0, 42, 3)}) > 1


def test_covers_and_secrets_of_two_sources_meet_at_random(numbered, tmp_path):
    (tmp_path / "secrets").mkdir()
    for number in range(7):
        Image.fromarray(np.full((9, 9), 100 + number, np.uint8)).save(
            tmp_path / "secrets" / f"{number}.png"
        )
    (tmp_path / "covers").mkdir()
    for number in range(7):
        (tmp_path / f"{number}.png").rename(tmp_path / "covers" / f"{number}.png")
    section = numbered | {
        "source": f"folder:{tmp_path / 'covers'}",
        "secret_source": f"folder:{tmp_path / 'secrets'}",
    }
    met = {
        (batch["cover"][row, 0, 0, 0], batch["secret"][row, 0, 0, 0])
        for batch in _take(_make(section, batch_size=7), 30)
        for row in range(7)
    }
    assert len(met) > 40  # of 49


def test_pictures_are_shuffled_in_training_and_in_order_when_held_out(numbered):
    train = _take(_make(numbered | {"kind": "pictures"}, batch_size=7), 5)
    orders = [tuple(batch["cover"][:, 0, 0, 0]) for batch in train]
    assert all(sorted(order) == list(range(7)) for order in orders) and len(set(orders)) == 5
    held_out = list(
        _make(numbered | {"kind": "pictures", "train_share": 0.0}, split="held_out", batch_size=7)
    )
    assert [batch["cover"][:, 0, 0, 0].tolist() for batch in held_out] == [list(range(7))]


def test_starting_anywhere_gives_the_very_same_batches():
    straight = _take(_make(), 9)
    loader = _make(start=5)
    assert loader.batches == 5
    _assert_equal(_take(loader, 4), straight[5:])
    assert loader.batches == 9
    assert any((straight[0][name] != straight[1][name]).any() for name in straight[0])


def test_starting_far_away_is_immediate():
    begin = time.perf_counter()
    loader = _make(start=10**12)
    _take(loader, 1)
    assert loader.batches == 10**12 + 1 and time.perf_counter() - begin < 5


def test_another_seed_gives_other_crops():
    section = {"kind": "pictures", "held_out_examples": 8}
    one, other = (
        [batch["cover"] for batch in _make(section, split="held_out", seed=seed)] for seed in (0, 1)
    )
    for position in range(
        4
    ):  # held-out pictures come in the source's order, so only the crops can differ
        assert (one[0][position] != other[0][position]).any() and (
            one[0][position] != one[1][position]
        ).any()


def _joined(shares):
    """The global batches of which several hosts have a share each."""
    return [
        {name: np.concatenate([share[name] for share in step]) for name in step[0]}
        for step in zip(*shares, strict=True)
    ]


@pytest.mark.parametrize(
    "section", [SECTION, SECTION | {"kind": "pictures", "augment": ("random_flip",)}]
)
def test_hosts_divide_every_batch(section):
    whole = _take(_make(section, batch_size=8), 3)
    for count in (2, 4):
        shares = [
            _take(_make(section, batch_size=8, process_index=index, process_count=count), 3)
            for index in range(count)
        ]
        _assert_equal(_joined(shares), whole)
        resumed = [
            _take(
                _make(section, batch_size=8, process_index=index, process_count=count, start=2), 1
            )
            for index in range(count)
        ]
        _assert_equal(_joined(resumed), whole[2:])


def test_worker_processes_and_threads_change_nothing():
    section = {"augment": ("random_flip", "random_rot90"), "preprocess": ("jpeg:90",)}
    expected = _take(_make(section, start=3), 7)
    for workers, threads in ((0, 1), (0, 5), (3, 2)):
        _assert_equal(
            _take(_make(section | {"workers": workers, "threads": threads}, start=3), 7), expected
        )


def test_worker_processes_serve_several_hosts_and_finite_data():
    section = {"workers": 2, "held_out_examples": 24}
    expected = list(_make({"held_out_examples": 24}, split="held_out", batch_size=8))
    shares = [
        list(_make(section, split="held_out", batch_size=8, process_index=index, process_count=2))
        for index in range(2)
    ]
    assert len(expected) == 3
    _assert_equal(_joined(shares), expected)


def test_held_out_data_are_finite_and_always_the_same():
    section = {"crops_per_photo": 5}
    one, other = _make(section, split="held_out"), _make(section, split="held_out")
    assert one.examples_per_epoch == one.examples == 10 and one.length == 3
    batches = list(one)
    assert len(batches) == 3 and one.batches == 3
    _assert_equal(batches, list(other))
    assert (batches[0]["cover"] != batches[1]["cover"]).any()
    train = _take(_make(section), 3)
    assert (batches[0]["cover"] != train[0]["cover"]).any()


def test_held_out_crops_are_in_the_middle_where_asked():
    batch = next(
        _make(
            {
                "kind": "pictures",
                "held_out_crop": "centre",
                "source": "embedded:colour",
                "colour": True,
            },
            split="held_out",
            batch_size=3,
        )
    )
    for cover, photo in zip(
        batch["cover"], embedded.Embedded("held_out", kind="colour"), strict=False
    ):
        top, left = (photo.shape[0] - 32) // 2, (photo.shape[1] - 32) // 2
        np.testing.assert_array_equal(cover, photo[top : top + 32, left : left + 32])


def test_augmentation_is_for_training_alone():
    plain, flipped = (
        [
            _take(_make({"augment": augment}, split=split), 1)[0]["cover"]
            for split in ("train", "held_out")
        ]
        for augment in ((), ("random_flip",))
    )
    np.testing.assert_array_equal(plain[1], flipped[1])
    assert any(
        (one == other[:, ::-1]).all() and (one != other).any()
        for one, other in zip(plain[0], flipped[0], strict=True)
    )


def test_preprocessing_sees_the_whole_picture():
    section = {
        "kind": "pictures",
        "preprocess": ("resize:40x48", "jpeg:50"),
        "crop": 0,
        "held_out_examples": 1,
    }
    cover = next(_make(section, split="held_out", batch_size=1))["cover"][0]
    photo = embedded.Embedded("held_out")[0]
    expected = preprocess.to_grey(images.jpeg_recompress(preprocess.resize(photo, (40, 48)), 50))
    np.testing.assert_array_equal(cover, expected)


def test_an_epoch_counts_pairs_or_pictures():
    assert pipeline.examples_per_epoch(SECTION, split="train") == 5
    assert (
        pipeline.examples_per_epoch(SECTION | {"crops_per_photo": 30, "workers": 2}, split="train")
        == 150
    )
    assert pipeline.examples_per_epoch(SECTION | {"kind": "pictures"}, split="train") == 10
    assert _make({"crops_per_photo": 30}).examples_per_epoch == 150


def test_put_runs_in_the_background_ahead_of_need():
    seen, here = [], threading.current_thread()

    def put(batch):
        seen.append(threading.current_thread())
        return jax.tree.map(jax.device_put, batch)

    loader = _make(put=put)
    deadline = time.monotonic() + 20
    while len(seen) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(seen) >= 2 and here not in seen
    batch = next(loader)
    assert isinstance(batch["cover"], jax.Array)
    time.sleep(0.3)
    assert len(seen) <= 5  # one consumed, two ready, one in the making, one waiting to be stored
    loader.close()


def test_waiting_is_measured():
    def slow(batch):
        time.sleep(0.2)
        return batch

    loader = _make(put=slow)
    _take(loader, 3)
    assert 0.3 < loader.waited < 5
    loader = _make()
    next(loader)
    before = loader.waited
    time.sleep(0.3)
    next(loader)
    assert loader.waited - before < 0.1
    loader.close()


def test_closing_ends_the_iteration_and_the_threads():
    before = threading.active_count()
    loader = _make({"threads": 3})
    next(loader)
    loader.close()
    loader.close()
    with pytest.raises(StopIteration):
        next(loader)
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_an_exception_in_the_background_surfaces():
    def put(batch):
        raise RuntimeError("no such device")

    loader = _make(put=put)
    with pytest.raises(RuntimeError, match="no such device"):
        next(loader)


def _spoil(path):
    """Damages the pixels of a PNG file but neither its header nor its end."""
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 7] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("workers", [0, 2])
def test_pictures_that_break_while_running_are_replaced_alike_everywhere(numbered, workers, caplog):
    place = pathlib.Path(numbered["source"].removeprefix("folder:"))
    section = numbered | {"workers": workers, "threads": 2}
    for number in (1, 2, 5):
        _spoil(place / f"{number}.png")
    kinds._warn_once.cache_clear()
    batches = _take(_make(section, batch_size=3), 20)
    assert {value for batch in batches for value in batch["cover"][:, 0, 0, 0]} == {0, 3, 4, 6}
    assert all((batch["cover"] != batch["secret"]).all() for batch in batches)
    _assert_equal(_take(_make(numbered, batch_size=3, start=15), 5), batches[15:])
    if not workers:
        assert "another picture is used instead" in caplog.text and "1.png: broken" in caplog.text


@pytest.mark.parametrize("workers", [0, 1])
def test_when_nothing_can_be_read_the_error_says_so(numbered, workers):
    place = pathlib.Path(numbered["source"].removeprefix("folder:"))
    for path in place.iterdir():
        _spoil(path)
    with pytest.raises(
        InputError, match="no picture of the source .* can be used; the last one: .*broken.*file$"
    ):
        next(_make(numbered | {"workers": workers}, batch_size=3))


def _error(section, **rest):
    with pytest.raises(InputError) as caught:
        _make(section, **rest)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_mistakes_in_the_section_are_one_line_errors():
    assert "data.kind 'triples' is unknown; use one of pairs, pictures" in _error(
        {"kind": "triples"}
    )
    assert (
        "data.cropp is not a field of pairs; its fields are kind, source, secret_source, crop"
        in _error({"cropp": 3})
    )
    assert "data.secret_colour is not a field of pictures" in _error(
        {"kind": "pictures", "secret_colour": True}
    )
    assert "unknown data source" in _error({"source": "imagenet"})
    assert "unknown operation 'blur'" in _error({"preprocess": ("blur",)})
    assert "held_out_crop" in _error({"held_out_crop": "left"})
    assert "crops_per_photo" in _error({"crops_per_photo": 0})
    assert "workers" in _error({"workers": -1})


def test_mistakes_in_the_program_are_value_errors():
    for rest in (
        {"batch_size": 6, "process_count": 4},
        {"process_index": 1},
        {"seed": -1},
        {"start": -1},
        {"split": "held_out", "start": 1},
    ):
        with pytest.raises(ValueError, match="must|beyond"):
            _make(**rest)


def test_pictures_smaller_than_the_crop_are_named(numbered):
    assert "chelsea is 300x451, smaller than the crop 512x512; lower data.crop" in _error(
        {"crop": 512}, split="held_out"
    )
    assert "(4 of 4 pictures are like this)" in _error({"crop": 512}, split="held_out")
    message = _error(numbered | {"crop": "8x9"})
    assert "0.png is 8x8, smaller than the crop 8x9" in message and "(7 of 7" in message
    _make(numbered | {"crop": "8x9", "preprocess": ("resize:9",)}).close()


def test_a_picture_that_is_too_small_is_left_out_and_counted(tmp_path, caplog):
    """The others are used, and in the numbers of an epoch it does not count."""
    for number in range(21):
        side = 8 if number == 7 else 24
        picture = np.full((side, side, 3), 10 * number, np.uint8)
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    section = {"kind": "pictures", "source": f"folder:{tmp_path}", "train_share": 1.0, "crop": 16}
    with pipeline.make(section, split="train", batch_size=4, seed=0) as loader:
        assert loader.examples_per_epoch == 20
        seen = {float(picture.max()) for _ in range(5) for picture in next(loader)["cover"]}
    assert seen == {10.0 * number for number in range(21) if number != 7}
    said = [record.message for record in caplog.records]
    assert (
        sum("1 of 21 pictures left out: 7.png is 8x8, smaller than" in line for line in said) == 1
    )


def test_pictures_of_different_sizes_need_a_crop():
    assert "pictures of different sizes (400x600 and 872x1000)" in _error(
        {"crop": 0, "source": "embedded:colour"}
    )
    _make({"crop": 0, "preprocess": ("resize:64",)}).close()


def test_a_source_is_searched_once_however_often_it_is_used(numbered, monkeypatch):
    searches = []
    search = folder._pictures_below
    monkeypatch.setattr(
        folder, "_pictures_below", lambda root: searches.append(root) or search(root)
    )
    for _ in range(3):
        _make(numbered).close()
    assert len(searches) == 1


def test_one_picture_is_no_pair(numbered, tmp_path):
    for number in range(1, 7):
        (tmp_path / f"{number}.png").unlink()
    assert "has 1 picture in the split train, and a pair needs two" in _error(numbered)


def test_overlapping_sources_are_refused(numbered):
    assert "cover and secret sources share pictures: " in _error(
        numbered | {"secret_source": numbered["source"]}
    )
    assert "share pictures" in _error({"secret_source": "embedded:grey"})
    _make({"source": "embedded:colour", "secret_source": "embedded:grey"}).close()


_PROGRAM = """
    import hashlib, multiprocessing, sys, time
    import jax
    from absl import app
    from stegojax.data import pipeline

    loaders = []  # still there when the interpreter ends

    def main(arguments):
        jax.devices()
        section = {"source": "embedded", "crop": 32, "workers": int(arguments[1])}
        put = lambda batch: jax.tree.map(jax.device_put, batch)
        loader = pipeline.make(section, split="train", batch_size=4, seed=0, put=put)
        loaders.append(loader)
        digest = hashlib.sha256()
        for _ in range(6):
            digest.update(jax.device_get(next(loader)["secret"]).tobytes())
        assert "tensorflow" not in sys.modules
        print(digest.hexdigest())
        if arguments[2] == "raise":
            raise RuntimeError("stop here")
        if arguments[2] == "wait":
            print(*(child.pid for child in multiprocessing.active_children()), flush=True)
            time.sleep(100)

    if __name__ == "__main__":
        app.run(main)
"""


@pytest.fixture
def start(tmp_path):
    """Starts a program that makes batches and has initialised JAX before."""
    program, root = tmp_path / "program.py", pathlib.Path(pipeline.__file__).parents[2]
    program.write_text(textwrap.dedent(_PROGRAM))
    environment = {"PYTHONPATH": str(root), "JAX_PLATFORMS": "cpu", "PATH": "/usr/bin:/bin"}

    def start(*arguments):
        return subprocess.Popen(
            [sys.executable, program, *arguments],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    return start


def test_an_absl_program_with_workers_ends_cleanly_even_when_it_fails(start):
    def run(*arguments):
        process = start(*arguments)
        output, errors = process.communicate(timeout=120)
        return types.SimpleNamespace(stdout=output, stderr=errors, returncode=process.returncode)

    threads, workers, failing = run("0", "end"), run("2", "end"), run("2", "raise")
    assert threads.returncode == workers.returncode == 0 and failing.returncode == 1
    assert len(threads.stdout.strip()) == 64 and threads.stdout == workers.stdout == failing.stdout
    assert "stop here" in failing.stderr
    for words in ("Exception ignored", "leaked"):
        assert words not in threads.stderr + workers.stderr + failing.stderr


def test_worker_processes_end_when_the_program_is_killed(start):
    process = start("2", "wait")
    process.stdout.readline()
    children = [int(text) for text in process.stdout.readline().split()]
    assert len(children) == 2 and all(map(_runs, children))
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while any(map(_runs, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_runs, children))
    process.communicate(timeout=30)


def _runs(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = pathlib.Path(f"/proc/{process}/status")
    return not status.exists() or "State:\tZ" not in status.read_text()


def test_fifty_batches_a_second():
    loader = _make({"crop": 64})
    next(loader)
    begin = time.perf_counter()
    for _ in range(200):
        next(loader)
    loader.close()
    assert 200 / (time.perf_counter() - begin) > 50
