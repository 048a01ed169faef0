"""Searches folders for image files: in a fixed order, without recursion, in little memory even for a million names."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from batch_infer.decoding.read import SUFFIXES, describe_os_error, is_device_lost
from batch_infer.errors import STAYS, InputLostError
from batch_infer.inputs.inventory import FileGroup, Inventory, Root
from batch_infer.paths import escape_path


@dataclass
class _Folder:
    """A folder being walked: the names still to come, and which of them are not plain image files."""

    prefix: str
    names: Iterator[str]
    special: dict[str, os.DirEntry[str]]


def discover_folder(root: str, inventory: Inventory) -> None:
    """Add the image files below a folder: sorted by the bytes of their names, depth first.

    Raises:
        InputLostError: the folder cannot be listed, or its disk is gone.
    """
    found = Inventory(skipped=inventory.skipped)
    base = os.path.realpath(root)
    try:
        status = os.stat(root)
    except OSError as error:
        raise InputLostError(f"{escape_path(root)}: the folder cannot be listed: {error.strerror}; {STAYS}") from error
    stack: list[_Folder] = []
    _enter(root, found, stack)
    while stack:
        folder = stack[-1]
        files: list[str] = []  # consecutive ones
        below = None
        for name in folder.names:
            entry = folder.special.get(name)
            if entry is None:
                files.append(name)
            elif entry.is_dir(follow_symlinks=False):
                below = folder.prefix + name
                break
            elif _is_linked_folder(entry):
                found.skipped["linked_folder"] += 1
            elif not is_image_name(name):
                found.skipped["other_suffix"] += 1
            elif refusal := _link_error(entry, base):
                found.append_files(FileGroup(folder.prefix, files))
                found.append_files(FileGroup(folder.prefix, [name], error=refusal))
                files = []
            else:
                files.append(name)
        found.append_files(FileGroup(folder.prefix, files))
        if below is None:
            stack.pop()
        else:
            _enter(below, found, stack)
    inventory.roots.append(Root(root, (status.st_dev, status.st_ino), found.file_groups))
    inventory.entries += found.entries


def _enter(path: str, inventory: Inventory, stack: list[_Folder]) -> None:
    """List a folder; of plain files only the names are kept.

    Raises:
        InputLostError: the INPUT itself cannot be listed, or its disk is gone.
    """
    names: list[str] = []
    special: dict[str, os.DirEntry[str]] = {}
    skipped: Counter[str] = Counter()
    try:
        with os.scandir(path) as listing:
            for entry in listing:
                name = entry.name
                if name[0] == "." or name == "__MACOSX":
                    skipped["hidden"] += 1
                elif entry.is_dir(follow_symlinks=False) or entry.is_symlink():
                    special[name] = entry
                elif is_image_name(name):
                    names.append(name)
                else:
                    skipped["other_suffix"] += 1
    except OSError as error:
        if not stack or is_device_lost(error):  # the INPUT itself, or the disk below it
            raise InputLostError(
                f"{escape_path(path)}: the folder cannot be listed: {error.strerror}; {STAYS}"
            ) from error
        code, detail = describe_os_error(error)
        inventory.append_files(FileGroup("", [path], error=(code, f"the folder cannot be listed: {detail}")))
        return
    inventory.skipped += skipped
    names += special
    # By the bytes of the names: the same as the order of their characters, unless some bytes are not valid characters.
    names.sort(key=None if "".join(names).isascii() else os.fsencode)
    stack.append(_Folder(os.path.join(path, ""), iter(names), special))


def is_image_name(name: str) -> bool:
    """Whether a file counts as an image by its suffix."""
    return name[name.rfind(".") :].lower() in SUFFIXES


def _is_linked_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _link_error(entry: os.DirEntry[str], base: str) -> tuple[str, str] | None:
    """Say why a link is not followed; None for a link to a regular file inside the same input, which is followed."""
    target = os.path.realpath(entry.path)
    if os.path.isfile(target) and target.startswith(os.path.join(base, "")):
        return None
    return "not_regular", "a link to something that is no regular file inside the same INPUT"
