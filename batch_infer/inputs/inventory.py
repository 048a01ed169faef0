"""The inventory of the inputs: groups of image files and IDX files, in order, and what was skipped."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from batch_infer.contract import UNKNOWN
from batch_infer.errors import STAYS, InputLostError
from batch_infer.inputs.idx import IdxImages
from batch_infer.paths import escape_path


@dataclass
class FileGroup:
    """Consecutive image files: all in one folder, or given as arguments.

    Attributes:
        prefix: the folder with a trailing slash; empty for arguments.
        names: file names below it.
        label: label of all of them, from the folder's name; -1 if unknown.
        error: code and detail, if they are known to be unusable.
    """

    prefix: str
    names: list[str]
    label: int = UNKNOWN
    error: tuple[str, str] | None = None


@dataclass
class IdxInput:
    """An IDX file given as an argument; `images` is None if it is damaged, and `damage` says why."""

    path: str
    images: IdxImages | None = None
    damage: str = ""
    labels: npt.NDArray[np.int8] | None = None


@dataclass(frozen=True)
class Root:
    """A folder given as an argument, its identity when it was listed (device, inode), and whether it had no image."""

    path: str
    identity: tuple[int, int]
    is_empty: bool


@dataclass
class Inventory:
    """All inputs of a run.

    Attributes:
        entries: in the order of the inputs.
        skipped: number of files and folders that were skipped, by reason.
        roots: the folders among the inputs.
        labels: label by path, if a labels file was given; it overrides all other labels.
    """

    entries: list[FileGroup | IdxInput] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    roots: list[Root] = field(default_factory=list)
    labels: dict[str, int] | None = None

    @property
    def idx_inputs(self) -> list[IdxInput]:
        """The IDX files among the inputs."""
        return [entry for entry in self.entries if isinstance(entry, IdxInput)]

    @property
    def total(self) -> int:
        """Number of rows there will be (a damaged IDX file is one)."""
        return sum(_row_count(entry) for entry in self.entries)

    @property
    def file_count(self) -> int:
        """Number of image files."""
        return sum(len(entry.names) for entry in self.entries if isinstance(entry, FileGroup))

    @property
    def labelled(self) -> bool:
        """Whether any input has a label."""
        return bool(self.labels) or any(
            entry.label != UNKNOWN if isinstance(entry, FileGroup) else entry.labels is not None
            for entry in self.entries
        )

    def append_files(self, group: FileGroup) -> None:
        """Add image files, merged into the previous group if the two differ only in their names."""
        if not group.names:
            return
        last = self.entries[-1] if self.entries else None
        if isinstance(last, FileGroup) and (last.prefix, last.label, last.error) == (
            group.prefix,
            group.label,
            group.error,
        ):
            last.names += group.names
        else:
            self.entries.append(group)

    def check_roots(self) -> None:
        """Check that the folders among the inputs are still the ones that were listed.

        Raises:
            InputLostError: one is gone or was replaced by another (a disk was unmounted or mounted).
        """
        for root in self.roots:
            try:
                status = os.stat(root.path)
            except OSError as error:
                raise InputLostError(
                    f"{escape_path(root.path)}: the folder disappeared during the run ({error.strerror}); {STAYS}"
                ) from error
            if (status.st_dev, status.st_ino) != root.identity:
                raise InputLostError(
                    f"{escape_path(root.path)}: is not the same folder as at the start of the run "
                    f"(unmounted, or replaced?); {STAYS}"
                )

    def file_paths(self) -> Iterator[str]:
        """The paths of all image files."""
        for entry in self.entries:
            if isinstance(entry, FileGroup):
                yield from (entry.prefix + name for name in entry.names)


def _row_count(entry: FileGroup | IdxInput) -> int:
    if isinstance(entry, FileGroup):
        return len(entry.names)
    return 1 if entry.images is None else entry.images.shape[0]
