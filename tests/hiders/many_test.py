"""Messages in the pictures of a folder, and what the manifest says of them."""

import json

import pytest
from PIL import Image
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


def test_nothing_that_is_read_is_written_over(covers, tmp_path):
    """Though the stegos would have the names of covers, of a message and of the key."""
    for name in ("c.png.png", "key.tif"):
        images.write(tmp_path / name, photograph((36, 36, 1)).pixels)
    images.write(tmp_path / "c.tif", photograph((36, 36, 1)).pixels)
    (tmp_path / "key.png").write_bytes(bytes(32))
    given = [tmp_path / name for name in ("a.png", "c.png", "c.tif", "c.png.png", "key.tif")]
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    inputs = {str(tmp_path / "key.png"): "the key file"}
    entries = list(
        many.hide_many(
            KEY, given, [("m", b"m")], tmp_path, choices=FAST, inputs=inputs, overwrite=True
        )
    )
    errors = [entry.get("error", "") for entry in entries]
    assert all("is a cover itself" in errors[number] for number in (0, 1, 3))
    assert "is the key file itself" in errors[4] and entries[2]["stego"] == "c.tif.png"
    assert {path: path.read_bytes() for path in before} == before
    with pytest.raises(InputError, match="manifest.json: is a message itself"):
        many.check_many(
            covers,
            ["m"],
            tmp_path,
            inputs={str(tmp_path / "manifest.json"): "a message"},
            overwrite=True,
        )


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


@pytest.fixture()
def one_by_one(monkeypatch):
    """Batches of one cover, so that the work can end between any two."""
    monkeypatch.setattr(many, "_BATCH", 1)


def killed_after(count, *arguments, **options):
    """Begins the work and does no more than so many covers of it."""
    entries = many.hide_many(*arguments, choices=FAST, **options)
    listed = [next(entries) for _ in range(count)]
    entries.close()
    return listed


def test_after_a_kill_the_same_call_goes_on(covers, tmp_path, one_by_one, monkeypatch):
    out, messages = tmp_path / "out", [("one", b"first"), ("two", b"second")]
    begun = killed_after(2, KEY, covers, messages, out)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["finished"] is False and len(manifest["pictures"]) == 1
    before = {entry["stego"]: (out / entry["stego"]).read_bytes() for entry in begun}
    hidden, real = [], by_costs.hide_batch

    def counted(shared, covers, messages, **options):
        hidden.extend(messages)
        return real(shared, covers, messages, **options)

    monkeypatch.setattr(by_costs, "hide_batch", counted)
    entries = list(many.hide_many(KEY, covers, messages, out, choices=FAST))
    assert hidden == [b"first", b"second"] and entries[:2] == begun
    assert {name: (out / name).read_bytes() for name in before} == before
    assert json.loads((out / "manifest.json").read_text()) == {
        "finished": True,
        "choices": manifest["choices"],
        "pictures": entries,
    }
    assert [entry["stego"] for entry in entries] == ["a.png", "b.png.png", "b.tif.png", "c.png"]
    for entry, message in zip(entries, (b"first", b"second") * 2):
        assert revealed(out / entry["stego"]) == message
    with pytest.raises(InputError, match="manifest.json: exists already"):
        many.check_many(covers, messages, out)


def test_another_secret_or_message_does_not_count_as_done(covers, tmp_path, one_by_one):
    out, messages = tmp_path / "out", [("m", b"m")]
    [_, second] = killed_after(2, KEY, covers, messages, out)
    other = secret.key_file(bytes(32))
    entries = list(many.hide_many(other, covers, messages, out, choices=FAST))
    assert ["exists already" in entry.get("error", "") for entry in entries] == [True] * 2 + [
        False
    ] * 2
    assert revealed(out / second["stego"]) == b"m"


def test_unfinished_work_with_other_choices_is_not_gone_on_with(covers, tmp_path, one_by_one):
    out, messages = tmp_path / "out", [("m", b"m")]
    killed_after(1, KEY, covers, messages, out)
    others = FAST._replace(constraint_height=8)
    with pytest.raises(InputError, match="unfinished work with other choices"):
        next(many.hide_many(KEY, covers, messages, out, choices=others))


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"finished": 0}', b'{"pictures": [7]}'])
def test_a_manifest_that_is_none_is_a_file_that_exists(covers, tmp_path, content):
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(InputError, match="manifest.json: exists already"):
        many.check_many(covers, ["m"], tmp_path)
    assert many.covers_in(tmp_path, tmp_path / "out") == (sorted(covers), 0)


def test_its_own_stegos_are_no_covers(covers, tmp_path):
    out = tmp_path / "out"
    list(many.hide_many(KEY, covers, [("m", b"m")], out, choices=FAST))
    images.write(out / "new.png", photograph((36, 36, 1)).pixels)
    assert many.covers_in(out, tmp_path / "more") == ([out / "new.png"], 4)
    with pytest.raises(InputError, match="is the folder of the covers"):
        many.covers_in(tmp_path, tmp_path / "out" / "..")
    with pytest.raises(InputError, match="is not a folder"):
        many.covers_in(covers[0], out)


def test_what_a_person_should_know_of_a_cover_is_listed(tmp_path):
    Image.fromarray(photograph((36, 36, 3)).pixels).save(tmp_path / "a.webp", quality=80)
    Image.fromarray(photograph((36, 36, 3)).pixels).save(tmp_path / "b.png")
    covers = [tmp_path / "a.webp", tmp_path / "b.png"]
    lossy, plain = many.hide_many(KEY, covers, [("m", b"m")], tmp_path / "out", choices=FAST)
    assert "come from WebP" in lossy["notes"][0] and "notes" not in plain
