"""One run at a time for each output: an advisory lock that the kernel lifts however the holder ends."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from batch_infer.atomic import output_errors
from batch_infer.errors import LockError
from batch_infer.escape import escape_path

_held: set[int] = set()


def _forget_in_child() -> None:
    """Close the locks that a forked worker inherited: only the parent holds them, or they would outlive it."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """Hold the lock file at `path`; the file stays.

    Raises:
        LockError: another run holds it; the text names its process and start.
        OutputError: the file cannot be made.
    """
    with output_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    _held.add(descriptor)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 200, 0).decode("ascii", "replace").strip()
            raise LockError(
                f"{escape_path(path)}: another run holds it ({holder}); wait for it, or choose another --out"
            ) from error
        with output_errors(path):
            os.ftruncate(descriptor, 0)
            started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            os.pwrite(descriptor, f"pid {os.getpid()}, started {started}\n".encode(), 0)
        yield
    finally:
        if descriptor in _held:  # not in a forked child, which has closed it already
            _held.remove(descriptor)
            os.close(descriptor)
