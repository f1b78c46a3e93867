"""The command's verbs on files: what it writes, prints and returns; one line on standard error for
what cannot be done.
"""

import getpass
import io
import json
import subprocess
import sys
import types

import numpy as np
import pytest
from PIL import Image
from support.jpeg_files import by_pillow
from support.photographs import photograph

import stegojax as stegojax_package
from stegojax import cli, images

FAST = ("--constraint-height", "7")


@pytest.fixture()
def files(tmp_path, monkeypatch):
    images.write(tmp_path / "cover.png", photograph((40, 40, 1)).pixels)
    (tmp_path / "message").write_bytes(b"the message\0\xff")
    (tmp_path / "password").write_bytes(b"secret words\r\n")
    (tmp_path / "key").write_bytes(bytes(range(32)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture()
def stegojax(capfdbinary):
    def call(*arguments, code=0):
        assert cli.main([str(argument) for argument in arguments]) == code
        captured = capfdbinary.readouterr()
        return captured.out, captured.err.decode()

    return call


def test_a_jpeg_file_stays_one(files, stegojax):
    (files / "photo.jpg").write_bytes(by_pillow(quality=85))
    key = ("--key-file", "key")
    out, err = stegojax("hide", "photo.jpg", "message", "-o", "s.jpg", *key, *FAST)
    assert b"coefficients" in out and not err
    assert stegojax("reveal", "s.jpg", "-o", "-", *key)[0] == b"the message\0\xff"
    out, _ = stegojax("compare", "photo.jpg", "s.jpg", "-o", "map.png")
    assert b"by at most 1" in out and images.read("map.png").pixels.shape == (64, 88, 3)
    assert b"83x61 colour, 8704 coefficients" in stegojax("capacity", "photo.jpg")[0]
    _, err = stegojax("hide", "photo.jpg", "message", "-o", "s.png", *key, *FAST)
    assert "name the stego .jpg" in err
    (files / "covers").mkdir()
    for name in ("photo.jpg", "cover.png"):
        (files / "covers" / name).write_bytes((files / name).read_bytes())
    stegojax("hide-many", "covers", "message", "-o", "both", *key, *FAST)
    assert {path.name for path in (files / "both").iterdir()} > {"photo.jpg", "cover.png"}
    _, err = stegojax("hide-many", "covers", "message", "-o", "o", "--scheme", "uerd", *key, code=1)
    assert "cover.png: is not a JPEG file" in err


@pytest.mark.parametrize("secret", [("--password-file", "password"), ("--key-file", "key")])
def test_a_file_is_hidden_and_revealed(files, stegojax, secret):
    out, _ = stegojax("hide", "cover.png", "message", "-o", "stego.png", *secret, *FAST)
    assert b"stego.png: 13 bytes hidden with" in out and b"read back from the file" in out
    out, _ = stegojax("reveal", "stego.png", "-o", "found", *secret)
    assert out == b"found: 13 bytes\n" and (files / "found").read_bytes() == b"the message\0\xff"
    out, err = stegojax("reveal", "stego.png", "-o", "-", *secret)
    assert out == b"the message\0\xff" and not err


def test_a_password_is_asked_for_twice_and_never_shown(files, stegojax, monkeypatch):
    asked, answers = (
        [],
        iter(["secret words", "secret words", "secret words", "one", "another", ""]),
    )
    monkeypatch.setattr(getpass, "getpass", lambda prompt: asked.append(prompt) or next(answers))
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(b"from a pipe")))
    out, err = stegojax("hide", "cover.png", "-", "-o", "stego.png", *FAST)
    assert len(asked) == 2 and b"secret words" not in out and "secret words" not in err
    assert stegojax("reveal", "stego.png", "-o", "-")[0] == b"from a pipe" and len(asked) == 3
    _, err = stegojax("hide", "cover.png", "message", "-o", "s.png", code=1)
    assert err == "stegojax: the two passwords differ; start again\n"
    _, err = stegojax("reveal", "stego.png", "-o", "found", code=1)
    assert "password is empty" in err and not (files / "found").exists()


def test_a_typed_password_and_its_file_are_one(files, stegojax, monkeypatch):
    stegojax(
        "hide", "cover.png", "message", "-o", "stego.png", "--password-file", "password", *FAST
    )
    monkeypatch.setattr(getpass, "getpass", lambda prompt: "secret words")
    assert stegojax("reveal", "stego.png", "-o", "-")[0] == b"the message\0\xff"


def test_without_a_terminal_a_file_is_asked_for(files, stegojax, monkeypatch):
    def ask(prompt):
        raise getpass.GetPassWarning("echo")

    monkeypatch.setattr(getpass, "getpass", ask)
    _, err = stegojax("reveal", "cover.png", "-o", "found", code=1)
    assert (
        err == "stegojax: there is no terminal to ask for a password on; use --password-file or "
        "--key-file\n"
    )


