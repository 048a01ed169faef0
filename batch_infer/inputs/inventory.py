"""The inventory of the inputs: groups of image files and files of many images, in order, and what was skipped."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from batch_infer.errors import STAYS, InputLostError
from batch_infer.inputs.arrays.source import ArraySource
from batch_infer.inputs.skipped import Skipped
from batch_infer.paths import show_path


@dataclass
class FileGroup:
    """Consecutive image files: all in one folder, or given as arguments.

    Attributes:
        prefix: the folder with a trailing slash; empty for arguments.
        names: file names below it.
        error: code and detail, if they are known to be unusable.
        labels: `(n,)` int8, -1 where unknown; None if all are.
        paged: whether this is one file of many pages, whose name is there once for each of them.
        labelled_by: the INPUT that it is in, if the names of its folders give labels; otherwise empty.
    """

    prefix: str
    names: list[str]
    error: tuple[str, str] | None = None
    labels: npt.NDArray[np.int8] | None = None
    labelled_by: str = ""
    paged: bool = False

    @property
    def row_count(self) -> int:
        """Number of rows."""
        return len(self.names)


@dataclass
class ArrayInput:
    """A file of many images (IDX, an array, a table) given as an argument.

    Attributes:
        path: the file.
        images: None if it is damaged.
        damage: why it is.
        labels: `(n,)` int8; None if they are unknown, or if the file is damaged.
        has_labels: whether there are labels for it, even if it is damaged.
        turned: whether its images are stored transposed.
    """

    path: str
    images: ArraySource | None = None
    damage: str = ""
    labels: npt.NDArray[np.int8] | None = None
    has_labels: bool = False
    turned: bool = False

    @property
    def row_count(self) -> int:
        """Number of rows (one, if the file is damaged)."""
        return 1 if self.images is None else self.images.shape[0]


@dataclass(frozen=True)
class Root:
    """A folder given as an argument.

    Attributes:
        path: the folder.
        identity: device and inode when it was listed.
        groups: its image files, and its folders that could not be listed.
    """

    path: str
    identity: tuple[int, int]
    groups: list[FileGroup]


@dataclass
class Inventory:
    """All inputs of a run.

    Attributes:
        entries: in the order of the inputs.
        skipped: the files and folders that were skipped.
        roots: the folders among the inputs.
    """

    entries: list[FileGroup | ArrayInput] = field(default_factory=list)
    skipped: Skipped = field(default_factory=Skipped)
    roots: list[Root] = field(default_factory=list)

    @property
    def array_inputs(self) -> list[ArrayInput]:
        """The files of many images among the inputs."""
        return [entry for entry in self.entries if isinstance(entry, ArrayInput)]

    @property
    def file_groups(self) -> list[FileGroup]:
        """The groups of image files among the inputs."""
        return [entry for entry in self.entries if isinstance(entry, FileGroup)]

    @property
    def total(self) -> int:
        """Number of rows there will be (a damaged file of many images is one)."""
        return sum(entry.row_count for entry in self.entries)

    @property
    def file_count(self) -> int:
        """Number of image files, and of pages."""
        return sum(len(group.names) for group in self.file_groups)

    @property
    def labelled(self) -> bool:
        """Whether any input has a label, or would have one if it were not damaged."""
        return any(entry.labels is not None for entry in self.entries) or any(
            entry.has_labels for entry in self.array_inputs
        )

    def append_files(self, group: FileGroup) -> None:
        """Add image files, merged into the previous group if the two differ only in their names."""
        if not group.names:
            return
        last = self.entries[-1] if self.entries else None
        if (
            isinstance(last, FileGroup)
            and (last.prefix, last.error) == (group.prefix, group.error)
            and not (last.paged or group.paged)
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
                    f"{show_path(root.path)}: the folder disappeared during the run ({error.strerror}); {STAYS}"
                ) from error
            if (status.st_dev, status.st_ino) != root.identity:
                raise InputLostError(
                    f"{show_path(root.path)}: is not the same folder as at the start of the run "
                    f"(unmounted, or replaced?); {STAYS}"
                )

    def file_paths(self) -> Iterator[str]:
        """The paths of all image files."""
        for group in self.file_groups:
            yield from (group.prefix + name for name in group.names)
