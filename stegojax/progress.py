"""Signs of life: one line on a terminal that says what a command is doing, once it has taken a
second; nothing in a pipe or a file.

What works says `doing("costs")` where a part begins, and need not know whether somebody looks.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

QUIET_SECONDS = 1.0
"""What takes less than this shows nothing."""

_EVERY = 0.2
_COMPILING_SHOWS_AFTER = 0.3
_CACHE_ASKED = "/jax/compilation_cache/compile_requests_use_cache"
_COMPILED = "/jax/core/compile/backend_compile_duration"
_ERASE = "\r\x1b[K"


class _Line:
    """The line, drawn by a thread of its own until it is closed."""

    def __init__(self, file, title: str):
        self.title, self.what = title, ""
        self.compiling_since: float | None = None
        self.hidden = False
        self._file, self._begun, self._drawn = file, time.monotonic(), False
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._draw_until_ended, daemon=True)
        self._thread.start()

    def text(self) -> str:
        since, now = self.compiling_since, time.monotonic()
        compiling = since is not None and now - since > _COMPILING_SHOWS_AFTER
        parts = [self.what] * bool(self.what) + ["compiling (once)"] * compiling
        return f"{self.title}: {', '.join(parts) or 'starting'} ... {now - self._begun:.0f} s"

    def erase(self) -> None:
        with self._lock:
            if self._drawn:
                self._file.write(_ERASE)
                self._file.flush()
                self._drawn = False

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self.erase()

    def _draw_until_ended(self) -> None:
        wait = QUIET_SECONDS
        while not self._ended.wait(wait):
            wait = _EVERY
            with self._lock:
                if not self.hidden:
                    self._file.write(_ERASE + self.text())
                    self._file.flush()
                    self._drawn = True


_line: _Line | None = None


def doing(what: str) -> None:
    """Says what is done from now on.

    Args:
      what: a word or two, such as "costs".
    """
    if _line is not None:
        _line.what = what


@contextlib.contextmanager
def shown(title: str) -> Iterator[None]:
    """Shows on standard error, where it is a terminal, what is done within.

    Args:
      title: what the whole is called.

    Yields:
      Nothing.
    """
    global _line
    if not sys.stderr.isatty() or _line is not None:
        yield
        return
    _line = _Line(sys.stderr, title)
    _listen()
    try:
        yield
    finally:
        _line.close()
        _line = None


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Takes the line away for as long as something else is shown, such as a prompt.

    Yields:
      Nothing.
    """
    line = _line
    if line is not None:
        line.hidden = True
        line.erase()
    try:
        yield
    finally:
        if line is not None:
            line.hidden = False


def duration(seconds: float) -> str:
    """A length of time as people say it.

    Args:
      seconds: how long.

    Returns:
      Such as "40 seconds", "25 minutes" or "3.5 hours".
    """
    if seconds < 90:
        return f"{max(1, round(seconds))} second{'s' * (round(seconds) > 1)}"
    if seconds < 5400:
        return f"{round(seconds / 60)} minutes"
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 86400:.1f} days"


_listening = False


def _listen() -> None:
    """Has JAX tell when it compiles; once in a process, since it cannot be told to stop."""
    global _listening
    if _listening:
        return
    _listening = True
    from jax import monitoring

    def asked(event: str, **_) -> None:
        if event == _CACHE_ASKED and _line is not None:
            _line.compiling_since = time.monotonic()

    def compiled(event: str, _seconds: float, **_) -> None:
        if event == _COMPILED and _line is not None:
            _line.compiling_since = None

    monitoring.register_event_listener(asked)
    monitoring.register_event_duration_secs_listener(compiled)
