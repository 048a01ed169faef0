"""Finds the inputs that a labels table names, however it writes their paths, in little memory for a million of them."""

import bisect
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from batch_infer.errors import UsageError
from batch_infer.inputs.inventory import Inventory
from batch_infer.inputs.labels.rows import LabelRow
from batch_infer.paths import escape_path, unescape_path

NOT_FOUND: Final = -1


class InputPaths:
    """The paths of all inputs, by number: first the image files by page, then the inputs of many images, each in order.

    Only a hash of each path is kept; what is found by it is compared with the path itself.
    """

    def __init__(self, inventory: Inventory, source: str) -> None:
        """Index the paths.

        Args:
            inventory: the inputs.
            source: the labels table; paths may be relative to its folder.
        """
        self._groups = inventory.file_groups
        self._starts: list[int] = np.cumsum([0, *(len(group.names) for group in self._groups)]).tolist()
        self._others = [entry.path for entry in inventory.array_inputs]
        self._file_count = self._starts[-1]
        self._prefixes = [
            os.path.join(os.path.abspath(group.prefix), "") if group.prefix else "" for group in self._groups
        ]
        self._numbers = self._number_files()
        self._by_path = _HashIndex(map(_key, self._absolute_paths()), self._numbers)
        self._by_name: _HashIndex | None = None
        folders = os.path.abspath(""), os.path.dirname(os.path.abspath(source))
        self._folders = [folder.rstrip("/") for folder in folders]
        self._roots = [os.path.abspath(root.path).rstrip("/") for root in inventory.roots]

    @property
    def file_count(self) -> int:
        """Number of image files."""
        return self._file_count

    def find(self, rows: Sequence[LabelRow], where: str) -> list[int]:
        """Find the inputs that some rows name → their numbers, or NOT_FOUND.

        A cell is a path from the working folder, the table's folder or an INPUT folder, escaped as in our output or
        not; or the bare name of a file that only one input has.

        Args:
            rows: the rows.
            where: names the table in messages.

        Raises:
            UsageError: a row may mean several inputs.
        """
        numbers = [NOT_FOUND] * len(rows)
        for folder in self._folders:
            for spell in (unescape_path, str, _respell):
                self._find_below([folder], spell, rows, numbers, where)
        for spell in (unescape_path, str, _respell):
            self._find_below(self._roots, spell, rows, numbers, where)
        for spell in (unescape_path, str):
            self._find_names(spell, rows, numbers, where)
        return numbers

    def _find_below(
        self, folders: list[str], spell: Callable[[str], str], rows: Sequence[LabelRow], numbers: list[int], where: str
    ) -> None:
        """Look up the paths of the rows that are still to be found, relative to some folders."""
        todo = [place for place, number in enumerate(numbers) if number == NOT_FOUND and rows[place].path]
        if not todo:
            return
        hits: list[set[int]] = [set() for _ in todo]
        for folder in folders:
            paths = [_below(folder, spell(rows[place].path)) for place in todo]
            for hit, path, found in zip(hits, paths, self._by_path.find(map(_key, paths)), strict=True):
                if found:
                    there = [(number, self._absolute(number)) for number in found]
                    exact = [number for number, known in there if known == path]
                    hit.update(exact or (number for number, known in there if _key(known) == _key(path)))
        self._settle(todo, hits, rows, numbers, where)

    def _find_names(
        self, spell: Callable[[str], str], rows: Sequence[LabelRow], numbers: list[int], where: str
    ) -> None:
        """Look up the rows that are still to be found and have only a name."""
        names = [(place, spell(rows[place].path)) for place, number in enumerate(numbers) if number == NOT_FOUND]
        names = [(place, name) for place, name in names if name and "/" not in name]
        if not names:
            return
        if self._by_name is None:
            paths = map(self._path, self._numbers.tolist())
            self._by_name = _HashIndex((_key(os.path.basename(path)) for path in paths), self._numbers)
        hits = [
            {number for number in found if _key(os.path.basename(self._path(number))) == _key(name)}
            for (_, name), found in zip(names, self._by_name.find(_key(name) for _, name in names), strict=True)
        ]
        self._settle([place for place, _ in names], hits, rows, numbers, where)

    def _settle(
        self, places: list[int], hits: list[set[int]], rows: Sequence[LabelRow], numbers: list[int], where: str
    ) -> None:
        for place, hit in zip(places, hits, strict=True):
            if len(hit) > 1:
                first, second, *_ = (escape_path(self._path(number)) for number in sorted(hit))
                raise UsageError(
                    f"{where}, line {rows[place].line}: {escape_path(rows[place].path)} may be {first} or {second}; "
                    "write the path as in the output"
                )
            if hit:
                numbers[place] = self._page(hit.pop(), rows[place], where)

    def _page(self, number: int, row: LabelRow, where: str) -> int:
        """The number of the page that a row means, given that of the file's first."""
        group = None if number >= self._file_count else self._groups[self._group(number)]
        if group is None or not group.paged:
            return number
        if row.position is None:
            raise UsageError(
                f"{where}, line {row.line}: {escape_path(row.path)} has several pages; "
                "expected a column index that says which (from 0)"
            )
        return number + row.position if row.position < len(group.names) else NOT_FOUND

    def _path(self, number: int) -> str:
        if number >= self._file_count:
            return self._others[number - self._file_count]
        group = self._group(number)
        return self._groups[group].prefix + self._groups[group].names[number - self._starts[group]]

    def _group(self, number: int) -> int:
        return bisect.bisect_right(self._starts, number) - 1

    def _absolute(self, number: int) -> str:
        if number >= self._file_count:
            return os.path.abspath(self._others[number - self._file_count])
        group = self._group(number)
        name = self._groups[group].names[number - self._starts[group]]
        return self._prefixes[group] + name if self._prefixes[group] else os.path.abspath(name)

    def _number_files(self) -> npt.NDArray[np.int64]:
        """The numbers of all inputs but the further pages of a file."""
        further = [
            np.arange(start + 1, start + len(group.names))
            for group, start in zip(self._groups, self._starts, strict=False)
            if group.paged
        ]
        every = np.arange(self._file_count + len(self._others))
        return np.delete(every, np.concatenate(further)) if further else every

    def _absolute_paths(self) -> Iterator[str]:
        for group, prefix in zip(self._groups, self._prefixes, strict=True):
            names = group.names[:1] if group.paged else group.names
            yield from (prefix + name for name in names) if prefix else map(os.path.abspath, names)
        yield from map(os.path.abspath, self._others)


