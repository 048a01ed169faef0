"""Optional operations that a file system may refuse without harm to the content: mode, owner, fsync of a folder."""

import contextlib
import errno
from collections.abc import Iterator
from typing import Final

# "Not permitted" and "not supported" (CIFS, FAT, WSL, vboxsf, FUSE). A full or failing disk is not among them.
_REFUSALS: Final = frozenset(
    {errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.EBADF}
)


@contextlib.contextmanager
def courtesy() -> Iterator[None]:
    """Ignore it if the system refuses the operation in the block.

    Raises:
        OSError: it fails for another reason.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
