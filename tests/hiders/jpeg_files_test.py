"""JPEG in, JPEG out: a message in a JPEG file and back from it, or one line and nothing lost."""

import functools
import json
import pathlib

import jpeglib
import numpy as np
import pytest
from PIL import Image
from support.jpeg_files import by_pillow, corpus
from support.photographs import photograph

from stegojax import hiders, images, secret
from stegojax.domains import JPEG, PIXELS, jpeg
from stegojax.errors import InputError
from stegojax.hiders import by_costs, comparison, in_files, many

KEY = secret.key_file(bytes(range(32)))
PINNED = pathlib.Path(__file__).parents[1] / "data_files"
FAST = {"constraint_height": 7, "domain": JPEG}
MESSAGE = bytes(range(150))


def hider(scheme="uerd", **options):
    return hiders.load(None, hiders.Options(scheme=scheme, **{**FAST, **options}))


def hide(cover, message=MESSAGE, *, scheme="uerd", folder=None, **options):
    stego = cover.with_name("stego.jpg")
    said = []
    hidden = hiders.hide_file(
        hider(scheme), lambda: KEY, cover, message, stego, tell=said.append, **options
    )
    return stego, hidden, said


def reveal(path):
    return hiders.reveal_file(hider(), lambda: KEY, path)


@pytest.fixture()
def write(tmp_path):
    def to(content, name="cover.jpg"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return to


@pytest.mark.parametrize(
    "name, shared, message",
    [
        ("key_juniward_stc10", KEY, b"JPEG in, JPEG out " * 3),
        ("password_uerd_bbc_polar", secret.password("pässwörd"), bytes(range(60))),
        ("key_uerd_bbm_stc8", KEY, bytes(range(80))),
    ],
)
def test_pinned_stegos_stay_readable(name, shared, message):
    stego, _ = JPEG.read(PINNED / f"{name}.jpg")
    assert by_costs.reveal(shared, stego, domain=JPEG) == message


@pytest.mark.parametrize(
    "name, scheme",
    [
        ("EXIF, ICC, comment", "uerd"),
        ("progressive", "uerd-bbc"),
        ("optimised, intervals", "jmipod"),
        ("CMYK", "ebs"),
        ("trailer", "juniward"),
        ("4:2:2", "uerd-bbm"),
    ],
)
def test_a_message_comes_back_and_all_other_bytes_stay(write, name, scheme):
    content = corpus(name)
    message = MESSAGE[:40]
    stego, hidden, _ = hide(write(content), message, scheme=scheme)
    assert reveal(stego) == message and f"{len(message)} bytes hidden" in hidden.said
    cover, rest = JPEG.read(stego.with_name("cover.jpg"))
    difference = hidden.elements.flat() - cover.flat()
    assert np.abs(difference).max() == 1
    written, beside = JPEG.read(stego)
    assert JPEG.kept(rest, beside) and np.array_equal(written.flat(), hidden.elements.flat())
    picture = jpeglib.read_dct(str(stego))
    theirs = np.concatenate(np.concatenate(picture.Y, 1), 1)
    assert np.array_equal(theirs, written.planes[0])
    assert Image.open(stego).info.get("exif") == Image.open(write(content)).info.get("exif")
    with pytest.raises(InputError) as caught:
        hiders.reveal_file(hider(), lambda: secret.key_file(bytes(32)), stego)
    assert str(caught.value) == f"{stego}: {secret.NO_MESSAGE}"


def test_a_table_without_a_symbol_is_worked_around(write):
    """The tables of an optimised file, kept: what they cannot say stays as it was."""
    path = write(by_pillow(200, 200, quality=60, optimize=True))

    def read(where, original=JPEG.read):
        cover, rest = original(where)
        coded = rest.coded._replace(optimised=(False,) * len(rest.coded.optimised))
        frozen = jpeg._frozen(cover.planes, coded)
        return cover._replace(frozen=frozen), rest._replace(coded=coded)

    domain = JPEG._replace(read=read)
    cover, rest = domain.read(path)
    rounds, message = [], np.random.default_rng(1).bytes(2500)
    choices = by_costs.choices_of(None, hiders.Options(scheme="uerd", **{**FAST, "domain": domain}))

    def into(own):
        rounds.append(own)
        if len(rounds) == 1:
            own = own._replace(frozen=())  # then some changes will certainly have no symbol
        stego = by_costs.hide(KEY, own, message, choices=choices, salt=bytes(16))
        return hiders.Stego(stego, "")

    hidden = in_files.writable(domain, cover, rest, into)
    frozen = [np.sum([mask.sum() for mask in own.frozen]) for own in rounds]
    assert len(rounds) > 1 and frozen[-1] > frozen[0] > 1000
    out = path.with_name("stego.jpg")
    in_files.write_elements(out, hidden.elements, rest, domain=domain)
    assert reveal(out) == message


def test_what_is_refused_leaves_everything_as_it_was(write, tmp_path):
    content = corpus("trailer")
    cover = write(content)
    png = tmp_path / "cover.png"
    images.write(png, photograph((40, 40, 1)).pixels)
    with pytest.raises(InputError, match="a .jpg stego is made of a JPEG cover alone"):
        hide(png)
    with pytest.raises(InputError, match="no message can be read"):
        reveal(cover)
    with pytest.raises(InputError, match="shorten it or take a larger cover"):
        hide(cover, np.random.default_rng(0).bytes(9000))
    with pytest.raises(InputError, match="scheme 'hill' is unknown"):
        hider("hill")
    claim = b"JP\0\1\0\0\0\1\0\0\0\x30jumb\0\0\0\x10jumdc2pa"
    signed = content[:2] + b"\xff\xeb\0" + bytes([len(claim) + 2]) + claim + content[2:]
    with pytest.raises(InputError, match="signature.*--insist"):
        hide(write(signed))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cover.jpg", "cover.png"]
    assert reveal(hide(write(signed), insist=True)[0]) == MESSAGE


def reveal_what_is_damaged(stego, message, count):
    content, generator = stego.read_bytes(), np.random.default_rng(0)
    broken = stego.with_name("broken.jpg")
    for number in range(count):
        damaged = bytearray(content[: generator.integers(2, len(content))])
        if number % 2:
            damaged = bytearray(content)
            damaged[generator.integers(len(content) - 10)] ^= 1 << generator.integers(8)
        broken.write_bytes(bytes(damaged))
        try:
            assert reveal(broken) == message
        except InputError as error:
            assert "\n" not in str(error) and str(error).startswith(str(broken))


def test_damaged_files_give_one_line_and_no_wrong_byte(write):
    reveal_what_is_damaged(hide(write(corpus("trailer")))[0], MESSAGE, 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["4:2:0", "progressive", "optimised, intervals"])
def test_much_damage_gives_one_line_and_no_wrong_byte(write, name):
    message = MESSAGE[:60]
    reveal_what_is_damaged(hide(write(corpus(name)), message)[0], message, 500)


def test_notes_of_both_ways(write, tmp_path):
    cover = write(by_pillow(quality=99))
    _, _, said = hide(cover)
    assert "99 or 100" in said[0] and len(said) == 1
    told = []
    pixels = hiders.load(None, hiders.Options(constraint_height=7))
    hiders.hide_file(pixels, lambda: KEY, cover, b"m", tmp_path / "stego.png", tell=told.append)
    assert ".jpg to hide in the JPEG file itself" in told[0]


def test_capacity_and_changes_of_a_file(write):
    path = write(by_pillow(101, 77, quality=80))
    words, capacity = hiders.capacity_of_file(hider(), path)
    assert words == "77x101 colour" and capacity.unit == "coefficients"
    assert "0.4 bits a non-zero AC coefficient" in capacity.said[1]
    stego, hidden, _ = hide(path)
    cover = JPEG.read(path)[0]
    figures = comparison.compare(cover, hidden.elements, domain=JPEG)
    changes = int((cover.flat() != hidden.elements.flat()).sum())
    assert figures.changes == changes and 35 < figures.psnr < 80
    shown = comparison.picture_of_changes(cover, hidden.elements, domain=JPEG)
    assert shown.shapes[0] == (104, 80)
    red, green, blue = (plane[::8, ::8] for plane in shown.planes)
    assert ((red != green) | (green == 255)).any() and ((red == green) & (green < 255)).any()
    with pytest.raises(InputError, match="differ in size"):
        comparison.compare(cover, JPEG.read(write(by_pillow(), "other.jpg"))[0], domain=JPEG)


def test_a_folder_of_both_kinds(write, tmp_path):
    covers = [write(by_pillow(seed=1), "a.jpg"), write(by_pillow(seed=2), "b.JPG")]
    images.write(tmp_path / "c.png", photograph((40, 40, 3)).pixels)
    covers.append(tmp_path / "c.png")
    pixels, coefficients = (
        by_costs.choices_of(None, hiders.Options(constraint_height=7, domain=domain))
        for domain in (PIXELS, JPEG)
    )
    run = functools.partial(many.hide_many, KEY, covers, [("m", b"any file")])
    entries = list(run(tmp_path / "out", choices=pixels, others=[coefficients]))
    assert [entry["stego"] for entry in entries] == ["a.jpg", "b.JPG", "c.png"]
    assert [entry["scheme"] for entry in entries] == ["juniward", "juniward", "hill-cmd"]
    for entry, own in zip(entries, (JPEG, JPEG, PIXELS), strict=True):
        stego, _ = own.read(tmp_path / "out" / entry["stego"])
        assert by_costs.reveal(KEY, stego, domain=own) == b"any file"
    alone = list(run(tmp_path / "pixels", choices=pixels))
    assert [entry["stego"] for entry in alone] == ["a.png", "b.png", "c.png"]
    assert "JPEG file itself" in alone[0]["notes"][0]
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["pictures"] == entries


@pytest.mark.slow
def test_a_thousand_messages_come_back(write):
    generator = np.random.default_rng(0)
    for number in range(1000):
        options = {"quality": int(generator.integers(40, 99)), "seed": number}
        options |= {"optimize": bool(number % 2)} | (
            {"progressive": True} if number % 5 == 0 else {}
        )
        cover = write(by_pillow(72, 88, **options))
        message = generator.bytes(int(generator.integers(0, 120)))
        scheme = ("uerd", "juniward", "uerd-bbc")[number % 3]
        stego, _, _ = hide(cover, message, scheme=scheme, overwrite=True)
        assert reveal(stego) == message
