"""Odd and damaged picture files under every verb: each gives a message back, or is refused in one
line; no file that was there changes, and none is left behind.
"""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, features
from support import trials

from stegojax import domains, images
from stegojax.errors import InputError

KEY = ("--key-file", "key")


@pytest.fixture()
def folder(tmp_path, monkeypatch):
    (tmp_path / "message").write_bytes(b"the message\0")
    (tmp_path / "key").write_bytes(bytes(range(32)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(folder, name, kinds):
    if name.endswith(".avif") and not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    return trials.save(folder, name, kinds)


def hide_and_reveal(capture, folder, cover):
    """Both verbs, and what they promise of a cover that can be used."""
    stego = folder / "stego.png"
    hidden = trials.attempt(
        capture,
        folder,
        *("hide", cover.name, "message", "-o", "stego.png", "--constraint-height", "7", *KEY),
        writes=[stego],
    )
    if hidden.code == 0:
        revealed = trials.attempt(capture, folder, "reveal", "stego.png", "-o", "-", *KEY)
        assert revealed.out == b"the message\0"
        one, other = images.read(cover), images.read(stego)
        assert np.abs(one.pixels.astype(int) - other.pixels).max() <= 2
        if one.alpha is not None:
            np.testing.assert_array_equal(one.alpha, other.alpha)
    return hidden


@pytest.mark.parametrize("name", trials.GOOD)
def test_what_can_be_a_cover_is_one(folder, capfdbinary, name):
    cover = made(folder, name, trials.GOOD)
    hidden = hide_and_reveal(capfdbinary, folder, cover)
    flat = name in ("black.png", "white.png", "drawn.png", "two.png", "two.bmp", "two.pbm")
    assert hidden.code == 0 or flat, hidden
    assert not any("traces of its compression" in line for line in hidden.lines)
    capacity = trials.attempt(capfdbinary, folder, "capacity", cover.name)
    assert capacity.code == 0
    compared = trials.attempt(capfdbinary, folder, "compare", cover.name, cover.name)
    assert compared.out.startswith(b"0 changes")


@pytest.mark.parametrize("name", trials.LOSSY)
def test_a_lossy_cover_is_used_with_a_warning(folder, capfdbinary, name):
    hidden = hide_and_reveal(capfdbinary, folder, made(folder, name, trials.LOSSY))
    assert hidden.code == 0
    [line] = [line for line in hidden.lines if "traces of its compression" in line]
    assert line.startswith(f"{name}: the pixels come from ")


@pytest.mark.parametrize("name", trials.BAD)
def test_what_cannot_be_a_cover_is_refused_under_every_verb(folder, capfdbinary, name):
    cover = made(folder, name, trials.BAD)
    for verb in (
        ("hide", cover.name, "message", "-o", "stego.png", *KEY),
        ("reveal", cover.name, "-o", "found", *KEY),
        ("capacity", cover.name),
        ("compare", cover.name, cover.name),
    ):
        outcome = trials.attempt(capfdbinary, folder, *verb)
        assert outcome.code == 1 and name in outcome.lines[0]
        assert "Ghostscript" not in outcome.lines[0]


def chunk(kind, content):
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def png(width, height, *, depth=8, kind=2, rows=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


NO_PICTURES = {
    "empty": b"",
    "one byte": b"\x89",
    "a mark alone": b"\x89PNG\r\n\x1a\n",
    "text": b"hello\n",
    "zeros": bytes(1000),
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "zip": b"PK\x03\x04" + bytes(100),
    "script": b"#!/bin/sh\necho\n",
    "heic": b"\0\0\0\x18ftypheic" + bytes(50),
    "no pixels": png(0, 0),
    "no rows": png(40, 40),
    "a bomb": png(60000, 60000),
    "a large bomb": png(2**31 - 1, 2**31 - 1),
    "an odd depth": png(40, 40, depth=3),
    "an odd kind": png(40, 40, kind=5),
    "negative ppm": b"P6 -4 4 255\n" + bytes(48),
    "endless ppm": b"P6 " + b"9" * 5000,
    "deep ppm": b"P6 4 4 65535\n" + bytes(96),
    "short ppm": b"P6 40 40 255\n" + bytes(48),
    "letters ppm": b"P6 four 4 255\n" + bytes(48),
    "short bmp": b"BM" + bytes(20),
    "long bmp": b"BM"
    + struct.pack("<IHHIIiiHH", 9**9, 0, 0, 54, 40, 9**9, 9**9, 1, 24)
    + bytes(99),
    "tiff loop": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",
    "tiff far away": b"II*\0\xff\xff\xff\xff",
    "short gif": b"GIF89a\x28\0\x28\0",
    "short jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    "jpeg of nothing": b"\xff\xd8\xff\xd9",
    "short webp": b"RIFF\x20\0\0\0WEBPVP8 ",
    "short jp2": b"\0\0\0\x0cjP  \r\n\x87\n",
    "short ico": b"\0\0\1\0\1\0" + bytes(10),
}


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture_is_refused(folder, capfdbinary, name):
    for ending in (".png", ".tif", ".jpg", ""):
        (folder / f"odd{ending}").write_bytes(NO_PICTURES[name])
    for ending in (".png", ".tif", ".jpg", ""):
        outcome = trials.attempt(
            capfdbinary, folder, "hide", f"odd{ending}", "message", "-o", "stego.png", *KEY
        )
        assert outcome.code == 1 and f"odd{ending}" in outcome.lines[0]
    for verb in (("reveal", "odd.png", "-o", "found", *KEY), ("capacity", "odd.png")):
        assert trials.attempt(capfdbinary, folder, *verb).code == 1


DAMAGED = {**trials.GOOD, **trials.LOSSY}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_read_or_refused(folder, name):
    """Cut at any place, with bits flipped, with bytes missing or more of them: 28 of each file."""
    content, rng = made(folder, name, DAMAGED).read_bytes(), np.random.default_rng(len(name))
    damaged = [content[: len(content) * part // 9] for part in range(9)]
    damaged += [content + content, content + bytes(99), content[1:], b"\n" + content]
    for _ in range(15):
        some = bytearray(content)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            some[place] ^= 1 << rng.integers(8)
        damaged.append(bytes(some))
    for number, each in enumerate(damaged):
        path = folder / f"{number}{name[name.index('.') :]}"
        path.write_bytes(each)
        for read in (domains.of(path).read, images.read, images.size_of):
            try:
                read(path)
            except InputError as error:
                assert len(str(error)) < 1000 and str(path) in str(error)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (2, 2), (3, 5), (8, 8), (9, 9)])
def test_a_tiny_picture_carries_nothing_and_says_so(folder, capfdbinary, size):
    Image.fromarray(np.full(size, 77, np.uint8)).save(folder / "tiny.png")
    assert trials.attempt(capfdbinary, folder, "capacity", "tiny.png").code == 0
    hide = ("hide", "tiny.png", "message", "-o", "stego.png", *KEY)
    assert trials.attempt(capfdbinary, folder, *hide).code == 1
    assert trials.attempt(capfdbinary, folder, "reveal", "tiny.png", "-o", "found", *KEY).code == 1


def test_the_same_picture_under_other_names_is_read_by_its_content(folder, capfdbinary):
    buffer = io.BytesIO()
    trials.colour().save(buffer, "PNG")
    for name in ("a.jpg", "b.tif", "c", "d.txt", "e.PNG", "f.png.bak"):
        (folder / name).write_bytes(buffer.getvalue())
        assert hide_and_reveal(capfdbinary, folder, folder / name).code == 0
        (folder / "stego.png").unlink()