@pytest.mark.parametrize(
    "options", [("--scheme", "hill", "--code", "polar"), ("--scheme", "wow-synch", *FAST)]
)
def test_the_receiver_needs_no_options(files, stegojax, options):
    stegojax("hide", "cover.png", "message", "-o", "stego.png", "--key-file", "key", *options)
    assert (
        stegojax("reveal", "stego.png", "-o", "-", "--key-file", "key")[0] == b"the message\0\xff"
    )


def test_capacity(files, stegojax):
    out, _ = stegojax("capacity", "cover.png")
    first, second, third = out.decode().splitlines()
    assert first == "cover.png: 40x40 grey, 1600 samples" and third.startswith(
        "62 bytes at 0.4 bits"
    )
    assert int(second.split()[3]) == 62
    images.write("tiny.png", photograph((8, 8, 3)).pixels)
    assert (
        stegojax("capacity", "tiny.png")[0].decode().splitlines()[1]
        == "cannot carry a message, not even an empty one"
    )


def test_compare(files, stegojax):
    pixels = images.read("cover.png").pixels.copy()
    pixels[3, 4] += 1
    pixels[7, 7] -= 2
    images.write("stego.png", pixels)
    out, _ = stegojax("compare", "cover.png", "stego.png", "-o", "changes.png")
    assert (
        b"2 changes in 1600 samples (0.0013)" in out and b"1 raised, 1 lowered, by at most 2" in out
    )
    shown = images.read("changes.png").pixels
    assert shown[3, 4].tolist() == [255, 48, 32] and shown[7, 7].tolist() == [48, 96, 255]
    assert ((shown[..., 0] != shown[..., 1]).sum()) == 2
    out, _ = stegojax("compare", "cover.png", "cover.png")
    assert out.startswith(b"0 changes")


def test_hide_many(files, stegojax):
    (files / "covers").mkdir()
    for number in range(3):
        images.write(files / "covers" / f"{number}.png", photograph((36, 36, 1), number).pixels)
    (files / "covers" / "readme.txt").write_text("not a picture, not a cover")
    arguments = (
        "hide-many",
        "covers",
        "message",
        "password",
        "-o",
        "out",
        "--key-file",
        "key",
        *FAST,
    )
    out, err = stegojax(*arguments)
    assert b"3 of 3 pictures written" in out and not err
    assert sorted(path.name for path in (files / "out").iterdir()) == [
        "0.png",
        "1.png",
        "2.png",
        "manifest.json",
    ]
    for number, message in enumerate(
        (b"the message\0\xff", b"secret words\r\n", b"the message\0\xff")
    ):
        assert stegojax("reveal", f"out/{number}.png", "-o", "-", "--key-file", "key")[0] == message
    assert "manifest.json: exists already" in stegojax(*arguments, code=1)[1]
    (files / "covers" / "1.png").write_bytes(b"broken")
    out, err = stegojax(*arguments, "--overwrite", code=1)
    assert b"2 of 3 pictures written" in out and err.count("\n") == 1 and "1.png" in err


def test_what_is_done_to_a_palette_is_said(files, stegojax):
    Image.open("cover.png").convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE).save(
        "palette.png"
    )
    _, err = stegojax(
        "hide",
        "palette.png",
        "message",
        "-o",
        "stego.png",
        "--key-file",
        "key",
        "--scheme",
        "lsbm-cmd",
        *FAST,
    )
    assert err.startswith("palette.png: the palette is resolved") and images.read(
        "stego.png"
    ).mode in ("RGB", "L")


