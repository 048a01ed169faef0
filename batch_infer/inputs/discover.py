"""Finds what the INPUT arguments contain: image files, folders of them, IDX files, arrays and tables."""

import errno
import os
import stat
from collections.abc import Iterable

from batch_infer.decoding.read import describe_os_error, is_device_lost
from batch_infer.decoding.suffixes import is_picture_name
from batch_infer.errors import STAYS, DamagedArrayError, ImageError, InputLostError, UsageError
from batch_infer.inputs.arrays.open_array import file_of, open_array
from batch_infer.inputs.folders import discover_folder
from batch_infer.inputs.inventory import ArrayInput, FileGroup, Inventory
from batch_infer.inputs.pages import count_pages
from batch_infer.paths import explain_missing, show_path


def discover(inputs: Iterable[str]) -> Inventory:
    """List what the inputs contain.

    Within a folder, files and sub-folders are sorted together by the bytes of their names, depth first.

    Raises:
        UsageError: an input is missing, or lies inside another.
        InputLostError: a folder cannot be listed, or a disk is gone.
    """
    inventory = Inventory()
    paths = list(inputs)
    _refuse_overlap(paths)
    for path in paths:
        try:
            mode = os.stat(file_of(path)).st_mode
        except (FileNotFoundError, NotADirectoryError) as error:
            shown = show_path(path) or "''"
            hint = explain_missing(path) or "check the INPUT"
            raise UsageError(f"{shown}: no such file or folder; {hint}") from error
        except OSError as error:
            _append_unreachable(path, error, inventory)
            continue
        if stat.S_ISDIR(mode):
            discover_folder(path, inventory)
        elif stat.S_ISREG(mode):
            _discover_file(path, inventory)
        else:
            inventory.append_files(FileGroup("", [path], error=("not_regular", "not a regular file")))
    return inventory


def _append_unreachable(path: str, error: OSError, inventory: Inventory) -> None:
    """Add an INPUT that cannot be reached: a row if its name is that of an image file; otherwise the run ends."""
    if is_device_lost(error) or not is_picture_name(path):
        raise InputLostError(f"{show_path(path)}: cannot be reached: {error.strerror}; {STAYS}") from error
    inventory.append_files(FileGroup("", [path], error=describe_os_error(error)))


def _refuse_overlap(paths: list[str]) -> None:
    resolved: dict[str, str] = {}
    for path in paths:
        if "\0" in path:
            raise UsageError(
                f"{show_path(path[:200])}: no file name contains a NUL; if the list is separated by NULs, add -0"
            )
        _refuse_too_long(path)
        real = os.path.realpath(path)
        if real in resolved:
            raise UsageError(f"{show_path(path)}: given twice (also as {show_path(resolved[real])})")
        resolved[real] = path
    # Sorted by path components, what lies inside a folder comes directly after it, or after something else inside it.
    outer_parts, outer_path = None, ""
    for parts, path in sorted((tuple(real.rstrip(os.sep).split(os.sep)), path) for real, path in resolved.items()):
        if outer_parts is not None and parts[: len(outer_parts)] == outer_parts:
            raise UsageError(
                f"{show_path(path)}: lies inside another INPUT ({show_path(outer_path)}); "
                "its images would be counted twice"
            )
        outer_parts, outer_path = parts, path


def _refuse_too_long(path: str) -> None:
    """Check that the system could have such a name at all: resolving one of a million characters takes minutes."""
    try:
        os.lstat(path)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError(
                f"{show_path(path[:200])}…: no such file or folder, as the name is too long; check the INPUT"
            ) from error


def _discover_file(path: str, inventory: Inventory) -> None:
    try:
        source = open_array(path)
        if source is None:
            pages = count_pages(path)
            inventory.append_files(FileGroup("", [path] * pages, paged=pages > 1))
        else:
            inventory.entries.append(ArrayInput(path, source))
    except DamagedArrayError as error:
        inventory.entries.append(ArrayInput(path, damage=str(error)))
    except ImageError as error:
        inventory.append_files(FileGroup("", [path], error=(error.code, error.detail)))
    except OSError as error:
        if is_device_lost(error):
            raise InputLostError(f"{show_path(path)}: cannot be read: {error.strerror}; {STAYS}") from error
        inventory.append_files(FileGroup("", [path], error=describe_os_error(error)))
