"""Which image a worker is working on: a number in memory that it shares with the job, so that it survives a crash."""

import mmap
import os
import tempfile
from typing import Final, Protocol

NOWHERE: Final = -1  # between images: no file is to blame for a crash


class Position(Protocol):
    """Holds one number: the row, within its chunk, of the image that is being read, decoded or normalized."""

    def __setitem__(self, index: int, value: int, /) -> None:
        """Note the row, at index 0; called for every image, so it must cost next to nothing."""


def shared_memory() -> int:
    """Allocate memory that processes can share → its descriptor, for the caller to close.

    Raises:
        OSError: the system refuses it.
    """
    descriptor = unnamed_file()
    os.write(descriptor, bytes(mmap.PAGESIZE))
    return descriptor


def unnamed_file() -> int:
    """Open an empty file that has no name, in memory where the system can do that → its descriptor.

    Raises:
        OSError: the system refuses it.
    """
    if hasattr(os, "memfd_create"):
        return os.memfd_create("batch-infer")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def number_in(descriptor: int) -> memoryview:
    """View the number in what `shared_memory` made, at index 0."""
    return memoryview(mmap.mmap(descriptor, mmap.PAGESIZE)).cast("q")
