"""The IDX format: how a file of it is told, and its header; no byte is trusted.

The format: two zero bytes, a type code, the number of dimensions, each dimension as a big-endian uint32, then the
data in C order (described at http://yann.lecun.com/exdb/mnist/).
"""

import struct
from dataclasses import dataclass
from typing import IO, Final

from batch_infer.errors import DamagedArrayError
from batch_infer.first_bytes import GZIP
from batch_infer.inputs.arrays.inflate import open_at_once

UINT8: Final = 0x08
INT32: Final = 0x0C


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
        return kind_of(file.read(4))


def kind_of(head: bytes) -> str | None:
    """The same from the first bytes of the file, at least four if it has so many."""
    if head[:2] == GZIP:
        return "gzip"
    return "idx" if len(head) >= 4 and head[:2] == b"\0\0" and 1 <= head[3] <= 4 and head[2] >= 8 else None


def parse_header(file: IO[bytes]) -> IdxHeader:
    """Read an IDX header.

    Raises:
        DamagedArrayError: the bytes are not an IDX header.
    """
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise DamagedArrayError(
            f"not an IDX file: expected it to begin with 00 00, found {magic.hex(' ') or 'nothing'}"
        )
    type_code, dimensions = magic[2], magic[3]
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DamagedArrayError(f"the header is cut off: expected {dimensions} dimensions")
    return IdxHeader(type_code, struct.unpack(f">{dimensions}I", sizes), 4 + len(sizes))
