"""What the page's buttons do: the bytes of files in, files and words out."""

import io

import numpy as np
import pytest
from PIL import Image
from support.jpeg_files import by_pillow
from support.photographs import photograph

from stegojax import detection, images, verdicts
from stegojax.demo import operations
from stegojax.errors import InputError


@pytest.fixture(scope="module")
def cover(tmp_path_factory):
    path = tmp_path_factory.mktemp("cover") / "c.png"
    images.write(path, photograph((40, 40, 1)).pixels)
    return operations.File("my cover.png", path.read_bytes())


@pytest.fixture(scope="module")
def hidden(cover):
    return operations.hide(cover, b"a word\xff", "secret", scheme="hill")


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def test_a_message_goes_into_a_file_and_comes_back(cover, hidden):
    assert hidden.stego.name == "my cover-stego.png"
    assert operations.reveal(hidden.stego, "secret") == b"a word\xff"
    changed = pixels(hidden.stego.content) != pixels(cover.content)
    assert 0 < changed.sum() < 400 and f"with {changed.sum()} changes" in hidden.said[0]
    coloured = np.ptp(pixels(hidden.changes).astype(int), axis=-1) > 0
    np.testing.assert_array_equal(coloured, changed)
    np.testing.assert_array_equal(
        pixels(operations.shown(hidden.stego)), pixels(hidden.stego.content)
    )


def test_a_jpeg_file_stays_one():
    photo = operations.File("photo.JPG", by_pillow(quality=85))
    found = operations.hide(photo, b"m", "secret")
    assert found.stego.name == "photo-stego.jpg" and found.stego.content[:2] == b"\xff\xd8"
    assert operations.reveal(found.stego, "secret") == b"m"
    assert pixels(operations.shown(photo)).shape[2] == 3


def test_capacity_and_scores_are_said_in_words(cover, hidden):
    first, second, *_ = operations.capacity(cover, scheme="hill")
    assert first == "40x40 grey, 1600 samples" and "carries up to" in second
    judge = detection.Steganalyzer(
        lambda planes: np.asarray([0.25]), "a toy", lambda path: images.read(path).pixels
    )
    broken = operations.File("b.png", b"none")
    lines = operations.detect(operations.judged_by(judge), [cover, broken])
    assert lines[0] == "0.2500  my cover.png" and lines[-1].startswith("scores of a toy")
    assert lines[1].startswith("b.png: ")


def test_models_that_ship_say_it_in_their_own_words(cover, monkeypatch):
    def judged(panel, paths):
        yield from (verdicts.Verdict(path, "cannot tell", "too small") for path in paths)

    monkeypatch.setattr(verdicts, "judge", judged)
    panel = verdicts.Panel(("a, b", "c, d"), None, (0.0, 0.0), 8, {})
    lines = operations.detect(operations.judged_by_models(panel), [cover])
    assert lines[0] == "my cover.png: cannot tell (too small)"
    assert lines[1].startswith("judged by a, b, c, d")


@pytest.mark.parametrize(
    "work,words",
    [
        (lambda file: operations.hide(operations.File("", b""), b"m", "p"), "choose a file"),
        (lambda file: operations.hide(file, b"m", ""), "password"),
        (lambda file: operations.hide(file, b"m", "p", scheme="none"), "none"),
        (lambda file: operations.hide(file, bytes(np.arange(9000) * 7 % 251), "p"), "carries at"),
        (lambda file: operations.reveal(file, "p"), "no message"),
        (lambda file: operations.capacity(operations.File("a.png", b"x")), "^a?.*cover.png"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_folder(cover, work, words):
    with pytest.raises(InputError, match=words) as refused:
        work(cover)
    assert "/tmp" not in str(refused.value)
