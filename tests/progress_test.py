"""The line that says what a command is doing: on terminals alone, and not before a second."""

import io
import time
import types

import pytest

from stegojax import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(progress, "_EVERY", 0.02)
    file = Terminal()
    monkeypatch.setattr(progress, "sys", types.SimpleNamespace(stderr=file))
    return file


def seen(terminal, text):
    deadline = time.monotonic() + 5
    while text not in terminal.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    return text in terminal.getvalue()


def test_a_long_command_says_what_it_does_and_leaves_nothing(terminal):
    with progress.shown("hide"):
        assert seen(terminal, "hide: starting ...")
        progress.doing("costs")
        assert seen(terminal, "hide: costs ...")
    assert terminal.getvalue().endswith(progress._ERASE)


def test_a_short_command_shows_nothing(terminal, monkeypatch):
    monkeypatch.setattr(progress, "QUIET_SECONDS", 5.0)
    with progress.shown("hide"):
        progress.doing("costs")
    assert terminal.getvalue() == ""


def test_no_line_in_a_pipe(monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(progress, "sys", types.SimpleNamespace(stderr=file))
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    with progress.shown("hide"):
        progress.doing("costs")
        time.sleep(0.05)
    assert file.getvalue() == ""


def test_a_prompt_has_the_terminal_for_itself(terminal):
    with progress.shown("hide"):
        assert seen(terminal, "starting")
        with progress.hidden():
            before = terminal.getvalue()
            time.sleep(0.1)
            assert terminal.getvalue() == before and before.endswith(progress._ERASE)


@pytest.mark.parametrize(
    "seconds,said",
    [
        (0.2, "1 second"),
        (40, "40 seconds"),
        (1500, "25 minutes"),
        (12600, "3.5 hours"),
        (2e5, "2.3 days"),
    ],
)
def test_times_are_said_as_people_say_them(seconds, said):
    assert progress.duration(seconds) == said
