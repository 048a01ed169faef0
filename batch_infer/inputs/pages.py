"""How many pages, and so rows, a TIFF has: its directories are read, and none of its pixels."""

import os
import stat

from batch_infer.decoding.formats import TIFF_STARTS
from batch_infer.decoding.read import MAX_FILE_BYTES, OPEN_FLAGS
from batch_infer.decoding.structure.tiff import MAX_PAGES, find_pages


def count_pages(path: str) -> int:
    """Count the pages of a file; 1 if it is no TIFF, or cannot be read at all: its one row then says why."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # before it is opened: that can have side effects
            return 1
        descriptor = os.open(path, OPEN_FLAGS)
        try:
            size = os.fstat(descriptor).st_size
            if size > MAX_FILE_BYTES or os.pread(descriptor, 4, 0) not in TIFF_STARTS:
                return 1
            count = len(
                find_pages(lambda offset, length: os.pread(descriptor, length, offset) if offset < size else b"")
            )
        finally:
            os.close(descriptor)
    except OSError:
        return 1
    return count if count <= MAX_PAGES else 1
