"""Makes the files in a folder of --sort-into: links and copies that never replace anything."""

import contextlib
import errno
import os
from typing import Final

from batch_infer.decoding.read import read_file
from batch_infer.errors import ImageError
from batch_infer.outputs.courtesy import courtesy

SYMLINK, HARDLINK, COPY = "symlink", "hardlink", "copy"
WAYS: Final = (SYMLINK, HARDLINK, COPY)
# The file system has no such links, or not between these two places, or not to another user's file.
NO_LINK: Final = frozenset(
    {
        errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP,
        errno.EINVAL,
    }
)  # fmt: skip
# The file system cannot have such a name; it may be able to have a plainer one.
BAD_NAME: Final = frozenset({errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG})


def copy_of(source: str, size: int) -> bytes:
    """Read a file that is to be copied.

    Raises:
        ImageError: it cannot be read, is larger than an input may be, or has not the size that it had.
    """
    try:
        data = read_file(source)
    except ImageError as error:
        if error.code != "empty":
            raise
        data = b""
    if len(data) != size:
        raise ImageError("unreadable", "the file changed while it was read")
    return data


def write_new(path: str, content: bytes, mtime: int, mode: int, part: str) -> int:
    """Write a file that must not exist yet, completely or not at all.

    Args:
        path: the file.
        content: its bytes.
        mtime: its modification time in ns.
        mode: who may read and write it at most.
        part: a name on the same file system for the time being; what is there is replaced.

    Returns:
        The modification time that it has: not every file system lets itself be told one.

    Raises:
        FileExistsError: there is something at `path`.
        OSError: it cannot be written.
    """
    remove(part)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode & 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        with courtesy():
            os.utime(part, ns=(mtime, mtime))
        mtime = os.stat(part).st_mtime_ns
        try:
            os.link(part, path)
        except OSError as error:
            if error.errno not in NO_LINK - {errno.EACCES}:
                raise
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from error
            os.rename(part, path)
    finally:
        remove(part)
    return mtime


def link_refusal(target: str, part: str) -> str:
    """Try whether the file system has symbolic links → empty, or why not; `part` is a name for the trial."""
    remove(part)
    try:
        os.symlink(target, part)
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        return error.strerror or str(error)
    remove(part)
    return ""


def hard_link_refusal(source: str, part: str) -> str:
    """Try whether a file can have a hard link beside `part` → empty, or why not."""
    remove(part)
    try:
        os.link(os.path.realpath(source), part)
    except OSError as error:
        return error.strerror or str(error)
    remove(part)
    return ""


def remove(path: str) -> None:
    """Remove a file if there is one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
