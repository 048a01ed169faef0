"""The labels of the inputs: from an IDX file's sibling, from folder names, or from a file that the user names."""

import contextlib
import os
import re
import stat
from collections.abc import Callable
from typing import Final

from batch_infer.errors import DamagedArrayError, UsageError
from batch_infer.inputs.arrays.idx_format import sniff
from batch_infer.inputs.arrays.inflate import open_inflated, read_checked
from batch_infer.inputs.inventory import ArrayInput, Inventory
from batch_infer.inputs.labels.folders import label_by_folders
from batch_infer.inputs.labels.idx_files import read_labels
from batch_infer.inputs.labels.sorted_folder import refuse_predictions
from batch_infer.inputs.labels.table import label_by_table
from batch_infer.paths import explain_missing, show_path

_SIBLINGS: Final = ("labels-idx1-ubyte", "labels.idx1-ubyte", "labels-idx2-int", "labels.idx2-int")
_IMAGES_NAME: Final = re.compile(r"images[-.]idx3-ubyte(\.gz)?\Z")


def attach_labels(inventory: Inventory, source: str, notify: Callable[[str], None]) -> None:
    """Attach labels to the inputs.

    Args:
        inventory: changed in place.
        source: `auto`, `none` or a file: CSV `path,label`, or an IDX label file.
        notify: called with one line about labels that not all pictures have, or that no picture has.

    Raises:
        UsageError: the labels do not match the inputs.
    """
    if source == "auto":
        for root in inventory.roots:
            said: list[str] = []
            label_by_folders(root, said.append)
            refuse_predictions(root)
            for line in said:
                notify(line)
        for entry in inventory.array_inputs:
            labels = sibling(entry.path)
            if labels is not None:
                _read_idx_labels(entry, labels)
            else:
                _use_own_labels(entry)
    elif source != "none":
        _attach_file(inventory, source, notify)


def _attach_file(inventory: Inventory, source: str, notify: Callable[[str], None]) -> None:
    where = f"--labels {show_path(source)}"
    try:
        # The file is read twice; a FIFO would hang. A folder gets the system's own message.
        if not stat.S_ISREG(os.stat(source).st_mode) and not os.path.isdir(source):
            raise UsageError(f"{where}: not a regular file; write the labels into one")
        if not _is_idx(source):
            label_by_table(source, inventory, where, notify)
            return
    except OSError as error:
        hint = explain_missing(source) if isinstance(error, FileNotFoundError) else ""
        raise UsageError(f"{where}: cannot be read: {error.strerror}{'; ' * bool(hint)}{hint}") from error
    if len(inventory.array_inputs) != 1:
        raise UsageError(
            f"{where}: an IDX label file needs exactly one IDX INPUT; there are {len(inventory.array_inputs)}"
        )
    _read_idx_labels(inventory.array_inputs[0], source)


def _is_idx(path: str) -> bool:
    """Whether a file is IDX, plain or gzip; a table may be compressed, too."""
    kind = sniff(path)
    if kind != "gzip":
        return kind == "idx"
    with open_inflated(path) as file, contextlib.suppress(DamagedArrayError):
        return read_checked(lambda: file.read(2)) == b"\0\0"
    return False


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


def _read_idx_labels(entry: ArrayInput, path: str) -> None:
    entry.has_labels = True
    if entry.images is None:
        return
    try:
        entry.labels = read_labels(path, entry.images.shape[0])
    except DamagedArrayError as error:
        raise UsageError(
            f"labels {show_path(path)} do not fit {show_path(entry.path)}: {error}; "
            "name another file with --labels FILE, or go without: --labels none"
        ) from error
    except OSError as error:
        raise UsageError(f"labels {show_path(path)}: cannot be read: {error.strerror}") from error


def _use_own_labels(entry: ArrayInput) -> None:
    """Take the labels that an array file or a table itself holds."""
    if entry.images is None:
        return
    try:
        entry.labels = entry.images.labels()
    except DamagedArrayError as error:
        raise UsageError(
            f"{show_path(entry.path)}: {error}; name other labels with --labels FILE, or go without: --labels none"
        ) from error
