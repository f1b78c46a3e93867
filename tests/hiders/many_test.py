"""Messages in the pictures of a folder, and what the manifest says of them."""

import json

import pytest
from support.photographs import photograph

from stegojax import domains, embed, images, secret
from stegojax.errors import InputError
from stegojax.hiders import by_costs, many

KEY = secret.key_file(bytes(range(32)))
FAST = by_costs.Choices(embed.parse_scheme("hill-cmd"), constraint_height=7)


def revealed(path):
    return by_costs.reveal(KEY, domains.PIXELS.read(path)[0])


@pytest.fixture()
def covers(tmp_path):
    paths = [tmp_path / name for name in ("a.png", "b.png", "b.tif", "c.png")]
    for number, path in enumerate(paths):
        images.write(path, photograph((36, 36, 1), number).pixels)
    return paths


def test_many_covers_and_few_messages(covers, tmp_path):
    covers[3].write_bytes(b"no picture")
    messages, out = [("one", b"first"), ("two", b"second")], tmp_path / "out"
    entries = list(many.hide_many(KEY, covers, messages, out, choices=FAST))
    assert [entry.get("stego") for entry in entries] == ["a.png", "b.png.png", "b.tif.png", None]
    assert "not a picture" in entries[3]["error"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["pictures"] == entries
    assert manifest["choices"] == {"scheme": "hill-cmd", "code": "stc", "constraint_height": 7}
    for entry, message in zip(entries[:3], (b"first", b"second", b"first")):
        assert revealed(out / entry["stego"]) == message
    with pytest.raises(InputError, match="manifest.json: exists already"):
        list(many.hide_many(KEY, covers, [("one", b"first")], out, choices=FAST))
    with pytest.raises(InputError, match="3 messages need at least as many covers"):
        list(many.hide_many(KEY, covers[:2], [("m", b"")] * 3, tmp_path / "new", choices=FAST))


def test_covers_are_not_written_over(covers, tmp_path):
    """Though the stegos would have their names."""
    before = [path.read_bytes() for path in covers]
    entries = list(
        many.hide_many(KEY, covers[:1], [("m", b"m")], tmp_path, choices=FAST, overwrite=True)
    )
    assert "is the cover itself" in entries[0]["error"]
    assert [path.read_bytes() for path in covers] == before


def test_a_file_that_cannot_be_written_is_an_error_and_the_others_follow(
    covers, tmp_path, monkeypatch
):
    out, real = tmp_path / "out", domains.pixels.images.save

    def full(file, pixels, *, path, **options):
        if path.name == "a.png":
            raise OSError(28, "No space left on device")
        real(file, pixels, path=path, **options)

    monkeypatch.setattr(domains.pixels.images, "save", full)
    out.mkdir()
    (out / "a.png").write_bytes(b"old")
    messages = [("m", b"m")]
    entries = list(many.hide_many(KEY, covers, messages, out, choices=FAST, overwrite=True))
    assert "No space left" in entries[0]["error"] and (out / "a.png").read_bytes() == b"old"
    assert [entry.get("stego") for entry in entries[1:]] == ["b.png.png", "b.tif.png", "c.png"]
