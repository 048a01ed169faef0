"""The IDX format: its header, and files of it opened, plain or gzip; no byte is trusted.

The format: two zero bytes, a type code, the number of dimensions, each dimension as a big-endian uint32, then the
data in C order (described at http://yann.lecun.com/exdb/mnist/).
"""

import gzip
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, Final, TypeVar

from batch_infer.errors import DamagedIdxError

try:
    from isal import igzip as _fast
    from isal import isal_zlib as _fast_zlib

    _gunzip: Any = _fast
    _inflate_error: Any = _fast_zlib.error
except ImportError:  # no wheel for this platform: zlib gives the same bytes in twice the time
    _gunzip, _inflate_error = gzip, zlib.error

_GZIP_MAGIC: Final = b"\x1f\x8b"
UINT8: Final = 0x08
INT32: Final = 0x0C

T = TypeVar("T")


@dataclass(frozen=True)
class IdxHeader:
    """What an IDX header says: the type code, the shape, and the offset of the data in bytes."""

    type_code: int
    shape: tuple[int, ...]
    data_offset: int


def sniff(path: str) -> str | None:
    """Detect the kind of a regular file from its content: `"idx"`, `"gzip"`, or None for anything else.

    Raises:
        OSError: the file cannot be opened or read.
    """
    with open(path, "rb", opener=open_at_once) as file:
        head = file.read(4)
    if head[:2] == _GZIP_MAGIC:
        return "gzip"
    return "idx" if len(head) == 4 and head[:2] == b"\0\0" and 1 <= head[3] <= 4 and head[2] >= 8 else None


def parse_header(file: IO[bytes]) -> IdxHeader:
    """Read an IDX header.

    Raises:
        DamagedIdxError: the bytes are not an IDX header.
    """
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise DamagedIdxError(f"not an IDX file: expected it to begin with 00 00, found {magic.hex(' ') or 'nothing'}")
    type_code, dimensions = magic[2], magic[3]
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DamagedIdxError(f"the header is cut off: expected {dimensions} dimensions")
    return IdxHeader(type_code, struct.unpack(f">{dimensions}I", sizes), 4 + len(sizes))


def open_idx(path: str) -> IO[bytes]:
    """Open a plain or gzip file for reading its uncompressed bytes; gzip is detected by its first two bytes."""
    file = open(path, "rb", opener=open_at_once)  # noqa: SIM115 - closed by the caller
    try:
        compressed = file.read(2) == _GZIP_MAGIC
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


def read_checked(read: Callable[[], T]) -> T:
    """Call `read`, turning what gzip raises about damaged data into a DamagedIdxError."""
    try:
        return read()
    except (EOFError, _inflate_error, gzip.BadGzipFile, OverflowError) as error:  # the last one: isal, of a long header
        raise DamagedIdxError(f"damaged gzip data: {error}") from error
