"""One run at a time for each output: an advisory lock that the kernel releases however the holder ends."""

import contextlib
import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from typing import Final

from batch_infer.errors import LockError, OutputError
from batch_infer.outputs.atomic import output_errors
from batch_infer.outputs.courtesy import courtesy
from batch_infer.outputs.foreign import refuse_foreign_lock, refuse_special
from batch_infer.paths import show_path

_PATIENCE: Final = 0.2  # seconds
_HOLDER: Final = re.compile(r"pid ([0-9]+), started ")
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL})
_FLAGS: Final = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
_TRIES: Final = 10  # if others keep removing the file; some file systems also give it another inode each time
_held: set[int] = set()


def _forget_in_child() -> None:
    """Close the locks that a forked worker inherited: only the parent holds them, or they would outlive it."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)


@contextlib.contextmanager
def locked(path: str, notify: Callable[[str], None] = lambda _: None) -> Iterator[bool]:
    """Hold the lock file at `path`; the file stays.

    Args:
        path: path of the lock file. It may be another user's: read permission is enough to lock it.
        notify: called with one line if the file system has no locks.

    Yields:
        Whether other runs are kept out; False if the file system has no locks.

    Raises:
        LockError: another run holds it; the text names its process and start.
        OutputError: the file cannot be created, or is not a lock of ours.
    """
    descriptor, writable, refusal = _acquire(path)
    try:
        if refusal:
            notify(
                f"{show_path(path)}: no lock on this file system ({refusal}); "
                "make sure that no two runs write the same --out at once"
            )
        signed = writable and not refusal
        if signed:
            started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            with output_errors(path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"pid {os.getpid()}, started {started}\n".encode(), 0)
        try:
            yield not refusal
        finally:
            if signed and descriptor in _held:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, 0)  # or the loser of the next race could name us as its winner
    finally:
        if descriptor in _held:  # not in a forked child, which has closed it already
            _release(descriptor)


def _release(descriptor: int) -> None:
    _held.remove(descriptor)
    os.close(descriptor)


def _acquire(path: str) -> tuple[int, bool, str]:
    """Open and lock the file → its descriptor, whether it is open for writing, and why there is no lock, if so."""
    for attempt in range(_TRIES):
        descriptor, writable = _open(path)
        _held.add(descriptor)
        try:
            _check(descriptor, path)
            refusal = _flock(descriptor, path)
            _check(descriptor, path)  # only we can have written since
            if writable:
                _share(descriptor, path)
            if attempt + 1 == _TRIES or _is_at(descriptor, path):
                return descriptor, writable, refusal
        except BaseException:
            _release(descriptor)
            raise
        _release(descriptor)  # somebody removed the file meanwhile: others would lock a new one
    raise AssertionError


def _open(path: str) -> tuple[int, bool]:
    """Open the lock file, and create it if necessary → descriptor, whether it may be written."""
    for _ in range(_TRIES):
        refuse_special(path)
        # Not with O_CREAT in one call: that refuses another user's file in a sticky folder (fs.protected_regular).
        with output_errors(path), contextlib.suppress(FileNotFoundError):
            try:
                return os.open(path, os.O_RDWR | _FLAGS), True
            except OSError as error:
                if error.errno not in {errno.EACCES, errno.EPERM, errno.EROFS}:
                    raise
                return _open_to_read(path), False
        with output_errors(path), contextlib.suppress(FileExistsError):
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o666), True
    raise OutputError(f"{show_path(path)}: appears and vanishes; which program removes it?")


def _open_to_read(path: str) -> int:
    """Open another user's lock, for which reading is enough."""
    try:
        return os.open(path, os.O_RDONLY | _FLAGS)
    except PermissionError as error:
        raise OutputError(
            f"{show_path(path)}: belongs to another user, who alone may open it; "
            f"as that user or root: chmod a+r {show_path(path)}"
        ) from error


def _check(descriptor: int, path: str) -> None:
    with output_errors(path):
        head = os.pread(descriptor, 100, 0)
    refuse_foreign_lock(path, head)


def _share(descriptor: int, path: str) -> None:
    """Let everybody who may write to the folder take the lock, whatever the umask of the creating process.

    Read permission is enough to lock a file. The folder's group also gets write permission, to record the holder, and
    because some network file systems require it for locking.
    """
    with output_errors(path):
        status, folder = os.fstat(descriptor), os.stat(os.path.dirname(path) or ".")
    mine = os.geteuid()
    alone = folder.st_uid == mine and not folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if status.st_uid != mine or alone:
        return
    mode = stat.S_IMODE(status.st_mode) | 0o444
    with output_errors(path), courtesy():
        if folder.st_mode & stat.S_IWGRP:
            if status.st_gid != folder.st_gid:
                os.fchown(descriptor, -1, folder.st_gid)
            mode |= stat.S_IWGRP
    with output_errors(path), courtesy():
        if mode != stat.S_IMODE(status.st_mode):
            os.fchmod(descriptor, mode)


def _flock(descriptor: int, path: str) -> str:
    """Lock the file → empty, or why the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno == errno.EWOULDBLOCK:
            raise LockError(
                f"{show_path(path)}: another run holds it ({_holder(descriptor)}); wait for it, or choose another --out"
            ) from error
        if error.errno == errno.EBADF:  # NFS requires write permission
            raise OutputError(
                f"{show_path(path)}: belongs to another user, and this file system locks only what may be written; "
                f"as that user or root: chmod a+w {show_path(path)}"
            ) from error
        if error.errno not in _NO_LOCKS:
            raise OutputError(f"{show_path(path)}: cannot be locked: {error.strerror}") from error
        return error.strerror or str(error)
    return ""


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _holder(descriptor: int) -> str:
    """Read who holds the lock; a winner writes it a moment after winning; until then it may name a killed run."""
    end = time.monotonic() + _PATIENCE
    while True:
        holder = os.pread(descriptor, 200, 0).decode("ascii", "replace").strip()
        match = _HOLDER.match(holder)
        if (match and _is_running(int(match[1]))) or time.monotonic() > end:
            return show_path(holder) or "it does not say which one"
        time.sleep(0.005)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:  # also a process in another container
        return False
    except (OSError, OverflowError):
        pass
    return True
