"""How programs end."""

import signal
import time

import pytest

from stegojax import edge


@pytest.fixture
def interruptible():
    """Ctrl-C interrupts, also where the tests run in the background and would not hear it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_while_garbage_is_collected_is_not_lost(capsys):
    class Collected:
        def __del__(self):
            raise KeyboardInterrupt

    def work():
        Collected()
        for _ in range(1000):
            time.sleep(0.001)
        return 0

    assert edge.guarded(work, name="stegojax") == edge.INTERRUPTED
    assert capsys.readouterr().err.splitlines() == [
        "stegojax: interrupted; every file that is there is whole"
    ]
