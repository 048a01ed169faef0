"""Import onnxruntime without its telemetry and without its noise on stderr."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import ModuleType


def import_onnxruntime() -> ModuleType:
    """Import onnxruntime with telemetry off; what its native code prints while loading is dropped."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when the library is loaded, so before the import
    if "onnxruntime" in sys.modules:
        return sys.modules["onnxruntime"]
    with silenced_stderr(), _signals_held():
        import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Hold back what ends a job: an exception that a signal raises while the library is loaded comes out as another."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def silenced_stderr() -> Iterator[None]:
    """Send file descriptor 2 to /dev/null: native libraries write there past sys.stderr (cron would mail it)."""
    try:
        saved = os.dup(2)
    except OSError:  # stderr is closed: nothing to silence
        yield
        return
    try:
        with open(os.devnull, "wb") as null:
            os.dup2(null.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
