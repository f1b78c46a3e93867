"""The edge of a program: whatever a person gave or did, its end is an exit code and at most a line.

What is a mistake in the program itself keeps its traceback.
"""

from __future__ import annotations

import _thread
import contextlib
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

from stegojax.errors import InputError

INTERRUPTED, NO_READER = 130, 141
"""Exit codes of programs that Ctrl-C ended, or that write to a pipe that nobody reads."""


def guarded(work: Callable[[], int], *, name: str) -> int:
    """Runs a program's work and answers for how it ends.

    Args:
      work: what the program does; gives its exit code.
      name: what the line on standard error begins with.

    Returns:
      The exit code: that of `work`; 1 with a line where it could not be done; `INTERRUPTED` with a
      line, that of the `KeyboardInterrupt` where it says something; `NO_READER` without.
    """
    _show_every_character()
    _silence_others()
    try:
        with _no_interrupt_lost():
            code = work()
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except InputError as error:
        return _refused(name, str(error))
    except BrokenPipeError:
        _abandon_output()
        return NO_READER
    except KeyboardInterrupt as error:
        _refused(name, str(error) or "interrupted; every file that is there is whole")
        return INTERRUPTED
    except OSError as error:
        _abandon_unwritable_output()
        return _refused(name, in_words(error))
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return _refused(name, "there is not enough memory for this; use less at a time")


@contextlib.contextmanager
def _no_interrupt_lost() -> Iterator[None]:
    """Ctrl-C while garbage is collected comes again: Python prints and forgets what is raised in a
    callback of the collector, and JAX has one.
    """
    before = sys.unraisablehook

    def hook(unraisable):
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            # Not at once: it would be raised in here.
            threading.Timer(0.02, _thread.interrupt_main).start()
        else:
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Lets Ctrl-C wait: importing JAX ends in an abort where it is interrupted.

    Yields:
      Nothing; the interrupt comes at the end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def in_words(error: OSError) -> str:
    """What the system says, for a person.

    Args:
      error: what it raised.

    Returns:
      The file, where there is one, and the reason.
    """
    reason = error.strerror or str(error) or type(error).__name__
    name = error.filename
    name = os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else ""
    return f"{name}: {reason}" if name else reason


def _refused(name: str, text: str) -> int:
    """Prints the one line; also where standard error is closed there is an exit code."""
    with contextlib.suppress(OSError, ValueError):
        print(f"{name}: {' '.join(text.splitlines())}", file=sys.stderr)
    return 1


def _show_every_character() -> None:
    """What the terminal's encoding cannot show, it shows by number."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _silence_others() -> None:
    """A picture that Pillow warns of is read or refused, in this package's own words; without a
    compilation cache, on a full disk say, functions are compiled anew.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.filterwarnings("ignore", message=r"Error (reading|writing) persistent compilation")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)


def _abandon_output() -> None:
    """Lets the interpreter end without writing what is left to a place that takes no more."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _abandon_unwritable_output() -> None:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        _abandon_output()
