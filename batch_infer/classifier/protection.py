"""Limits on what an untrusted model may take while it is opened and tested: memory (Linux) and time."""

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Any, Final

# On top of what the process has already. The bundled model takes 0.03 GB; later batches need no more than the first.
_MEMORY: Final = 1 << 30
SECONDS: Final = 30  # for two batches, which take 0.01 s


@contextlib.contextmanager
def limited_memory() -> Iterator[None]:
    """Let the process allocate at most 1 GB more (RLIMIT_DATA); further allocations fail. Linux only."""
    if sys.platform != "linux":
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            limit = int(file.read().split()[5]) * resource.getpagesize() + _MEMORY
        if before[0] == resource.RLIM_INFINITY or limit < before[0]:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, before[1]))
    except (OSError, ValueError):  # no /proc, or the system refuses: then without a limit
        pass
    try:
        yield
    finally:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, before)


@contextlib.contextmanager
def limited_time(run_options: Any) -> Iterator[None]:
    """Make ONNX Runtime stop after 30 s, between two operators: while it computes, no signal can be handled.

    Args:
        run_options: the `RunOptions` of the calls.
    """
    done = threading.Event()

    def watch() -> None:
        for _ in range(SECONDS):  # in steps, so that a process that was stopped for an hour is not blamed
            if done.wait(1):
                return
        run_options.terminate = True

    watcher = threading.Thread(target=watch, daemon=True)
    try:
        watcher.start()
    except RuntimeError:  # the system allows no more threads: then without a limit
        yield
        return
    try:
        yield
    finally:
        done.set()
        watcher.join()
