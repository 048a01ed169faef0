"""Folders searched for image files: in a fixed order, without recursion, with little memory for a million names."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from batch_infer.decoding.read import SUFFIXES, describe_os_error
from batch_infer.inputs.inventory import FileGroup, Inventory

_DIGITS: Final = frozenset("0123456789")


@dataclass
class _Folder:
    """A folder being gone through: the names still to come, and those of them that are not plain image files."""

    prefix: str
    names: Iterator[str]
    special: dict[str, os.DirEntry[str]]


def discover_folder(root: str, inventory: Inventory) -> None:
    """Add the image files below a folder: by the bytes of their names, depth first."""
    found = Inventory(skipped=inventory.skipped)
    base = os.path.realpath(root)
    stack: list[_Folder] = []
    _enter(root, found, stack)
    while stack:
        folder = stack[-1]
        files: list[str] = []  # that follow each other
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
            elif not _is_image_name(name):
                found.skipped["other_suffix"] += 1
            elif error := _link_error(entry, base):
                found.append_files(FileGroup(folder.prefix, files))
                found.append_files(FileGroup(folder.prefix, [name], error=error))
                files = []
            else:
                files.append(name)
        found.append_files(FileGroup(folder.prefix, files))
        if below is None:
            stack.pop()
        else:
            _enter(below, found, stack)
    _label_by_folders(found)
    inventory.entries += found.entries


def _enter(path: str, inventory: Inventory, stack: list[_Folder]) -> None:
    """List a folder; of a million plain files no more is kept than their names."""
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
                elif _is_image_name(name):
                    names.append(name)
                else:
                    skipped["other_suffix"] += 1
    except OSError as error:
        code, detail = describe_os_error(error)
        inventory.append_files(FileGroup("", [path], error=(code, f"the folder cannot be listed: {detail}")))
        return
    inventory.skipped += skipped
    names += special
    # By the bytes of the names, which is the order of their characters, unless some bytes are no characters.
    names.sort(key=None if "".join(names).isascii() else os.fsencode)
    stack.append(_Folder(os.path.join(path, ""), iter(names), special))


def _is_image_name(name: str) -> bool:
    return name[name.rfind(".") :].lower() in SUFFIXES


def _is_linked_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _link_error(entry: os.DirEntry[str], base: str) -> tuple[str, str] | None:
    """Say why a link is not followed; None for one to a regular file inside the same input, which is."""
    target = os.path.realpath(entry.path)
    if os.path.isfile(target) and target.startswith(os.path.join(base, "")):
        return None
    return "not_regular", "a link to something that is no regular file inside the same INPUT"


def _label_by_folders(inventory: Inventory) -> None:
    """Label files by their parent folders, if every one of them is named by a digit."""
    groups = [entry for entry in inventory.entries if isinstance(entry, FileGroup) and entry.prefix]
    parents = [os.path.basename(group.prefix.rstrip("/")) for group in groups]
    if all(parent in _DIGITS for parent in parents):
        for group, parent in zip(groups, parents, strict=True):
            group.label = int(parent)
