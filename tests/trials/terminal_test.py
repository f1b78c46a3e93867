"""The command as a process: what is typed at its prompt, terminals and pipes of all kinds, Ctrl-C.
Whatever happens, it ends with an exit code and at most one line.
"""

import contextlib
import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import time

import pytest
from support import trials

ROOT = pathlib.Path(__file__).resolve().parents[2]
STEGOJAX = [sys.executable, "-m", "stegojax.cli"]
SECRET = ("--key-file", "key")
FAST = ("--constraint-height", "7")


def environment(**changes):
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    given = {**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    return {**given, "LC_ALL": "C.UTF-8", **changes}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with a cover and a stego; tests write to names of their own."""
    folder = tmp_path_factory.mktemp("work")
    trials.grey().save(folder / "cover.png")
    (folder / "message").write_bytes(b"the message")
    (folder / "key").write_bytes(bytes(range(32)))
    assert (
        run(folder, "hide", "cover.png", "message", "-o", "stego.png", *SECRET, *FAST).returncode
        == 0
    )
    return folder


def run(folder, *arguments, shell="", **changes):
    """A call of the command, or of a shell that has it as `$STEGOJAX`."""
    words = ["sh", "-c", shell] if shell else [*STEGOJAX, *arguments]
    given = environment(STEGOJAX=" ".join(STEGOJAX), **changes)
    return subprocess.run(
        words, cwd=folder, env=given, stdin=subprocess.DEVNULL, capture_output=True, timeout=300
    )


# Whoever runs the tests in the background has Ctrl-C ignored, and so would the command.
ON_A_TERMINAL = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def typed(folder, keys, *arguments):
    """Calls the command on a terminal of its own, types `keys` at its prompts, one after another,
    and gives the exit code and what was shown.
    """
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, *STEGOJAX, *arguments],
        cwd=folder,
        env=environment(),
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
    )
    os.close(end)
    shown, waiting, deadline = b"", list(keys), time.monotonic() + 30
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                part = os.read(terminal, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
        if waiting and shown.rstrip().endswith((b"Password:", b"Again:")):
            shown += b"\n"
            time.sleep(0.1)
            os.write(terminal, waiting.pop(0))
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    process.kill()
    os.close(terminal)
    lines = [line.strip() for line in shown.decode("utf-8", "replace").splitlines()]
    said = [line for line in lines if line and not line.startswith(("Password:", "Again:", "^"))]
    return process.wait(10), said


@pytest.mark.parametrize(
    "keys, code, words",
    [
        ((b"\x03",), 130, "interrupted"),
        ((b"\x04",), 1, "no password was typed"),
        ((b"\n",), 1, "the password is empty"),
        ((b"caf\xe9\n",), 1, "that is not utf-8"),
        ((b"one\n", b"\x03"), 130, "interrupted"),
        ((b"one\n", b"two\n"), 1, "the two passwords differ"),
    ],
)
def test_what_is_typed_at_the_prompt(work, tmp_path, keys, code, words):
    ended, said = typed(work, keys, "hide", "cover.png", "message", "-o", str(tmp_path / "s.png"))
    assert ended == code and len(said) == 1 and words in said[0], said
    assert not list(tmp_path.iterdir())


def test_a_password_that_is_typed_works(work, tmp_path):
    stego, keys = str(tmp_path / "s.png"), ("d\u00e9j\u00e0\n".encode(),) * 2
    ended, said = typed(work, keys, "hide", "cover.png", "message", "-o", stego, *FAST)
    assert ended == 0 and "read back from the file" in said[-1], said
    (tmp_path / "p").write_text("d\u00e9j\u00e0")
    done = run(work, "reveal", stego, "-o", "-", "--password-file", tmp_path / "p")
    assert done.stdout == b"the message"


@pytest.mark.parametrize(
    "shell, code, words",
    [
        ("$STEGOJAX reveal stego.png -o - --key-file key > /dev/full", 1, "No space left"),
        ("$STEGOJAX capacity cover.png > /dev/full", 1, "No space left"),
        ("$STEGOJAX capacity cover.png 2>&1 >&- | cat", 0, ""),
        ("$STEGOJAX reveal stego.png -o - --key-file key >&-", 1, "no standard output"),
        ("$STEGOJAX hide cover.png - -o new.png --key-file key <&-", 1, "no standard input"),
        ("$STEGOJAX reveal stego.png -o -", 1, "there is no terminal"),
        ("$STEGOJAX capacity nothing.png 2>&-", 1, ""),
        ("$STEGOJAX capacity nothing.png 2>/dev/full", 1, ""),
        ("$STEGOJAX capacity cover.png | true; exit 0", 0, ""),
    ],
)
def test_pipes_and_streams_that_take_nothing(work, shell, code, words):
    done = run(work, shell=f"exec 3>&2; {shell}")
    said = done.stderr.decode().splitlines()
    assert done.returncode == code and len(said) == bool(words), done
    assert not words or words in said[0], said


def test_a_reader_that_goes_away_is_no_error(work):
    shell = "{ $STEGOJAX --help; echo $? >&2; } | true"
    done = run(work, shell=shell)
    assert b"Traceback" not in done.stderr
    shell = "{ sleep 1; $STEGOJAX reveal stego.png -o - --key-file key; echo $? >&2; } | true"
    assert run(work, shell=shell).stderr.split() == [b"141"]


@pytest.mark.parametrize("changes", [dict(LC_ALL="C", PYTHONIOENCODING="ascii"), dict(LC_ALL="C")])
def test_a_name_that_the_terminal_cannot_show(work, tmp_path, changes):
    name = tmp_path / "\u20ac.png"
    done = run(work, "hide", "cover.png", "message", "-o", str(name), *SECRET, *FAST, **changes)
    assert done.returncode == 0 and not done.stderr and name.exists(), done
    done = run(work, "capacity", str(tmp_path / "\u20ac"), **changes)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1


def test_a_message_may_come_from_a_pipe(work, tmp_path):
    shell = (
        f"printf 'through a pipe' | $STEGOJAX hide cover.png - -o {tmp_path}/s.png --key-file key "
        f"--constraint-height 7 && $STEGOJAX reveal {tmp_path}/s.png -o - --key-file key"
    )
    assert run(work, shell=shell).stdout.endswith(b"through a pipe")


BEGINNING = """
import sys
from stegojax import cli
print("begins", flush=True)
sys.exit(cli.main())
"""


def interrupted(folder, seconds, *arguments, sent=signal.SIGINT):
    """A call that gets a signal so many seconds after the interpreter has come to the command."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGINNING, *arguments],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"begins\n"
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(sent)
    _, said = process.communicate(timeout=120)
    return process.returncode, said.decode().splitlines()


@pytest.mark.slow
def test_ctrl_c_at_any_time_is_one_line(work, tmp_path):
    """From the first imports to the last check; the stego is whole or absent. Once the command has
    returned, while Python tidies up, the signal itself ends it: the same 130 to a shell.
    """
    ended = []
    for number in range(24):
        stego = tmp_path / f"{number}.png"
        call = ("hide", "cover.png", "message", "-o", str(stego), *SECRET)
        code, said = interrupted(work, 0.1 + 0.15 * number, *call)
        assert code in (0, 130, -signal.SIGINT) and len(said) <= 1, (number, code, said)
        assert code != 130 or "interrupted" in said[0], (number, said)
        ended.append(code)
        if stego.exists():
            done = run(work, "reveal", str(stego), "-o", "-", *SECRET)
            assert done.stdout == b"the message"
    assert 130 in ended
    assert all(path.suffix == ".png" for path in tmp_path.iterdir())


@pytest.mark.slow
def test_ctrl_c_in_hide_many_goes_on_where_it_was(work, tmp_path):
    covers = tmp_path / "covers"
    covers.mkdir()
    for number in range(40):
        trials.grey().rotate(number).save(covers / f"{number:02}.png")
    call = ("hide-many", str(covers), "message", "-o", str(tmp_path / "out"), *SECRET, *FAST)
    code, said = interrupted(work, 5.0, *call)
    if code:
        assert code == 130 and len(said) == 1 and "the same command goes on" in said[0], said
    done = run(work, *call)
    assert done.returncode == (0 if code else 1) and done.stderr.count(b"\n") <= 1, done
    assert len(list((tmp_path / "out").iterdir())) == 41
