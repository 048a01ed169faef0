"""Look at the inputs: which files there are, in which order, and which of them are not classified and why."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from batch_infer.decoding.read import SUFFIXES, fault_of
from batch_infer.errors import DamagedIdxError, UsageError
from batch_infer.inputs.idx import IdxImages, sniff
from batch_infer.paths import escape_path
from batch_infer.reports.metrics import UNKNOWN

_DIGITS: Final = frozenset("0123456789")


@dataclass
class Run:
    """Image files that follow each other: all in one folder, or given as arguments.

    Attributes:
        prefix: the folder with a slash behind it; empty for arguments.
        names: file names below it.
        label: of all of them, from the folder's name; -1 where unknown.
        fault: code and detail, if they are known to be unusable.
    """

    prefix: str
    names: list[str]
    label: int = UNKNOWN
    fault: tuple[str, str] | None = None


@dataclass
class IdxInput:
    """An IDX file given as an argument; `images` is None if it is damaged, and `damage` says why."""

    path: str
    images: IdxImages | None = None
    damage: str = ""
    labels: npt.NDArray[np.int8] | None = None


@dataclass
class Scan:
    """What the inputs hold.

    Attributes:
        entries: in the order of the inputs.
        skipped: how many files and folders were passed over, by reason.
        labels: label by path, if a labels file was given; it wins entirely.
    """

    entries: list[Run | IdxInput] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    labels: dict[str, int] | None = None

    @property
    def idx_inputs(self) -> list[IdxInput]:
        """The IDX files among the inputs."""
        return [entry for entry in self.entries if isinstance(entry, IdxInput)]

    @property
    def total(self) -> int:
        """How many rows there will be (a damaged IDX file is one)."""
        return sum(_rows(entry) for entry in self.entries)

    @property
    def labelled(self) -> bool:
        """Whether any input has a label."""
        return bool(self.labels) or any(
            entry.label != UNKNOWN if isinstance(entry, Run) else entry.labels is not None for entry in self.entries
        )

    def file_paths(self) -> Iterator[str]:
        """The paths of all image files."""
        for entry in self.entries:
            if isinstance(entry, Run):
                yield from (entry.prefix + name for name in entry.names)


def scan_inputs(inputs: Iterable[str]) -> Scan:
    """List what the inputs hold.

    Within a folder, files and sub-folders come together by the bytes of their names, depth first.

    Raises:
        UsageError: an input is missing, or lies inside another.
    """
    scan = Scan()
    paths = list(inputs)
    _refuse_overlap(paths)
    for path in paths:
        try:
            mode = os.stat(path).st_mode
        except (FileNotFoundError, NotADirectoryError) as error:
            shown = escape_path(path) or "''"
            raise UsageError(f"{shown}: no such file or folder; {_hint(path)}") from error
        except OSError as error:
            _append(scan, Run("", [path], fault=fault_of(error)))
            continue
        if stat.S_ISDIR(mode):
            _scan_folder(path, scan)
        elif stat.S_ISREG(mode):
            _scan_file(path, scan)
        else:
            _append(scan, Run("", [path], fault=("not_regular", "not a regular file")))
    return scan


def _hint(path: str) -> str:
    """Guess why an INPUT is missing."""
    if not path:
        return "an INPUT is empty: is a variable not set?"
    if path.endswith("\r"):
        return "the list has Windows line ends: remove them with dos2unix"
    return "check the INPUT"


def _rows(entry: Run | IdxInput) -> int:
    if isinstance(entry, Run):
        return len(entry.names)
    return 1 if entry.images is None else entry.images.shape[0]


def _append(scan: Scan, run: Run) -> None:
    """Add a run, joining it to the one before where the two differ in nothing but their names."""
    if not run.names:
        return
    last = scan.entries[-1] if scan.entries else None
    if isinstance(last, Run) and (last.prefix, last.label, last.fault) == (run.prefix, run.label, run.fault):
        last.names += run.names
    else:
        scan.entries.append(run)


def _refuse_overlap(paths: list[str]) -> None:
    resolved: dict[str, str] = {}
    for path in paths:
        if "\0" in path:
            raise UsageError(f"{escape_path(path[:200])}: no file name holds a NUL; for --files-from with NULs add -0")
        real = os.path.realpath(path)
        if real in resolved:
            raise UsageError(f"{escape_path(path)}: given twice (also as {escape_path(resolved[real])})")
        resolved[real] = path
    # Sorted by components, whatever lies inside a folder comes right behind it or behind another that does.
    outer_parts, outer_path = None, ""
    for parts, path in sorted((tuple(real.rstrip(os.sep).split(os.sep)), path) for real, path in resolved.items()):
        if outer_parts is not None and parts[: len(outer_parts)] == outer_parts:
            raise UsageError(
                f"{escape_path(path)}: lies inside another INPUT ({escape_path(outer_path)}); "
                "its images would be counted twice"
            )
        outer_parts, outer_path = parts, path


def _scan_file(path: str, scan: Scan) -> None:
    try:
        kind = sniff(path)
        if kind is None:
            _append(scan, Run("", [path]))
        else:
            scan.entries.append(IdxInput(path, IdxImages(path)))
    except DamagedIdxError as error:
        scan.entries.append(IdxInput(path, damage=str(error)))
    except OSError as error:
        _append(scan, Run("", [path], fault=fault_of(error)))


@dataclass
class _Folder:
    """A folder being gone through: the names still to come, and those of them that are not plain image files."""

    prefix: str
    names: Iterator[str]
    special: dict[str, os.DirEntry[str]]


def _scan_folder(root: str, scan: Scan) -> None:
    found = Scan(skipped=scan.skipped)
    base = os.path.realpath(root)
    stack: list[_Folder] = []
    _enter(root, found, stack)
    while stack:
        folder = stack[-1]
        files: list[str] = []  # that follow each other
        below = None
        for name in folder.names:
            entry = folder.special.get(name)
            if entry is None:
                files.append(name)
            elif entry.is_dir(follow_symlinks=False):
                below = folder.prefix + name
                break
            elif _is_linked_folder(entry):
                found.skipped["linked_folder"] += 1
            elif not _is_image_name(name):
                found.skipped["other_suffix"] += 1
            elif fault := _link_fault(entry, base):
                _append(found, Run(folder.prefix, files))
                _append(found, Run(folder.prefix, [name], fault=fault))
                files = []
            else:
                files.append(name)
        _append(found, Run(folder.prefix, files))
        if below is None:
            stack.pop()
        else:
            _enter(below, found, stack)
    _label_by_folders(found)
    scan.entries += found.entries


def _enter(path: str, scan: Scan, stack: list[_Folder]) -> None:
    """List a folder; of a million plain files no more is kept than their names."""
    names: list[str] = []
    special: dict[str, os.DirEntry[str]] = {}
    skipped: Counter[str] = Counter()
    try:
        with os.scandir(path) as listing:
            for entry in listing:
                name = entry.name
                if name[0] == "." or name == "__MACOSX":
                    skipped["hidden"] += 1
                elif entry.is_dir(follow_symlinks=False) or entry.is_symlink():
                    special[name] = entry
                elif _is_image_name(name):
                    names.append(name)
                else:
                    skipped["other_suffix"] += 1
    except OSError as error:
        code, detail = fault_of(error)
        _append(scan, Run("", [path], fault=(code, f"the folder cannot be listed: {detail}")))
        return
    scan.skipped += skipped
    names += special
    # By the bytes of the names, which is the order of their characters, unless some bytes are no characters.
    names.sort(key=None if "".join(names).isascii() else os.fsencode)
    stack.append(_Folder(os.path.join(path, ""), iter(names), special))


def _is_image_name(name: str) -> bool:
    return name[name.rfind(".") :].lower() in SUFFIXES


def _is_linked_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _link_fault(entry: os.DirEntry[str], base: str) -> tuple[str, str] | None:
    """Tell why a link is not followed: only those to regular files inside the same input are."""
    target = os.path.realpath(entry.path)
    if os.path.isfile(target) and target.startswith(os.path.join(base, "")):
        return None
    return "not_regular", "a link to something that is no regular file inside the same INPUT"


def _label_by_folders(scan: Scan) -> None:
    """Label files by their parent folders, if every one of them is named by a digit."""
    runs = [entry for entry in scan.entries if isinstance(entry, Run) and entry.prefix]
    parents = [os.path.basename(run.prefix.rstrip("/")) for run in runs]
    if all(parent in _DIGITS for parent in parents):
        for run, parent in zip(runs, parents, strict=True):
            run.label = int(parent)
