"""Whether a file in a folder of --sort-into is one that we made, and still what it should be."""

import contextlib
import os
import stat
from typing import Final

from batch_infer.job.sorting.ledger import Entry

_COARSE: Final = 2_000_000_000  # ns; FAT keeps times to two seconds


def is_ours(path: str, found: os.stat_result, entry: Entry, source: str) -> bool:
    """Whether what is there is what we made, and not what somebody put in its place.

    Args:
        path: the file.
        found: of the file, links not followed.
        entry: what the list says of it.
        source: the file that it was made of.
    """
    if stat.S_ISLNK(found.st_mode):
        return is_link_to(path, source)
    if not stat.S_ISREG(found.st_mode):
        return False
    # An empty one is left by a power failure.
    if found.st_size in {entry.size, 0} and abs(found.st_mtime_ns - entry.mtime) <= _COARSE:
        return True
    with contextlib.suppress(OSError, ValueError):
        return os.path.samestat(found, os.stat(source))  # a hard link to what was changed in place
    return False


def is_link_to(path: str, target: str) -> bool:
    """Whether there is a symbolic link with exactly this target."""
    try:
        return os.readlink(path) == target
    except OSError:
        return False


def is_picture_of(found: os.stat_result, entry: Entry, source: os.stat_result) -> bool:
    """Whether a file of ours is the picture of an image in a file that has not changed since."""
    return stat.S_ISREG(found.st_mode) and found.st_size == entry.size and entry.mtime == source.st_mtime_ns


def is_copy_of(found: os.stat_result, entry: Entry, source: os.stat_result) -> bool:
    """Whether a file of ours is a copy of a file that has not changed since, and not a link to it."""
    now = source.st_size, source.st_mtime_ns
    return (
        stat.S_ISREG(found.st_mode)
        and not os.path.samestat(found, source)
        and (found.st_size, (entry.size, entry.mtime)) == (source.st_size, now)
    )
