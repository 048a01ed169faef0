"""Labels from the names of folders: `7/a.png` shows a 7, unless the folders are those of dates, batches or fields."""

import os
import re
from collections.abc import Callable
from typing import Final

import numpy as np

from batch_infer.inputs.inventory import FileGroup, Root
from batch_infer.paths import escape_path

DIGITS: Final = frozenset("0123456789")
_MIN_SHARE: Final = 0.9  # of an INPUT's pictures: so many must lie in such folders, where not all do
_MIN_CLASSES: Final = 2  # a single folder 7 among others may be anything
_YEAR: Final = re.compile(r"(19|20)[0-9]{2}\Z")
_NUMBER: Final = re.compile(r"[0-9]{1,2}\Z")


def label_by_folders(root: Root, notify: Callable[[str], None]) -> None:
    """Label the pictures of an INPUT by the folders `0` … `9` that they lie in, if these can be trusted.

    If every parent folder is named so, these are the labels. Otherwise the folders must stand at exactly one depth
    below the INPUT, hold nine tenths of its pictures, and be at least two different digits; a path with two of them, or
    with a date, has none.

    Args:
        root: the INPUT; its groups are changed in place.
        notify: called with one line if only some of the pictures are in such folders.
    """
    groups = [group for group in root.groups if group.prefix]  # not the folders that could not be listed
    parents = [os.path.basename(group.prefix.rstrip("/")) for group in groups]
    if all(parent in DIGITS for parent in parents):
        for group, parent in zip(groups, parents, strict=True):
            _label(group, int(parent))
        _sign(root)
        return
    start = len(os.path.join(root.path, ""))
    places = [_place(group.prefix[start:]) for group in groups]
    shown, pictures = escape_path(root.path), sum(len(group.names) for group in groups)
    found = {place for place in places if place is not None}
    held = sum(len(group.names) for group, place in zip(groups, places, strict=True) if place is not None)
    if (
        len({depth for depth, _ in found}) == 1
        and len({digit for _, digit in found}) >= _MIN_CLASSES
        and held >= _MIN_SHARE * pictures
    ):
        for group, place in zip(groups, places, strict=True):
            if place is not None:
                _label(group, place[1])
        _sign(root)
        others = [group.prefix for group, place in zip(groups, places, strict=True) if place is None]
        if others:
            notify(
                f"{shown}: its folders named 0 to 9 give the labels; pictures in other folders have none, "
                f"such as those in {escape_path(others[0])}"
            )
    elif any(not DIGITS.isdisjoint(group.prefix[start:].split("/")) for group in groups) or DIGITS & set(parents):
        notify(
            f"{shown}: its folders named 0 to 9 give no labels: at least two of them must hold nine tenths of the "
            "pictures, all at one depth, and not be dates; to name labels: --labels FILE, to go without: --labels none"
        )


def _label(group: FileGroup, digit: int) -> None:
    group.labels = np.full(len(group.names), digit, np.int8)


def _sign(root: Root) -> None:
    for group in root.groups:
        group.labelled_by = root.path


def _place(folder: str) -> tuple[int, int] | None:
    """Find the one folder `0` … `9` in a path below an INPUT → its depth and digit; None for none, two, or a date."""
    parts = folder.rstrip("/").split("/")
    depths = [depth for depth, part in enumerate(parts) if part in DIGITS]
    if len(depths) != 1:
        return None
    (depth,) = depths
    above, below = parts[:depth][-1:], parts[depth + 1 :][:1]
    if any(map(_YEAR.match, above)) or any(map(_NUMBER.match, below)):  # 2026/5, 5/17
        return None
    return depth, int(parts[depth])
