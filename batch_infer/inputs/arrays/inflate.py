"""Files of many images opened plain or gzip, by content, and read to the byte."""

import gzip
import os
import zlib
from collections.abc import Callable
from typing import IO, Any, TypeVar

import numpy as np
import numpy.typing as npt

from batch_infer.errors import DamagedArrayError
from batch_infer.first_bytes import GZIP

try:
    from isal import igzip as _fast
    from isal import isal_zlib as _fast_zlib

    _gunzip: Any = _fast
    _inflate_error: Any = _fast_zlib.error
except ImportError:  # no wheel for this platform: zlib gives the same bytes in twice the time
    _gunzip, _inflate_error = gzip, zlib.error

T = TypeVar("T")


def open_inflated(path: str) -> IO[bytes]:
    """Open a plain or gzip file for reading its uncompressed bytes; gzip is detected by its first two bytes."""
    file = open(path, "rb", opener=open_at_once)  # noqa: SIM115 - closed by the caller
    try:
        compressed = file.read(2) == GZIP
        file.seek(0)
        return inflated(file) if compressed else file
    except BaseException:
        file.close()
        raise


def inflated(file: IO[bytes]) -> IO[bytes]:
    """The uncompressed bytes of an open gzip file; closing them closes it."""
    content: IO[bytes] = _gunzip.open(file, "rb")
    content.myfileobj = file  # type: ignore[attr-defined]  # gzip closes it with itself
    return content


def open_at_once(path: str, flags: int) -> int:
    """Open without waiting: a FIFO may have taken the place of the file since it was checked."""
    return os.open(path, flags | os.O_NONBLOCK)


def fill(file: IO[bytes], buffer: npt.NDArray[Any]) -> None:
    """Fill a whole contiguous buffer from a file.

    Raises:
        DamagedArrayError: the data end before, or are damaged gzip data.
    """
    view = buffer.reshape(-1).view(np.uint8).data
    while view:
        size = read_checked(lambda: file.readinto(view))  # type: ignore[attr-defined]  # noqa: B023 - called at once
        if not size:
            raise DamagedArrayError("the data are cut off: fewer bytes than the header says")
        view = view[size:]


def read_checked(read: Callable[[], T]) -> T:
    """Call `read`, turning what gzip raises about damaged data into a DamagedArrayError."""
    try:
        return read()
    except (EOFError, _inflate_error, gzip.BadGzipFile, OverflowError) as error:  # the last one: isal, of a long header
        raise DamagedArrayError(f"damaged gzip data: {error}") from error
