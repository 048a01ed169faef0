"""Which image a worker is working on: a number in memory that it shares with the job, so that it survives a crash."""

import mmap
from typing import Any, Final, Protocol

NOWHERE: Final = -1  # between images: no file is to blame for a crash


class Position(Protocol):
    """Holds one number: the row, within its chunk, of the image that is being read, decoded or normalized."""

    def __setitem__(self, index: int, value: int, /) -> None:
        """Note the row, at index 0; called for every image, so it must cost next to nothing."""


def shared_memory(*, inherited: bool) -> Any:
    """Allocate shared memory for one number.

    Args:
        inherited: the worker is forked and inherits it; otherwise it can be passed to a process as it starts.
    """
    if inherited:
        return mmap.mmap(-1, mmap.PAGESIZE)
    from multiprocessing.sharedctypes import RawArray

    return RawArray("q", 1)


def number_in(memory: Any) -> memoryview:
    """View the number in what `shared_memory` made, at index 0."""
    return memoryview(memory).cast("B")[:8].cast("q")
