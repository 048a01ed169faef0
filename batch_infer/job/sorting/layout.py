"""Lays the pictures of a run into the folders: what is there already stays, what changed its folder moves.

A file is entered in the list before it is made, and removed before it is struck out. So whenever the process is killed,
the list names all files of ours, and perhaps some that are not there; the next run goes on from that.
"""

import contextlib
import itertools
import os
import stat
from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from batch_infer.errors import ImageError, InputLostError
from batch_infer.job.sorting import files
from batch_infer.job.sorting.items import Item
from batch_infer.job.sorting.ledger import Entry, Ledger
from batch_infer.job.sorting.names import candidates
from batch_infer.job.sorting.ownership import is_copy_of, is_link_to, is_ours, is_picture_of
from batch_infer.outputs.atomic import output_errors

_BATCH: Final = 1000  # files between two commits of the list
_PLAINER: Final = 3  # names that are tried where the file system cannot have one
_BATCH_BYTES: Final = 16 << 20  # or fewer, once their contents take so much


class _Pending(NamedTuple):
    """A file that is in the list and is to be made."""

    number: int
    name: str
    item: Item
    stamp: tuple[int, int]
    mode: int
    content: bytes | None


class Layout:
    """Lays items into a folder.

    Attributes:
        counts: number of files by folder; those that could not be laid anywhere have the folder "".
        first_left_out: path of the first of these.
        refusal: why a file was copied that was to be linked; empty if none was.
    """

    def __init__(self, root: str, ledger: Ledger, way: str, part: str) -> None:
        """Begin.

        Args:
            root: the folder, with its sub-folders.
            ledger: the list of what is ours in it.
            way: one of WAYS.
            part: a name for files that are being written.
        """
        self.counts: Counter[str] = Counter()
        self.first_left_out = self.refusal = ""
        self._root = root.rstrip("/")
        self._ledger = ledger
        self._way = way
        self._part = part
        self._pending: list[_Pending] = []
        self._bytes = 0

    def lay(self, items: Iterable[Item]) -> None:
        """Lay the items, then remove the files of ours that belong to none of them.

        Raises:
            OutputError: a file cannot be made or removed.
        """
        with output_errors(self._part):
            files.remove(self._part)  # which a killed run left
        for item in items:
            if not item.folder:
                self._leave_out(item)
                continue
            try:
                self._plan(item)
            except (ImageError, InputLostError, MemoryError):
                self._leave_out(item)
            if len(self._pending) >= _BATCH or self._bytes >= _BATCH_BYTES:
                self._make()
        self._make()
        self._sweep()

    def _plan(self, item: Item) -> None:
        """Find out what is to be done for an item, and enter it in the list."""
        try:
            source = os.stat(item.file)
        except OSError as error:
            raise ImageError("vanished", "") from error
        if not stat.S_ISREG(source.st_mode):
            raise ImageError("not_regular", "")
        stamp = source.st_size, source.st_mtime_ns
        reused, outdated = None, False
        for entry in self._ledger.find(item.path, item.position):
            if reused is not None or os.path.dirname(entry.name) != item.folder:
                continue  # of another folder: removed at the end
            found = self._find(entry)
            if found is not None and not is_ours(self._at(entry.name), found, entry, item.file):
                self._ledger.forget(entry.number)
            elif found is not None and self._is_current(found, entry, item, source):
                self._ledger.see(entry.number)
                self.counts[item.folder] += 1
                return
            else:
                reused, outdated = entry, found is not None
        content = None if item.content is None else item.content()
        stamp = stamp if content is None else (len(content), source.st_mtime_ns)
        if reused is None:
            if self._ledger.lost and self._adopt(item):
                return
            name = self._free_name(item)
            number = self._ledger.add(name, item.path, item.position, stamp)
        else:
            name, number = reused.name, reused.number
            if outdated:  # removed before its stamp is gone from the list
                with output_errors(self._at(name)):
                    files.remove(self._at(name))
            self._ledger.restamp(number, stamp)
            self._ledger.see(number)
        self._pending.append(_Pending(number, name, item, stamp, source.st_mode, content))
        self._bytes += 0 if content is None else len(content)

    def _free_name(self, item: Item, *, after: int = 0) -> str:
        """Choose a name that nothing has, leaving out the first ones."""
        for candidate in itertools.islice(candidates(item.name, item.path, item.position), after, None):
            name = f"{item.folder}/{candidate}"
            if not os.path.lexists(self._at(name)) and not self._ledger.has(name):
                return name
        raise AssertionError

    def _adopt(self, item: Item) -> bool:
        """Where the list was lost, take a link to the item for ours, or there would be two → whether there is one."""
        name = f"{item.folder}/{item.name}"
        if item.content is not None or not is_link_to(self._at(name), item.file) or self._ledger.has(name):
            return False
        self._ledger.add(name, item.path, item.position, (-1, -1))
        self.counts[item.folder] += 1
        return True

    def _make(self) -> None:
        """Make the files that are in the list."""
        self._ledger.commit()
        for pending in self._pending:
            try:
                self._make_one(pending)
                self.counts[pending.item.folder] += 1
            except (ImageError, MemoryError):
                self._ledger.forget(pending.number)
                self._leave_out(pending.item)
        self._pending, self._bytes = [], 0

    def _make_one(self, pending: _Pending) -> None:
        name = pending.name
        for tried in itertools.count(1):
            if self._create(name, pending, give_up=tried > _PLAINER):
                return
            name = self._free_name(pending.item, after=tried)
            self._ledger.rename(pending.number, name)
            self._ledger.commit()

    def _create(self, name: str, pending: _Pending, *, give_up: bool) -> bool:
        """Make a file → whether it got that name; not if that is taken, or none that the file system can have."""
        path, item, content = self._at(name), pending.item, pending.content
        with output_errors(path):
            try:
                if content is None and self._way == files.SYMLINK:
                    os.symlink(item.file, path)
                elif content is not None or self._way == files.COPY or not self._hard_link(item.file, path):
                    data = files.copy_of(item.file, pending.stamp[0]) if content is None else content
                    mtime = files.write_new(path, data, pending.stamp[1], pending.mode, self._part)
                    if mtime != pending.stamp[1]:
                        self._ledger.restamp(pending.number, (pending.stamp[0], mtime))
            except FileExistsError:
                return False
            except OSError as error:
                if give_up or error.errno not in files.BAD_NAME:
                    raise
                return False
        return True

    def _hard_link(self, source: str, path: str) -> bool:
        """Make a hard link → whether that is possible."""
        try:
            os.link(os.path.realpath(source), path)
        except FileNotFoundError as error:
            raise ImageError("vanished", "") from error
        except OSError as error:
            if error.errno not in files.NO_LINK:
                raise
            self.refusal = self.refusal or error.strerror or str(error)
            return False
        return True

    def _sweep(self) -> None:
        """Remove the files of ours that do not belong to this run."""
        removed: list[int] = []
        for entry in self._ledger.unseen():
            found = self._find(entry)
            if found is not None and is_ours(self._at(entry.name), found, entry, entry.path):
                with output_errors(self._at(entry.name)):
                    files.remove(self._at(entry.name))
            removed.append(entry.number)
            if len(removed) >= _BATCH:
                self._strike(removed)
        self._strike(removed)

    def _strike(self, numbers: list[int]) -> None:
        for number in numbers:
            self._ledger.forget(number)
        self._ledger.commit()
        numbers.clear()

    def _leave_out(self, item: Item) -> None:
        self.counts[""] += 1
        self.first_left_out = self.first_left_out or item.file

    def _is_current(self, found: os.stat_result, entry: Entry, item: Item, source: os.stat_result) -> bool:
        """Whether what is there, and ours, is what would be made now."""
        if item.content is not None:
            return is_picture_of(found, entry, source)
        if self._way == files.SYMLINK:
            return stat.S_ISLNK(found.st_mode)
        copied = is_copy_of(found, entry, source)
        if self._way == files.COPY:
            return copied
        if copied and (refusal := files.hard_link_refusal(item.file, self._part)):
            self.refusal = self.refusal or refusal
            return True
        return os.path.samestat(found, source)

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _find(self, entry: Entry) -> os.stat_result | None:
        with output_errors(self._at(entry.name)), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return os.lstat(self._at(entry.name))
        return None
