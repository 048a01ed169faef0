"""One image file → its bytes, or what is wrong with it; only regular files are ever opened for reading."""

import errno
import os
import stat
from typing import Final

from batch_infer.errors import ImageError

MAX_FILE_BYTES: Final = 64 << 20
# A disk or a network mount is gone, as opposed to one file.
_LOST_DEVICE: Final = frozenset(
    getattr(errno, name)
    for name in (
        "EIO",
        "ENOTCONN",
        "ESTALE",
        "ENXIO",
        "ENODEV",
        "EREMOTEIO",
        "ENOMEDIUM",
        "ESHUTDOWN",
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "ENETDOWN",
        "ENETUNREACH",
        "ETIMEDOUT",
        "ECONNABORTED",
        "ECONNRESET",
        "ENOKEY",
        "EKEYEXPIRED",
    )
    if hasattr(errno, name)
)
_LOST_DETAILS: Final = frozenset(map(os.strerror, _LOST_DEVICE))
OPEN_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def read_file(path: str) -> bytes:
    """Read one regular file completely.

    Raises:
        ImageError: vanished, no_permission, not_regular, too_large, empty or unreadable.
    """
    try:
        # Checked before it is opened: opening a device can have side effects. A moment later it may be another file,
        # hence non-blocking (a FIFO must not hang), and never more than one byte beyond the size that it had.
        size = _size(os.stat(path))
        descriptor = os.open(path, OPEN_FLAGS)
        try:
            data = os.read(descriptor, size + 1)
        except OSError as error:
            if error.errno in _LOST_DEVICE:
                raise
            data = b""  # handled below
        try:
            return data if len(data) == size else _read_again(descriptor)
        finally:
            os.close(descriptor)
    except MemoryError as error:
        raise ImageError("too_large", "not enough memory to read it") from error
    except OSError as error:
        raise ImageError(*describe_os_error(error)) from error


def _read_again(descriptor: int) -> bytes:
    """Read a file that changed after it was checked."""
    size = _size(os.fstat(descriptor))
    os.lseek(descriptor, 0, os.SEEK_SET)
    data = os.read(descriptor, size + 1)
    if len(data) != size:
        raise ImageError("unreadable", "the file changed while it was read")
    return data


def _size(status: os.stat_result) -> int:
    """The size of a regular file within the limits, in bytes."""
    size = status.st_size
    if stat.S_ISREG(status.st_mode) and 0 < size <= MAX_FILE_BYTES:
        return size
    if not stat.S_ISREG(status.st_mode):
        raise ImageError("not_regular", "not a regular file")
    if size == 0:
        raise ImageError("empty", "0 bytes")
    raise ImageError("too_large", f"{size:,} bytes; expected at most {MAX_FILE_BYTES:,}")


def describe_os_error(error: OSError) -> tuple[str, str]:
    """The code and the detail for an operating-system error at one input."""
    detail = error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        return "vanished", detail
    if isinstance(error, PermissionError):
        return "no_permission", detail
    return "unreadable", detail


def is_device_lost(error: OSError) -> bool:
    """Whether an error means that a disk or a network mount is gone."""
    return error.errno in _LOST_DEVICE


def says_device_lost(detail: str) -> bool:
    """Whether the detail of a row's error means that a disk or a network mount is gone."""
    return detail in _LOST_DETAILS
