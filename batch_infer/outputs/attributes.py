"""What a published file inherits from the one that it replaces: mode, owner, group, ACL, extended attributes."""

import contextlib
import os
from typing import Final

from batch_infer.outputs.courtesy import courtesy

_PERMISSIONS: Final = 0o777  # never set-uid, set-gid or sticky: data files must not have them
_GROUP: Final = 0o070
_ACL: Final = "system.posix_acl_access"
_LABEL: Final = "security.selinux"
_HAS_ATTRIBUTES: Final = hasattr(os, "listxattr")  # Linux


def take_over(descriptor: int, destination: str) -> int:
    """Give a new file the owner, group and attributes of the file that it will replace, as far as the system allows.

    Args:
        descriptor: descriptor of the new file.
        destination: the file to be replaced; it need not exist.

    Returns:
        The mode that the new file should get; that of an ordinary new file if there is nothing to replace.
    """
    try:
        old = os.stat(destination)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
    mode = old.st_mode & _PERMISSIONS
    _take_owner(descriptor, old)
    if os.fstat(descriptor).st_gid != old.st_gid:
        mode = mode & ~_GROUP | (mode & 0o007) << 3  # another group must not get what was granted to the old one
    if _HAS_ATTRIBUTES and not _take_attributes(descriptor, destination):
        mode &= ~_GROUP  # these bits were the ACL's mask; without the ACL they would grant its maximum to the group
    return mode


def _take_owner(descriptor: int, old: os.stat_result) -> None:
    new = os.fstat(descriptor)
    if new.st_uid != old.st_uid:
        with courtesy():
            os.fchown(descriptor, old.st_uid, old.st_gid)
            return
    if new.st_gid != old.st_gid:
        with courtesy():
            os.fchown(descriptor, -1, old.st_gid)


def _take_attributes(descriptor: int, destination: str) -> bool:
    """Copy ACL, label and `user.` attributes → False if there is an ACL and it could not be copied."""
    try:
        names = os.listxattr(destination)
    except OSError:
        names = []
    if _ACL not in names:
        with contextlib.suppress(OSError):
            os.removexattr(descriptor, _ACL)  # the folder's default ACL gave it one
    complete = True
    for name in names:
        if name in {_ACL, _LABEL} or name.startswith("user."):
            try:
                value = os.getxattr(destination, name)
                if name != _LABEL or os.getxattr(descriptor, name) != value:
                    os.setxattr(descriptor, name, value)
            except OSError:  # for any reason (no space, no permission, another file system): the content matters more
                complete = complete and name != _ACL
    return complete
