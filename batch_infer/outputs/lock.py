"""One run at a time for each output: an advisory lock that the kernel lifts however the holder ends."""

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from typing import Final

from batch_infer.errors import LockError, OutputError
from batch_infer.outputs.atomic import output_errors
from batch_infer.paths import escape_path

_PATIENCE: Final = 0.2  # seconds
_HOLDER: Final = re.compile(r"pid ([0-9]+), started ")
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
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o666)
    _held.add(descriptor)
    try:
        try:
            with output_errors(path):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OutputError as error:
            if isinstance(error.__cause__, BlockingIOError):
                raise LockError(
                    f"{escape_path(path)}: another run holds it ({_holder(descriptor)}); "
                    "wait for it, or choose another --out"
                ) from error
            raise  # a file system without locks
        started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with output_errors(path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"pid {os.getpid()}, started {started}\n".encode(), 0)
        try:
            yield
        finally:
            if descriptor in _held:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, 0)  # or the loser of the next race could take us for its winner
    finally:
        if descriptor in _held:  # not in a forked child, which has closed it already
            _held.remove(descriptor)
            os.close(descriptor)


def _holder(descriptor: int) -> str:
    """Read who holds the lock, which a winner writes a moment after it won; until then a killed run may stand there."""
    end = time.monotonic() + _PATIENCE
    while True:
        holder = os.pread(descriptor, 200, 0).decode("ascii", "replace").strip()
        match = _HOLDER.match(holder)
        if (match and _lives(int(match[1]))) or time.monotonic() > end:
            return escape_path(holder) or "which one it does not say"
        time.sleep(0.005)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:  # also a process in another container
        return False
    except (OSError, OverflowError):
        pass
    return True
