"""Import onnxruntime without its telemetry and its messages on stderr."""

import contextlib
import os
import sys
from collections.abc import Iterator
from types import ModuleType

from batch_infer.signals import signals_held


def import_onnxruntime() -> ModuleType:
    """Import onnxruntime with telemetry off; what its native code prints while loading is dropped."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when the library is loaded, so before the import
    if "onnxruntime" in sys.modules:
        return sys.modules["onnxruntime"]
    with silenced_stderr(), signals_held():
        import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


@contextlib.contextmanager
def silenced_stderr() -> Iterator[None]:
    """Send file descriptor 2 to /dev/null: native libraries bypass sys.stderr (cron would mail their output)."""
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