@pytest.mark.parametrize(
    "arguments,message",
    [
        (
            ["hide", "cover.png", "message", "-o", "s.jpg", "--key-file", "key"],
            "cover.png: is not a JPEG file, and a .jpg stego",
        ),
        (
            ["hide", "cover.png", "message", "-o", "key", "--key-file", "key", "--overwrite"],
            "key: is the key file itself",
        ),
        (
            ["hide", "cover.png", "message", "-o", "message", "--key-file", "key", "--overwrite"],
            "message: is the message itself",
        ),
        (
            ["reveal", "cover.png", "-o", "./cover.png", "--key-file", "key", "--overwrite"],
            "cover.png: is the stego itself",
        ),
        (
            ["compare", "cover.png", "cover.png", "-o", "cover.png", "--overwrite"],
            "cover.png: is the stego itself",
        ),
        (
            ["hide", "cover.png", "message", "-o", "cover.png", "--key-file", "key", "--overwrite"],
            "is the cover itself",
        ),
        (
            ["hide", "none.png", "message", "-o", "s.png", "--key-file", "key"],
            "none.png: no such file",
        ),
        (["hide", "cover.png", "none", "-o", "s.png", "--key-file", "key"], "none: no such file"),
        (
            ["hide", "cover.png", "message", "-o", "s.png", "--key-file", "message"],
            "exactly 32 random bytes, this one 13",
        ),
        (
            ["hide", "cover.png", "message", "-o", "s.png", "--key-file", "none"],
            "none: no such file (the key file)",
        ),
        (
            [
                "hide",
                "cover.png",
                "message",
                "-o",
                "s.png",
                "--key-file",
                "key",
                "--password-file",
                "password",
            ],
            "not both",
        ),
        (
            ["hide", "cover.png", "message", "-o", "s.png", "--key-file", "key", "--scheme", "hil"],
            "scheme 'hil' is unknown; write COST or COST-RECIPE",
        ),
        (
            [
                "hide",
                "cover.png",
                "message",
                "-o",
                "s.png",
                "--key-file",
                "key",
                "--code",
                "polar",
                *FAST,
            ],
            "belongs to the stc code",
        ),
        (
            ["hide", "cover.png", "cover.png", "-o", "s.png", "--key-file", "key"],
            "the cover carries at most",
        ),
        (
            ["hide", "cover.png", "message", "-o", "no/s.png", "--key-file", "key", *FAST],
            "cannot be written",
        ),
        (["hide", "deep.png", "message", "-o", "s.png", "--key-file", "key"], "more than 8 bits"),
        (
            ["hide", "cover.png", "message", "-o", "s.png", "--run", "none", "--scheme", "hill"],
            "none is neither the work directory of a run nor a model",
        ),
        (
            ["reveal", "cover.png", "-o", "s.png", "--run", "none", "--key-file", "key"],
            "none is neither the work directory of a run nor a model",
        ),
        (
            ["reveal", "cover.png", "-o", "found", "--key-file", "key"],
            "cover.png: no message can be read with this key",
        ),
        (["reveal", "cover.png", "-o", "message", "--key-file", "key"], "message: exists already"),
        (["compare", "cover.png", "deep.png"], "more than 8 bits"),
        (
            ["hide-many", "message", "message", "-o", "out", "--key-file", "key"],
            "message: is not a folder",
        ),
        (["hide-many", "empty", "message", "-o", "out", "--key-file", "key"], "there are 0"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(files, stegojax, arguments, message):
    Image.fromarray(np.zeros((40, 40), np.uint16)).save(files / "deep.png")
    (files / "empty").mkdir()
    before = {path.name: path.read_bytes() for path in files.iterdir() if path.is_file()}
    out, err = stegojax(*arguments, code=1)
    assert not out and len(err.strip().splitlines()) == 1 and message in err, err
    assert {path.name: path.read_bytes() for path in files.iterdir() if path.is_file()} == before


def test_a_command_line_that_is_not_understood_ends_with_2(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["hide", "cover.png"])
    assert caught.value.code == 2


def test_figures_come_as_json_where_programs_ask(files, stegojax):
    (files / "covers").mkdir()
    (files / "covers" / "a.png").write_bytes((files / "cover.png").read_bytes())
    out, err = stegojax("capacity", "cover.png", "--json")
    found = json.loads(out)
    assert found["cover"] == "cover.png" and found["elements"] == 1600 and not err
    words, _ = stegojax("capacity", "cover.png")
    assert f"up to {found['most_bytes']} bytes" in words.decode()
    out, _ = stegojax(
        "hide-many", "covers", "message", "-o", "out", "--key-file", "key", "--json", *FAST
    )
    found = json.loads(out)
    assert found["failed"] == 0 and found["pictures"][0]["cover"].endswith("a.png")
    out, _ = stegojax("compare", "cover.png", "out/a.png", "-o", "map.png", "--json")
    found = json.loads(out)
    assert found["changes"] == found["raised"] + found["lowered"] > 0
    assert found["picture_of_changes"] == "map.png"


def test_what_is_promised_is_what_is_attempted(files, stegojax):
    """To the byte: what fits by `capacity` is hidden, and one more is refused with that number."""
    most = json.loads(stegojax("capacity", "cover.png", "--json")[0])["most_bytes"]
    noise = np.random.default_rng(0).bytes(most + 1)
    (files / "most").write_bytes(noise[:-1])
    (files / "more").write_bytes(noise)
    key = ("--key-file", "key", *FAST)
    stegojax("hide", "cover.png", "most", "-o", "stego.png", *key)
    _, err = stegojax("hide", "cover.png", "more", "-o", "other.png", *key, code=1)
    assert f"takes {most + 1} bytes" in err and f"at most {most} " in err


@pytest.mark.parametrize("shell", cli.SHELLS)
def test_a_shell_learns_to_complete(stegojax, shell):
    out, err = stegojax("completion", shell)
    assert b"hide-many" in out and b"--constraint-height" in out and not err


def test_version_and_usage(capsys):
    for arguments, words in (
        (["--version"], f"stegojax {stegojax_package.__version__}"),
        (["hide", "--help"], "COVER MESSAGE -o STEGO"),
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main(arguments)
        assert ended.value.code == 0 and words in capsys.readouterr().out


def test_the_package_is_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "stegojax", "--version"], capture_output=True, text=True
    )
    assert done.stdout == f"stegojax {stegojax_package.__version__}\n" and done.returncode == 0
