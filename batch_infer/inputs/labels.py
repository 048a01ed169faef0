"""Where labels come from: an IDX file's sibling, folder names (folders.py), or a file that the user names."""

import csv
import os
import re
import stat
from typing import Final

from batch_infer.contract import UNKNOWN
from batch_infer.errors import DamagedIdxError, UsageError
from batch_infer.inputs.idx import read_labels, sniff
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
        for entry in inventory.idx_inputs:
            labels = sibling(entry.path)
            if labels is not None and entry.images is not None:
                _read_idx_labels(entry, labels)
        return
    for group in inventory.entries:
        if isinstance(group, FileGroup):
            group.label = UNKNOWN
    if source != "none":
        _attach_file(inventory, source)


def _attach_file(inventory: Inventory, source: str) -> None:
    try:
        if not stat.S_ISREG(os.stat(source).st_mode) and not os.path.isdir(
            source
        ):  # the file is read twice; a FIFO would hang
            raise UsageError(f"--labels {escape_path(source)}: not a regular file; write the labels into one")
        kind = sniff(source)
    except OSError as error:
        raise UsageError(f"--labels {escape_path(source)}: cannot be read: {error.strerror}") from error
    if kind is None:
        inventory.labels = _read_csv(source, inventory)
        return
    if len(inventory.idx_inputs) != 1:
        raise UsageError(
            f"--labels {escape_path(source)}: an IDX label file needs exactly one IDX INPUT; "
            f"there are {len(inventory.idx_inputs)}"
        )
    inventory.labels = {}
    if inventory.idx_inputs[0].images is not None:
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
    assert entry.images is not None
    try:
        entry.labels = read_labels(path, entry.images.shape[0])
    except DamagedIdxError as error:
        raise UsageError(
            f"labels {escape_path(path)} do not fit {escape_path(entry.path)}: {error}; "
            "name another file with --labels FILE, or go without: --labels none"
        ) from error
    except OSError as error:
        raise UsageError(f"labels {escape_path(path)}: cannot be read: {error.strerror}") from error


def _read_csv(source: str, inventory: Inventory) -> dict[str, int]:
    where = f"--labels {escape_path(source)}"
    known = {escape_path(path): path for path in inventory.file_paths()}
    absolute = {os.path.abspath(path): path for path in known.values()}
    labels: dict[str, int] = {}
    try:
        with open(source, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            # Not line by line: a sparse file may be a "line" of gigabytes.
            rows = csv.DictReader(iter(lambda: file.readline(_MAX_LINE), ""), strict=True)
            if not {"path", "label"} <= set(rows.fieldnames or ()):
                raise UsageError(f"{where}: expected a header with the columns path,label")
            for row in rows:
                cell, label = row["path"] or "", row["label"]
                line = f"{where}, line {rows.line_num}"
                path = known.get(cell) or known.get(escape_path(cell))
                if path is None:
                    path = absolute.get(os.path.abspath(os.path.join(os.path.dirname(source), cell)))
                if path is None:
                    raise UsageError(f"{line}: {escape_path(cell)} is not among the inputs (paths as in the output)")
                if path in labels:
                    raise UsageError(f"{line}: {escape_path(cell)} has a label already")
                if label not in _DIGITS:
                    raise UsageError(f"{line}: label {label!r}; expected 0 to 9")
                labels[path] = int(label)
    except (OSError, csv.Error, ValueError) as error:
        raise UsageError(f"{where}: not a readable CSV file: {error}") from error
    return labels
