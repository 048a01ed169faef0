"""What holds for the whole process: whether it is ours; libraries without telemetry, messages and extra threads."""

import contextlib
import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Final

from batch_infer.signals import signals_held

# Libraries start one thread per core when they are loaded. Where the system does not allow that, they print messages of
# their own, and OpenBLAS interrupts the process. Our arrays are too small to need these threads (torch has its own).
LIBRARY_SETTINGS: Final = {
    "OPENBLAS_NUM_THREADS": "1",  # NumPy's
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # Arrow's jemalloc
    "OPENCV_FOR_THREADS_NUM": "1",  # else small pictures, too, are searched by threads; the workers have all cores
}

_is_own_process = False


def declare_own_process() -> None:
    """Say that our own command is the whole process: nothing else has loaded libraries or started threads in it."""
    global _is_own_process  # noqa: PLW0603 - a fact of the process
    _is_own_process = True


def is_own_process() -> bool:
    """Whether our own command is the whole process; otherwise it is somebody's program that uses the package."""
    return _is_own_process


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
