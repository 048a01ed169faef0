"""Labels from a table that the user names: each row is brought together with the input that it means."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import UNKNOWN
from batch_infer.errors import UsageError
from batch_infer.inputs.inventory import ArrayInput, Inventory
from batch_infer.inputs.labels.paths import NOT_FOUND, InputPaths
from batch_infer.inputs.labels.rows import LabelRow, read_label_rows
from batch_infer.paths import escape_path

_BATCH: Final = 4096  # rows that are looked up at a time


def label_by_table(source: str, inventory: Inventory, where: str, notify: Callable[[str], None]) -> None:
    """Attach the labels of a table.

    Raises:
        UsageError: it cannot be read, two rows contradict each other, or none of its labels is an input's.
    """
    paths = InputPaths(inventory, source)
    labels = np.full(paths.file_count, UNKNOWN, np.int8)
    entries = inventory.array_inputs
    count = _Count()
    for rows in _batches(read_label_rows(source, where)):
        known = [row for row in rows if row.label != UNKNOWN]
        count.unlabelled += len(rows) - len(known)
        for row, number in zip(known, paths.find(known, where), strict=True):
            fits = number != NOT_FOUND
            if 0 <= number < paths.file_count:
                _set(labels, number, row, where)
            elif fits:
                fits = _set_indexed(entries[number - paths.file_count], row, where)
            count.add(row, fits=fits)
    count.check(where, notify)
    start = 0
    for group in inventory.file_groups if (labels != UNKNOWN).any() else ():
        group.labels = labels[start : start + len(group.names)]
        start += len(group.names)


@dataclass
class _Count:
    """How many rows have a label that is an input's, one that is not, or none; and which is the first that is not."""

    fitting: int = 0
    others: int = 0
    unlabelled: int = 0
    first: str = ""

    def add(self, row: LabelRow, *, fits: bool) -> None:
        self.fitting += fits
        self.others += not fits
        if not fits and not self.first:
            self.first = f"{_name(row)} in line {row.line}"

    def check(self, where: str, notify: Callable[[str], None]) -> None:
        if self.others and not self.fitting:
            raise UsageError(
                f"{where}: none of its {self.others:,} labels is that of an input, such as {self.first}; "
                "write paths as in the output, or relative to the file"
            )
        if self.others:
            notify(f"{where}: {self.others:,} of its labels are for no input, such as {self.first}")
        elif self.unlabelled and not self.fitting:
            raise UsageError(
                f"{where}: the column label is empty in all {self.unlabelled:,} rows; write the true digits there, "
                "and leave it empty only where they are unknown"
            )
        elif not self.fitting:
            notify(f"{where}: it has no rows, so there are no labels")


def _batches(rows: Iterator[LabelRow]) -> Iterator[list[LabelRow]]:
    while batch := list(itertools.islice(rows, _BATCH)):
        yield batch


def _name(row: LabelRow) -> str:
    """Name the image of a row for messages, as others do: `path[index]`."""
    return escape_path(row.path[:200]) + ("" if row.position is None else f"[{row.position}]")


def _set(labels: npt.NDArray[np.int8], position: int, row: LabelRow, where: str) -> None:
    if labels[position] not in {UNKNOWN, row.label}:
        raise UsageError(
            f"{where}, line {row.line}: {_name(row)} has the label {labels[position]} already; found {row.label}"
        )
    labels[position] = row.label


def _set_indexed(entry: ArrayInput, row: LabelRow, where: str) -> bool:
    """Label one image of an input that holds many → whether it has such an image."""
    if row.position is None:
        raise UsageError(
            f"{where}, line {row.line}: {escape_path(row.path)} holds many images; "
            "expected a column index that says which (from 0)"
        )
    entry.has_labels = True
    if entry.images is None:
        return True  # it is damaged: one row without a label
    count = entry.images.shape[0]
    if row.position >= count:
        return False
    if entry.labels is None:
        entry.labels = np.full(count, UNKNOWN, np.int8)
    _set(entry.labels, row.position, row, where)
    return True
