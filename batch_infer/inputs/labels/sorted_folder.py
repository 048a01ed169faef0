"""Folders that --sort-into made: they hold predictions, which must not become labels."""

import functools
import os
from collections.abc import Callable
from typing import Final

from batch_infer.errors import UsageError
from batch_infer.inputs.inventory import Root
from batch_infer.paths import escape_path

MARKER: Final = ".batch-infer-sorted"  # a folder in each of them


def is_sorted_folder(path: str | os.PathLike[str]) -> bool:
    """Whether a file or folder is, or lies in, a folder that `batch-infer --sort-into` made; links are resolved."""
    return sorted_folder_of(path) is not None


def sorted_folder_of(path: str | os.PathLike[str]) -> str | None:
    """The folder made by `batch-infer --sort-into` that a path is or lies in, with links resolved; None if none."""
    return _find(os.path.realpath(os.fspath(path)), _has_marker)


def refuse_predictions(root: Root) -> None:
    """Check that none of the labels that the folders of an INPUT gave are predictions.

    Raises:
        UsageError: some are.
    """
    has_marker = functools.cache(_has_marker)  # the folders of an INPUT have most of what is above them in common
    real, start = os.path.realpath(root.path), len(os.path.join(root.path, ""))  # below it, no links were followed
    for group in root.groups:
        below = group.prefix[start:].rstrip("/")
        if group.labels is not None and (folder := _find(os.path.join(real, below).rstrip("/") or "/", has_marker)):
            raise UsageError(
                f"{escape_path(root.path)}: the folders 0 to 9 of {escape_path(folder)} were made by --sort-into; they "
                "hold predictions, no labels; give the true ones in a file (columns path,index,label), or go without: "
                "--labels none"
            )


def _find(path: str, has_marker: Callable[[str], bool]) -> str | None:
    while not has_marker(path):
        above = os.path.dirname(path)
        if above == path:
            return None
        path = above
    return path


def _has_marker(folder: str) -> bool:
    return os.path.lexists(os.path.join(folder, MARKER))
