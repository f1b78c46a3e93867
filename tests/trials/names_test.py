"""Names of files that are odd, in every place where the command takes one: the right file is read
or written, or a line says why not; no file that was there changes.
"""

import os
import pathlib

import pytest
from support import trials

from stegojax import images

SECRET = ("--key-file", "key")
FAST = ("--constraint-height", "7")


@pytest.fixture()
def folder(tmp_path, monkeypatch):
    trials.grey().save(tmp_path / "cover.png")
    trials.colour().save(tmp_path / "other.png")
    (tmp_path / "message").write_bytes(b"the message")
    (tmp_path / "key").write_bytes(bytes(range(32)))
    (tmp_path / "password").write_text("secret words\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").write_bytes(b"kept")
    (tmp_path / "link.png").symlink_to("cover.png")
    os.link(tmp_path / "cover.png", tmp_path / "hard.png")
    (tmp_path / "around").symlink_to("folder")
    (tmp_path / "nowhere.png").symlink_to("missing.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    os.mkfifo(tmp_path / "pipe.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def hide(cover="cover.png", message="message", stego="stego.png", secret=SECRET, overwrite=False):
    given = ("hide", cover, message, "-o", stego, *secret, *FAST)
    return (*given, "--overwrite") if overwrite else given


NOT_READ = {
    "": "is empty",
    "missing.png": "no such file",
    "folder": "is a folder",
    "folder/": "is a folder",
    "around": "is a folder",
    ".": "is a folder",
    "/": "is a folder",
    "nowhere.png": "no such file",
    "loop.png": "cannot be read",
    "cover.png/": "cannot be read",
    "cover.png/a": "cannot be read",
    "x" * 300: "cannot be read",
    "a\nb.png": "no such file",
    "\udcff.png": "no such file",
    "~/cover.png": "no such file",
    "/dev/zero": "is a device without an end",
    "/dev/urandom": "is a device without an end",
    "a\0b": "is empty",
}
"""Names of inputs that cannot be read, and the words that say so."""


@pytest.mark.parametrize("name", NOT_READ, ids=lambda name: ascii(name)[:20])
def test_an_input_that_cannot_be_read(folder, capfdbinary, name):
    """As a cover, a message, a key, a password and a stego."""
    calls = [
        hide(cover=name),
        hide(message=name),
        hide(secret=("--key-file", name)),
        hide(secret=("--password-file", name)),
        ("reveal", name, "-o", "found", *SECRET),
        ("reveal", "cover.png", "-o", "found", "--key-file", name),
        ("capacity", name),
        ("compare", name, "cover.png"),
        ("compare", "cover.png", name, "-o", "changes.png"),
        ("hide-many", "folder", name, "-o", "out", *SECRET),
        ("hide-many", "folder", "message", "-o", "out", "--password-file", name),
    ]
    for call in calls:
        outcome = trials.attempt(capfdbinary, folder, *call)
        assert outcome.code == 1 and NOT_READ[name] in outcome.lines[0], (call, outcome)


@pytest.mark.parametrize("name", ["", "missing", "message", "folder/kept", "loop.png", "pipe.png"])
def test_a_folder_or_a_run_that_is_none(folder, capfdbinary, name):
    for call in (
        ("hide-many", name, "message", "-o", "out", *SECRET),
        ("hide", "cover.png", "message", "-o", "s.png", "--run", name, *SECRET),
        ("reveal", "cover.png", "-o", "found", "--run", name),
        ("capacity", "cover.png", "--run", name),
        ("generate", "--run", name, "-o", "out"),
        ("detect", "cover.png", "--run", name),
    ):
        assert trials.attempt(capfdbinary, folder, *call).code == 1, call


NOT_WRITTEN = {
    "": "is empty",
    "folder": "is a folder",
    "around": "is a folder",
    ".": "is a folder",
    "pipe.png": "is a device or a pipe",
    "/dev/null": "is a device or a pipe",
    "missing/s.png": "there is no folder",
    "cover.png/s.png": "there is no folder",
    "loop.png": "cannot be written",
    "x" * 300 + ".png": "cannot be written",
    "a\0b.png": "is empty",
}
"""Names of outputs that cannot be written."""

INPUTS = (
    "cover.png",
    "./cover.png",
    "folder/../cover.png",
    "around/../cover.png",
    "link.png",
    "hard.png",
    "message",
    "key",
)
"""Names of the files that the calls read, and other names of these."""


@pytest.mark.parametrize("name", NOT_WRITTEN, ids=lambda name: ascii(name)[:20])
def test_an_output_that_cannot_be_written(folder, capfdbinary, name):
    for call in (
        hide(stego=name),
        hide(stego=name, overwrite=True),
        ("reveal", "cover.png", "-o", name, *SECRET, "--overwrite"),
        ("compare", "cover.png", "cover.png", "-o", name, "--overwrite"),
    ):
        outcome = trials.attempt(capfdbinary, folder, *call)
        assert outcome.code == 1 and NOT_WRITTEN[name] in outcome.lines[0], (call, outcome)


@pytest.mark.parametrize("name", INPUTS)
def test_no_input_is_written_over_by_whatever_name(folder, capfdbinary, name):
    absolute = str(pathlib.Path(folder) / name)
    for output in (name, absolute):
        calls = [hide(stego=output, overwrite=True)]
        if name not in ("message", "key"):
            calls += [
                ("reveal", "cover.png", "-o", output, *SECRET, "--overwrite"),
                ("compare", "other.png", "cover.png", "-o", output, "--overwrite"),
                ("compare", "cover.png", "other.png", "-o", output, "--overwrite"),
                ("detect", "other.png", "cover.png", "--run", "x", "-o", output, "--overwrite"),
            ]
        for call in calls:
            outcome = trials.attempt(capfdbinary, folder, *call)
            assert outcome.code == 1 and "itself, which is never modified" in outcome.lines[0], call


@pytest.mark.parametrize("name", ["stego.png", "cover.png", "\u20ac.png", "a b'\"\\.png"])
def test_an_existing_file_is_kept_unless_told(folder, capfdbinary, name):
    if name != "cover.png":
        trials.colour().save(folder / name)
    outcome = trials.attempt(capfdbinary, folder, *hide(cover="other.png", stego=name))
    assert outcome.code == 1 and "exists already" in outcome.lines[0]


@pytest.mark.parametrize(
    "name",
    [
        "\u20ac\U0001f600.png",
        "\u00e4".encode("latin-1").decode("utf-8", "surrogateescape") + ".png",
        "a b.png",
        "a\nb.png",
        "a\tb\x1b[31m.png",
        "'\"$(x)`;&|*?.png",
        ".hidden.png",
        "UPPER.PNG",
        "-.png",
        "stego.",
        "folder/../new.png",
        "around/new.png",
        "./new.png",
        "x" * 251 + ".png",
        "nowhere.png",
        "~.png",
    ],
    ids=ascii,
)
def test_an_odd_name_is_only_a_name(folder, capfdbinary, name):
    """It is written, read back under that name, and shown as far as the terminal can."""
    output = f"./{name}" if name.startswith("-") else name
    place = folder / (os.path.realpath(folder / name) if name == "nowhere.png" else name)
    place = pathlib.Path(os.path.realpath(place))
    outcome = trials.attempt(capfdbinary, folder, *hide(stego=output), writes=[place])
    if name == "stego.":
        assert outcome.code == 1 and "cannot write" in outcome.lines[0]
        return
    assert outcome.code == 0 and images.read(place).pixels.shape == (trials.SIDE, trials.SIDE, 1)
    revealed = trials.attempt(capfdbinary, folder, "reveal", output, "-o", "-", *SECRET)
    assert revealed.out == b"the message"


OTHER_ENDINGS = [
    *(".jpeg2", ".webp", ".jp2", ".avif", ".gif", ".heic", ".jxl", ".txt", "", ".png.txt", ".tga"),
    *(".eps", ".pdf", ".svg", ".ico", ".raw", ".npy"),
]


@pytest.mark.parametrize("ending", OTHER_ENDINGS)
def test_a_format_that_cannot_hold_a_message_is_refused(folder, capfdbinary, ending):
    for call in (
        hide(stego=f"stego{ending}"),
        ("compare", "cover.png", "cover.png", "-o", f"stego{ending}"),
    ):
        outcome = trials.attempt(capfdbinary, folder, *call)
        assert outcome.code == 1 and ".png" in outcome.lines[0]
        assert call[0] == "hide" or "message" not in outcome.lines[0]


def test_the_comparison_is_no_jpeg(folder, capfdbinary):
    call = ("compare", "cover.png", "cover.png", "-o", "changes.jpg")
    outcome = trials.attempt(capfdbinary, folder, *call)
    assert outcome.code == 1 and "message" not in outcome.lines[0]


OPTIONS = [
    ("--scheme", ""),
    ("--scheme", "hil"),
    ("--scheme", "hill-"),
    ("--scheme", "hill-cmd-cmd"),
    ("--scheme", "hill\n"),
    ("--code", ""),
    ("--code", "STC"),
    ("--code", "rs"),
    ("--constraint-height", "6"),
    ("--constraint-height", "13"),
    ("--constraint-height", "-7"),
    ("--key-file", "key", "--password-file", "password"),
    ("--password-file", "/dev/null"),
    ("--key-file", "/dev/null"),
    ("--key-file", "password"),
    ("--key-file", "cover.png"),
]


@pytest.mark.parametrize("given", OPTIONS, ids=lambda given: ascii(" ".join(given)))
def test_an_option_that_cannot_be_used(folder, capfdbinary, given):
    secret = () if "--key-file" in given or "--password-file" in given else SECRET
    arguments = ("hide", "cover.png", "message", "-o", "stego.png", *secret, *given)
    outcome = trials.attempt(capfdbinary, folder, *arguments)
    assert outcome.code == 1, outcome


PASSWORDS = {
    "a line": b"secret words\n",
    "no end": b"secret words",
    "windows": b"secret words\r\n",
    "utf-8 with a mark": b"\xef\xbb\xbfsecret words\r\n",
    "utf-16 little": "\ufeffsecret words\r\n".encode("utf-16-le"),
    "utf-16 big": "\ufeffsecret words\n".encode("utf-16-be"),
    "utf-16": "secret words".encode("utf-16"),
    "utf-32": "secret words\n".encode("utf-32"),
}


def test_a_password_is_the_same_however_its_file_is_written(folder, capfdbinary):
    (folder / "p").write_bytes(PASSWORDS["a line"])
    call = hide(secret=("--password-file", "p"))
    assert trials.attempt(capfdbinary, folder, *call, writes=[folder / "stego.png"]).code == 0
    for content in PASSWORDS.values():
        (folder / "p").write_bytes(content)
        call = ("reveal", "stego.png", "-o", "-", "--password-file", "p")
        assert trials.attempt(capfdbinary, folder, *call).out == b"the message", content
    others = [b"secret word\n", b"secret words\n\n", b" secret words\n", b"\xff\xfes", b"\xff", b""]
    for content in others:
        (folder / "p").write_bytes(content)
        assert trials.attempt(capfdbinary, folder, *call).code == 1, content
