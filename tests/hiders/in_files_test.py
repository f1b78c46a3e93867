"""Files around everything that hides: what stood under a name before stands until the new stego has
been read back, whatever fails, and what cannot be done is refused before the secret is asked for.
"""

import io
import resource

import numpy as np
import pytest
from support import noisy_bits, picture_hider, sentences
from support.photographs import photograph

from stegojax import hiders, images, secret
from stegojax.errors import InputError
from stegojax.hiders import bits, generated, in_files, pictures
from stegojax.hiders.sentences import hider_of


def png(pixels):
    file = io.BytesIO()
    images.save(file, pixels, path="s.png")
    return file.getvalue()


KEY = secret.key_file(bytes(range(32)))
PICTURE = png(photograph((20, 30, 3)).pixels)
USES = ["costs", "bits", "pictures", "covers", "sentences"]


@pytest.fixture(params=USES)
def hider(request, monkeypatch):
    if request.param == "costs":
        return hiders.load(None, hiders.Options(constraint_height=7))
    if request.param == "pictures":
        return pictures.hider(picture_hider.loaded(), hiders.Options())
    if request.param == "sentences":
        return hider_of(sentences.stub())
    if request.param == "covers":
        fresh = photograph((40, 40, 3)).pixels[None]
        monkeypatch.setattr(generated, "make", lambda loaded, count: fresh)
        return generated.hider(None, hiders.Options(constraint_height=7))
    request.getfixturevalue("registered")
    return bits.hider(noisy_bits.loaded(noise=0.5), hiders.Options())


@pytest.fixture(scope="module")
def registered():
    with noisy_bits.registered():
        yield


@pytest.fixture()
def folder(tmp_path):
    images.write(tmp_path / "cover.png", photograph((60, 60, 1)).pixels)
    (tmp_path / "stego.png").write_bytes(b"what stood here before")
    return tmp_path


def message_for(hider):
    if hider.takes_secret and hider.takes_cover:
        return b"any file"
    if not hider.takes_secret:
        return PICTURE
    return b"the cat sees my dog."


def hide(hider, folder, **options):
    cover = folder / "cover.png" if hider.takes_cover else None
    options = {"ask": lambda: KEY, "stego": folder / "stego.png", "overwrite": True, **options}
    message = message_for(hider)
    return hiders.hide_file(
        hider, options["ask"], cover, message, options["stego"], overwrite=options["overwrite"]
    )


def assert_as_before(folder):
    assert (folder / "stego.png").read_bytes() == b"what stood here before"
    assert sorted(path.name for path in folder.iterdir()) == ["cover.png", "stego.png"]


def test_a_message_goes_into_a_file_and_comes_back(hider, folder):
    hidden = hide(hider, folder)
    assert hidden.said and images.read(folder / "stego.png")
    message = hiders.reveal_file(hider, lambda: KEY, folder / "stego.png")
    if isinstance(message, bytes):
        assert message == message_for(hider)
    elif isinstance(message, str):
        assert message == "the cat sees my dog."
    else:
        assert message.shapes == ((60, 60),)
    hiders.write_message(folder / "back.png", message)
    assert (folder / "back.png").stat().st_size


def half(file, pixels, **options):
    file.write(b"half of a pict")
    raise OSError(28, "No space left on device")


def mistaken(file, pixels, **options):
    raise ZeroDivisionError


def interrupted(file, pixels, **options):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "save,error,words",
    [
        (half, InputError, "stego.png: cannot be written .No space left on device"),
        (mistaken, ZeroDivisionError, None),
        (interrupted, KeyboardInterrupt, None),
    ],
)
def test_a_save_that_fails_leaves_the_old_file(hider, folder, monkeypatch, save, error, words):
    monkeypatch.setattr(images, "save", save)
    with pytest.raises(error, match=words):
        hide(hider, folder)
    assert_as_before(folder)


def test_a_full_disk_leaves_the_old_file(hider, folder, monkeypatch):
    """The system itself refuses more than a hundred bytes."""
    real, limits = images.save, resource.getrlimit(resource.RLIMIT_FSIZE)

    def save(file, pixels, **options):
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        try:
            real(file, pixels, **options)
            file.flush()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    monkeypatch.setattr(images, "save", save)
    with pytest.raises(InputError, match="stego.png: cannot be written .File too large"):
        hide(hider, folder)
    assert_as_before(folder)


@pytest.mark.parametrize("damage", [lambda pixels: pixels ^ 1, lambda pixels: pixels[1:]])
def test_a_file_that_does_not_verify_leaves_the_old_one(hider, folder, monkeypatch, damage):
    real = images.save
    monkeypatch.setattr(
        images,
        "save",
        lambda file, pixels, **options: real(
            file, np.ascontiguousarray(damage(pixels)), path=options["path"]
        ),
    )
    with pytest.raises(InputError, match="did not give back what was written"):
        hide(hider, folder)
    assert_as_before(folder)


def test_a_file_that_is_no_picture_leaves_the_old_one(hider, folder, monkeypatch):
    monkeypatch.setattr(images, "save", lambda file, pixels, **options: file.write(b"no picture"))
    with pytest.raises(InputError, match="did not give back what was written"):
        hide(hider, folder)
    assert_as_before(folder)


