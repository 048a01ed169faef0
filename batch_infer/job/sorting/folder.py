"""The folder of --sort-into itself: which one may be used, and taking it for one run at a time."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterable
from typing import Final

from batch_infer.errors import LockError, OutputError, UsageError
from batch_infer.inference.folders import FOLDERS
from batch_infer.inputs.arrays.open_array import file_of
from batch_infer.inputs.labels.sorted_folder import MARKER
from batch_infer.job.sorting.files import link_refusal
from batch_infer.outputs.atomic import output_errors
from batch_infer.outputs.lock import locked
from batch_infer.paths import explain_missing, show_path

LIST, LOCK, PART, ABOUT = "list", "lock", "part", "about.txt"
_ABOUT_TEXT: Final = """\
batch-infer --sort-into made the folder above this one. Its folders 0 to 9, review and error hold the pictures of the
last run, sorted by what was predicted. Files that batch-infer did not put there are never touched.
These are predictions: batch-infer and train do not take them for labels. To use the folder for something else, copy the
pictures to another one, or remove this folder.
"""


class SortedFolder:
    """A folder that a run may lay pictures into.

    Attributes:
        path: the folder, links resolved.
        name: as the user named it, for messages.
    """

    def __init__(self, folder: str) -> None:
        """Name the folder.

        Raises:
            UsageError: the name is empty.
        """
        self.name = f"--sort-into {show_path(folder)}"
        if not folder or "\0" in folder:
            raise UsageError("--sort-into: an empty or impossible name; is a variable not set?")
        self.path = os.path.realpath(folder)
        self._given = folder

    def refuse_overlap(self, inputs: Iterable[str], outputs: Iterable[str]) -> None:
        """Check that neither an INPUT nor an output lies in the folder, and the folder in no INPUT.

        Raises:
            UsageError: one does.
        """
        for path in inputs:
            real = os.path.realpath(file_of(path)) if "\0" not in path else path
            if _holds(self.path, real):
                where = "is also" if real == self.path else "lies in"
                raise UsageError(
                    f"{show_path(path)}: {where} {self.name}, which the run changes; choose another folder"
                )
            if _holds(real, self.path):
                raise UsageError(
                    f"{self.name}: lies in the INPUT {show_path(path)}, whose next run would count its pictures twice; "
                    "choose a folder beside it"
                )
        for path in outputs:
            if _holds(self.path, os.path.realpath(path)):
                raise UsageError(f"{show_path(path)}: lies in {self.name}; choose another place for one of them")

    @property
    def list(self) -> str:
        """Path of the list of what is ours."""
        return os.path.join(self.path, MARKER, LIST)

    @property
    def part(self) -> str:
        """Path of a file that is being written."""
        return os.path.join(self.path, MARKER, PART)

    def claim(self, stack: contextlib.ExitStack, notify: Callable[[str], None]) -> None:
        """Make the folder with its marker and sub-folders, and hold its lock until the stack is closed.

        Raises:
            OutputError: one of them cannot be made, or something else has its name.
            LockError: another run sorts into the folder.
        """
        self.check()  # it may have been filled meanwhile
        self._make("")
        self._make(MARKER)
        try:
            lock = os.path.join(self.path, MARKER, LOCK)
            stack.enter_context(locked(lock, lambda text: notify(text.replace("--out", "--sort-into"))))
        except LockError as error:
            raise LockError(str(error).replace("--out", "--sort-into")) from error
        about = os.path.join(self.path, MARKER, ABOUT)
        with output_errors(about), contextlib.suppress(FileExistsError), open(about, "x", encoding="utf-8") as file:
            file.write(_ABOUT_TEXT)
        for name in FOLDERS:
            self._make(name)
            if not os.access(os.path.join(self.path, name), os.W_OK | os.X_OK):
                raise OutputError(f"{show_path(os.path.join(self._given, name))}: cannot be written by this user")

    def symlink_refusal(self) -> str:
        """Why there are no symbolic links in the folder; empty if there are."""
        with output_errors(self.part):
            return link_refusal(self.path, self.part)

    def check(self) -> None:
        """Check that the folder may be used, without changing anything.

        Raises:
            UsageError: it is a file.
            OutputError: there is no folder for it, or it holds files and is not ours.
        """
        try:
            mode = os.lstat(self.path).st_mode
        except FileNotFoundError:
            above = os.path.dirname(self.path)
            if not os.path.isdir(above):
                hint = explain_missing(self._given) or "make the folder that it is to be in first: mkdir -p"
                raise OutputError(f"{self.name}: no such folder, nor the one that it is in; {hint}") from None
            if not os.access(above, os.W_OK | os.X_OK):
                raise OutputError(f"{self.name}: cannot be made: no permission to write there") from None
            return
        except OSError as error:
            raise OutputError(f"{self.name}: cannot be used: {error.strerror}") from error
        if not stat.S_ISDIR(mode):
            raise UsageError(f"{self.name}: is a file; expected a folder")
        with output_errors(self.path), os.scandir(self.path) as entries:
            if any(True for _ in entries) and not _is_folder(os.path.join(self.path, MARKER)):
                raise OutputError(
                    f"{self.name}: holds files already, and was not made by --sort-into; name a new or an empty folder"
                )

    def _make(self, name: str) -> None:
        folder = os.path.join(self.path, name) if name else self.path
        with output_errors(folder):
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder)
                return
            if not _is_folder(folder):
                raise OutputError(
                    f"{show_path(folder)}: is no folder, and a folder of that name is needed; move it away"
                )


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


def _holds(folder: str, path: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))