class _HashIndex:
    """The numbers of texts, found by their hashes: 16 bytes each."""

    def __init__(self, texts: Iterable[str], numbers: npt.NDArray[np.int64]) -> None:
        hashes = np.fromiter(map(hash, texts), np.int64, len(numbers))
        order = np.argsort(hashes, kind="stable")
        self._numbers = numbers[order]
        self._sorted = hashes[order]

    def find(self, texts: Iterable[str]) -> Iterator[list[int]]:
        """Find the numbers that each of some texts may have."""
        hashes: npt.NDArray[np.int64] = np.fromiter(map(hash, texts), np.int64)
        low = np.searchsorted(self._sorted, hashes, "left").tolist()
        high = np.searchsorted(self._sorted, hashes, "right").tolist()
        return (self._numbers[start:end].tolist() if start < end else [] for start, end in zip(low, high, strict=True))


def _below(folder: str, path: str) -> str:
    return os.path.normpath(path if path.startswith("/") else f"{folder}/{path}")


def _key(path: str) -> str:
    """The form in which paths are compared: macOS decomposes the letters of names, other programs compose them."""
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def _respell(cell: str) -> str:
    """A path as Windows writes it: backslashes, letters of its Western code page, blanks around."""
    text = cell.strip().replace("\\", "/")
    if not text.isascii():
        try:
            text = text.encode("utf-8", "surrogateescape").decode("utf-8")
        except UnicodeDecodeError:
            text = text.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
    return text
