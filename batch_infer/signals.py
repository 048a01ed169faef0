"""The signals that end a command: ignored while it completes something, held back while libraries are loaded."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any, Final

ENDING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def ignore_signals() -> dict[signal.Signals, Any]:
    """Ignore what would end the process, from now on; returns the handlers before (None: not set by Python)."""
    # With SIG_IGN, Python complains about one that came just before.
    return {number: signal.signal(number, _do_nothing) for number in ENDING_SIGNALS}


@contextlib.contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore what would end the process (only the main thread can, and only there do signals interrupt anything)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = ignore_signals()
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # what was not set by Python cannot be restored by it
                signal.signal(number, handler)


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Hold back what ends a command: an exception raised while a library is loaded may be lost or become another."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _do_nothing(*_: object) -> None:
    pass
