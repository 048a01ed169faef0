"""Searches folders for image files: in a fixed order, without recursion, in little memory even for a million names."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from batch_infer.decoding.read import describe_os_error, is_device_lost
from batch_infer.decoding.suffixes import PHOTOS, SUFFIXES, TIFF_SUFFIXES, is_readable, suffix_of
from batch_infer.errors import STAYS, InputLostError
from batch_infer.inputs.inventory import FileGroup, Inventory, Root
from batch_infer.inputs.pages import count_pages
from batch_infer.inputs.skipped import SYSTEM_FOLDERS
from batch_infer.paths import escape_path


@dataclass
class _Folder:
    """A folder being walked: the names still to come, and which of them are not plain files of one picture."""

    prefix: str
    names: Iterator[str]
    special: dict[str, os.DirEntry[str]]


@dataclass
class _Listing:
    """What a folder holds, sorted out by kind.

    Attributes:
        names: plain files with the suffix of a format that is always read.
        photos: those of photos that not every installation can read.
        others: files that are skipped for their suffix.
        special: folders, links, and files that may have pages.
        hidden: number of dot files and folders, and of the folders that macOS adds to archives.
        system: number of folders of NAS and systems.
    """

    names: list[str] = field(default_factory=list)
    photos: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    special: dict[str, os.DirEntry[str]] = field(default_factory=dict)
    hidden: int = 0
    system: int = 0

    def add(self, entry: os.DirEntry[str]) -> None:
        """Sort out one entry."""
        name = entry.name
        suffix = suffix_of(name)
        if name[0] == "." or name == "__MACOSX":
            self.hidden += 1
        elif entry.is_dir(follow_symlinks=False):
            if name.lower() in SYSTEM_FOLDERS:
                self.system += 1
            else:
                self.special[name] = entry
        elif entry.is_symlink() or suffix in TIFF_SUFFIXES:
            self.special[name] = entry
        elif suffix in SUFFIXES:
            self.names.append(name)
        elif suffix in PHOTOS:
            self.photos.append(name)
        else:
            self.others.append(name)

    def conclude(self, prefix: str, inventory: Inventory) -> list[str]:
        """Count what is skipped → the names of everything else, not sorted."""
        names = [*self.names, *self.special]
        if self.photos:
            wanted = _without_doubles(self.photos, names)
            self.others += set(self.photos).difference(wanted)
            names += wanted
        if self.others:
            inventory.skipped.add_folder(prefix, self.others)
        inventory.skipped.reasons += Counter(hidden=self.hidden, system_folder=self.system)  # zeros are left out
        return names


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
                found.skipped.reasons["linked_folder"] += 1
            elif suffix_of(name) not in SUFFIXES and suffix_of(name) not in PHOTOS:
                found.skipped.add_folder(folder.prefix, [name])
            elif group := _own_group(folder.prefix, entry, base):
                found.append_files(FileGroup(folder.prefix, files))
                found.append_files(group)
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
    found = _Listing()
    try:
        with os.scandir(path) as listing:
            for entry in listing:
                found.add(entry)
    except OSError as error:
        if not stack or is_device_lost(error):  # the INPUT itself, or the disk below it
            raise InputLostError(
                f"{escape_path(path)}: the folder cannot be listed: {error.strerror}; {STAYS}"
            ) from error
        code, detail = describe_os_error(error)
        inventory.append_files(FileGroup("", [path], error=(code, f"the folder cannot be listed: {detail}")))
        return
    prefix = os.path.join(path, "")
    names = found.conclude(prefix, inventory)
    # By the bytes of the names: the same as the order of their characters, unless some bytes are not valid characters.
    names.sort(key=None if "".join(names).isascii() else os.fsencode)
    stack.append(_Folder(prefix, iter(names), found.special))


def _without_doubles(photos: list[str], names: list[str]) -> list[str]:
    """Leave out photos that cannot be read and have a file beside them that can: `IMG_1.HEIC` beside `IMG_1.jpg`."""
    readable = {name for name in photos if is_readable(suffix_of(name))}
    stems = {os.path.splitext(name)[0] for name in (*names, *readable) if is_readable(suffix_of(name))}
    return [name for name in photos if name in readable or os.path.splitext(name)[0] not in stems]


def _own_group(prefix: str, entry: os.DirEntry[str], base: str) -> FileGroup | None:
    """Make the group of a link that is not followed, or of a file of several pages; None for one picture's file."""
    name = entry.name
    if entry.is_symlink() and (refusal := _link_error(entry, base)):
        return FileGroup(prefix, [name], error=refusal)
    pages = count_pages(prefix + name) if suffix_of(name) in TIFF_SUFFIXES else 1
    return FileGroup(prefix, [name] * pages, paged=True) if pages > 1 else None


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