def test_what_does_not_hide_leaves_the_old_file(hider, folder):
    def fail(*arguments):
        raise InputError("it does not fit")

    with pytest.raises(InputError, match="it does not fit"):
        hide(hider._replace(hide=fail), folder)
    assert_as_before(folder)


@pytest.mark.parametrize(
    "stego,overwrite,words",
    [
        ("stego.png", False, "exists already"),
        ("none/stego.png", True, "there is no folder"),
        (".", True, "is a folder"),
        ("/dev/full", True, "is a device"),
        ("stego.jpg", True, ".jpg files are lossy"),
        ("stego.txt", True, "cannot write .txt"),
    ],
)
def test_outputs_are_checked_before_the_secret_is_asked_for(hider, folder, stego, overwrite, words):
    def ask():
        raise AssertionError("asked")

    def refused(*arguments):
        raise AssertionError("computed")

    with pytest.raises(InputError, match=words):
        hide(
            hider._replace(hide=refused), folder, ask=ask, stego=folder / stego, overwrite=overwrite
        )
    assert_as_before(folder)


@pytest.mark.parametrize("name", ["cover.png", "soft.png", "hard.png"])
def test_the_cover_is_never_written_over(folder, name):
    (folder / "soft.png").symlink_to("cover.png")
    (folder / "hard.png").hardlink_to(folder / "cover.png")
    before = (folder / "cover.png").read_bytes()
    with pytest.raises(InputError, match="is the cover itself"):
        hide(hiders.load(None), folder, stego=folder / name)
    assert (folder / "cover.png").read_bytes() == before


def test_alpha_and_metadata_come_through_and_the_cover_is_not_touched(folder):
    picture = photograph((40, 40, 3))
    alpha = np.full((40, 40), 255, np.uint8)
    alpha[:, :15], alpha[:, 15:20] = 0, 7
    metadata = images.Metadata(gamma=0.45455, dpi=(300.0, 300.0), text=(("Author", "nobody"),))
    given = picture._replace(alpha=alpha, metadata=metadata)
    images.write(folder / "cover.png", picture.pixels, like=given, overwrite=True)
    before = (folder / "cover.png").read_bytes()
    hide(hiders.load(None, hiders.Options(constraint_height=7)), folder)
    stego = images.read(folder / "stego.png")
    np.testing.assert_array_equal(stego.alpha, alpha)
    assert stego.metadata.gamma == pytest.approx(0.45455)
    assert stego.metadata.text == (("Author", "nobody"),)
    changed = stego.pixels != picture.pixels
    assert not changed[:, :15].any() and changed[:, 15:].any()
    assert (folder / "cover.png").read_bytes() == before


@pytest.mark.parametrize("name", ["s.tif", "s.bmp", "s.ppm"])
def test_other_lossless_formats_carry_messages(folder, name):
    images.write(folder / "cover.png", photograph((20, 20, 3)).pixels, overwrite=True)
    hider = hiders.load(None, hiders.Options(constraint_height=7))
    hide(hider, folder, stego=folder / name)
    assert hiders.reveal_file(hider, lambda: KEY, folder / name) == b"any file"


def test_what_a_person_should_know_is_told_before_the_secret_is_asked_for(folder):
    said = []
    palette = images.Image.fromarray(photograph((40, 40, 3)).pixels).convert("P")
    palette.save(folder / "palette.png")
    hider = hiders.load(None, hiders.Options(scheme="lsbm", constraint_height=7))

    def ask():
        assert "the palette is resolved" in said[0]
        return KEY

    hiders.hide_file(hider, ask, folder / "palette.png", b"m", folder / "s.png", tell=said.append)
    assert len(said) == 1


def test_a_picture_that_is_revealed_takes_no_lossy_name(folder):
    hider = pictures.hider(picture_hider.loaded(), hiders.Options())
    hide(hider, folder)
    picture = hiders.reveal_file(hider, None, folder / "stego.png")
    with pytest.raises(InputError, match=".jpg files are lossy"):
        hiders.write_message(folder / "r.jpg", picture)
    assert not (folder / "r.jpg").exists()


def test_the_capacity_of_a_file(hider, folder):
    if not hider.takes_cover:
        return
    size, capacity = in_files.capacity_of_file(hider, folder / "cover.png")
    assert size == "60x60 grey" and capacity.most > 0


def test_of_several_covers_the_one_whose_stego_is_most_like_it_is_taken(tmp_path):
    """A black secret clears three bits of green: one cover has them clear already."""
    black, clear = png(np.zeros((24, 24, 1), np.uint8)), photograph((24, 24, 3), 1).pixels.copy()
    clear[..., 1] &= 248
    places = [tmp_path / f"{name}.png" for name in "abc"]
    for place, pixels in zip(places, (photograph((24, 24, 3), 2).pixels, clear, clear | 7)):
        place.write_bytes(png(pixels))
    hider = pictures.hider(picture_hider.loaded(), hiders.Options())
    assert hiders.choose_cover(hider, places, black) == places[1]
    assert hiders.choose_cover(hider, places[::-1], black) == places[1]
    assert hiders.choose_cover(hider, places[2:], black) == places[2]
    by_costs = hiders.load(None, hiders.Options())
    with pytest.raises(InputError, match="hide takes two files, COVER and MESSAGE; 4 given"):
        hiders.choose_cover(by_costs, places, b"x")
