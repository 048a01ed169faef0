"""The labels of the inputs: from an IDX file's sibling, from folder names, or from a file that the user names."""

import csv
import os
import re
import stat
from typing import Final

import numpy as np

from batch_infer.contract import UNKNOWN
from batch_infer.errors import DamagedIdxError, UsageError
from batch_infer.inputs.idx_format import sniff
from batch_infer.inputs.idx_labels import read_labels
from batch_infer.inputs.inventory import FileGroup, IdxInput, Inventory
from batch_infer.paths import escape_path

_DIGITS: Final = frozenset("0123456789")
_SIBLINGS: Final = ("labels-idx1-ubyte", "labels.idx1-ubyte", "labels-idx2-int", "labels.idx2-int")
_MAX_LINE: Final = 1 << 20  # characters; a longer line is cut there, and then refused, as csv allows 131,072 per cell
_IMAGES_NAME: Final = re.compile(r"images[-.]idx3-ubyte(\.gz)?\Z")


def attach_labels(inventory: Inventory, source: str) -> None:
    """Attach labels to the inputs.

    Args:
        inventory: changed in place.
        source: `auto`, `none` or a file: CSV `path,label`, or an IDX label file.

    Raises:
        UsageError: the labels do not match the inputs.
    """
    if source == "auto":
        for root in inventory.roots:
            _label_by_folders(root.groups)
        for entry in inventory.idx_inputs:
            labels = sibling(entry.path)
            if labels is not None:
                _read_idx_labels(entry, labels)
            else:
                _use_own_labels(entry)
    elif source != "none":
        _attach_file(inventory, source)


def _label_by_folders(groups: list[FileGroup]) -> None:
    """Label the files of an INPUT by their parent folders, if each of these is named after a digit."""
    files = [group for group in groups if group.prefix]  # not the folders that could not be listed
    parents = [os.path.basename(group.prefix.rstrip("/")) for group in files]
    if all(parent in _DIGITS for parent in parents):
        for group, parent in zip(files, parents, strict=True):
            group.labels = np.full(len(group.names), int(parent), np.int8)


def _attach_file(inventory: Inventory, source: str) -> None:
    try:
        # The file is read twice; a FIFO would hang. A folder gets the system's own message.
        if not stat.S_ISREG(os.stat(source).st_mode) and not os.path.isdir(source):
            raise UsageError(f"--labels {escape_path(source)}: not a regular file; write the labels into one")
        kind = sniff(source)
    except OSError as error:
        raise UsageError(f"--labels {escape_path(source)}: cannot be read: {error.strerror}") from error
    if kind is None:
        _read_csv(source, inventory)
        return
    if len(inventory.idx_inputs) != 1:
        raise UsageError(
            f"--labels {escape_path(source)}: an IDX label file needs exactly one IDX INPUT; "
            f"there are {len(inventory.idx_inputs)}"
        )
    _read_idx_labels(inventory.idx_inputs[0], source)


def sibling(path: str) -> str | None:
    """Find `train-labels-idx1-ubyte` beside `train-images-idx3-ubyte`, plain or gzip, dash or dot."""
    folder, name = os.path.split(path)
    match = _IMAGES_NAME.search(name)
    if match is None:
        return None
    for ending in _SIBLINGS:
        for suffix in ("", ".gz"):
            candidate = os.path.join(folder, name[: match.start()] + ending + suffix)
            if os.path.isfile(candidate):
                return candidate
    return None


def _read_idx_labels(entry: IdxInput, path: str) -> None:
    entry.has_labels = True
    if entry.images is None:
        return
    try:
        entry.labels = read_labels(path, entry.images.shape[0])
    except DamagedIdxError as error:
        raise UsageError(
            f"labels {escape_path(path)} do not fit {escape_path(entry.path)}: {error}; "
            "name another file with --labels FILE, or go without: --labels none"
        ) from error
    except OSError as error:
        raise UsageError(f"labels {escape_path(path)}: cannot be read: {error.strerror}") from error


def _use_own_labels(entry: IdxInput) -> None:
    """Take the labels that an array file or a table itself holds."""
    if entry.images is None:
        return
    try:
        entry.labels = entry.images.labels()
    except DamagedIdxError as error:
        raise UsageError(
            f"{escape_path(entry.path)}: {error}; name other labels with --labels FILE, or go without: --labels none"
        ) from error


def _read_csv(source: str, inventory: Inventory) -> None:
    where = f"--labels {escape_path(source)}"
    paths = list(inventory.file_paths())
    known = {escape_path(path): number for number, path in enumerate(paths)}
    absolute = {os.path.abspath(path): number for number, path in enumerate(paths)}
    labels = np.full(len(paths), UNKNOWN, np.int8)
    try:
        with open(source, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            # Not line by line: a sparse file may be a "line" of gigabytes.
            rows = csv.DictReader(iter(lambda: file.readline(_MAX_LINE), ""), strict=True)
            if not {"path", "label"} <= set(rows.fieldnames or ()):
                raise UsageError(f"{where}: expected a header with the columns path,label")
            for row in rows:
                cell, label = row["path"] or "", row["label"]
                line = f"{where}, line {rows.line_num}"
                number = known.get(cell)
                if number is None:
                    number = known.get(escape_path(cell))
                if number is None:
                    number = absolute.get(os.path.abspath(os.path.join(os.path.dirname(source), cell)))
                if number is None:
                    raise UsageError(f"{line}: {escape_path(cell)} is not among the inputs (paths as in the output)")
                if labels[number] != UNKNOWN:
                    raise UsageError(f"{line}: {escape_path(cell)} has a label already")
                if label not in _DIGITS:
                    raise UsageError(f"{line}: label {label!r}; expected 0 to 9")
                labels[number] = int(label)
    except (OSError, csv.Error, ValueError) as error:
        raise UsageError(f"{where}: not a readable CSV file: {error}") from error
    start = 0
    for group in inventory.file_groups if (labels != UNKNOWN).any() else ():
        group.labels = labels[start : start + len(group.names)]
        start += len(group.names)
