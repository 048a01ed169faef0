"""What a file system may refuse without harm to the content: mode bits, owner, attributes, fsync of a folder."""

import contextlib
import errno
from collections.abc import Iterator
from typing import Final

# "You may not", "I know no such thing" (CIFS, FAT, WSL, vboxsf, FUSE). A full or failing disk is none of them.
_REFUSALS: Final = frozenset(
    {errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.EBADF}
)


@contextlib.contextmanager
def courtesy() -> Iterator[None]:
    """Go on where the system refuses what stands in the block.

    Raises:
        OSError: it fails for another reason.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
