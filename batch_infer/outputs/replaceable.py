"""Which file an output replaces, and whether it can: checked before the work, as the rename would fail too late."""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterable
from typing import Final

from batch_infer.errors import OutputError
from batch_infer.outputs.atomic import output_errors
from batch_infer.paths import show_path

_MOUNTS: Final = "/proc/self/mountinfo"  # Linux
_OCTAL: Final = re.compile(rb"\\([0-7]{3})")


def refuse_irreplaceable(paths: Iterable[str]) -> None:
    """Check that whatever exists at the paths can be replaced.

    Raises:
        OutputError: one is a mount point, another user's file in a sticky folder, or immutable.
    """
    existing = [path for path in paths if os.path.lexists(path)]
    mounts = _mount_points() if existing else frozenset()
    for path in existing:
        folder = os.path.dirname(path) or "."
        if os.fsencode(os.path.join(os.path.realpath(folder), os.path.basename(path))) in mounts:
            raise OutputError(
                f"{show_path(path)}: is mounted as a single file, which cannot be replaced; mount its folder instead"
            )
        reason = _why_kept(path)
        if reason is not None:
            raise OutputError(
                f"{show_path(path)}: cannot be replaced: {reason} (another user's file in a sticky folder, or an "
                "immutable one); remove it as its owner, or choose another --out"
            )


def follow_link(path: str) -> str:
    """The file that an output leads to: itself, unless it is a link.

    Raises:
        OutputError: the link must not be followed, or cannot be looked at.
    """
    if not os.path.islink(path):
        return path
    with output_errors(path):
        folder, owner = os.stat(os.path.dirname(path) or "."), os.lstat(path).st_uid
    if folder.st_mode & stat.S_ISVTX and folder.st_mode & stat.S_IWOTH and owner not in {os.geteuid(), folder.st_uid}:
        raise OutputError(f"{show_path(path)}: is another user's link in a world-writable folder; choose another --out")
    return os.path.realpath(path)


def _why_kept(path: str) -> str | None:
    """Ask the kernel whether a file may be removed, without removing it → the reason if it may not, else None.

    `rmdir` of a non-folder always fails: with ENOTDIR if the kernel has found that the entry may be removed, or with
    EPERM if it may not (a sticky folder, an immutable file), in any user namespace.
    """
    if os.path.isdir(path):
        return None
    try:
        os.rmdir(path)
    except OSError as error:
        if error.errno in {errno.EPERM, errno.EACCES, errno.EROFS}:
            return error.strerror or str(error)
    return None


def _mount_points() -> frozenset[bytes]:
    """All mount points; device numbers would not do, as on overlayfs those of files and folders differ."""
    with contextlib.suppress(OSError), open(_MOUNTS, "rb") as file:
        return frozenset(_OCTAL.sub(lambda match: bytes([int(match[1], 8)]), line.split(b" ", 5)[4]) for line in file)
    return frozenset()
