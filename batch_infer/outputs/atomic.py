"""Files that appear completely or not at all: temporary name, flush, fsync, rename, fsync of the folder."""

import contextlib
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import IO, Final

from batch_infer.errors import OutputError
from batch_infer.outputs.attributes import take_over
from batch_infer.outputs.courtesy import courtesy
from batch_infer.paths import show_path

_SUFFIX: Final = ".tmp"
_MAX_NAME: Final = 180  # bytes of a destination's name in a temporary one


class StagedFile:
    """A file under a temporary name in the folder of its destination.

    `publish` gives it its final name; leaving the `with` block without that removes it. Calling `settle` on all
    files of a run before publishing any of them detects a full disk before the first one appears.

    Raises:
        OutputError: it cannot be written; the text names the destination.
    """

    def __init__(self, destination: str) -> None:
        self.destination = destination
        self._settled = False
        folder = os.path.dirname(destination) or "."
        _refuse_device(destination)
        with output_errors(destination):
            descriptor, self._path = tempfile.mkstemp(prefix=_prefix(destination), suffix=_SUFFIX, dir=folder)
            self.file: IO[bytes] = os.fdopen(descriptor, "w+b")

    def settle(self) -> None:
        """Flush the content to disk, with the mode of the replaced file, or else of an ordinary new one."""
        with output_errors(self.destination):
            self.file.flush()
            descriptor = self.file.fileno()
            mode = take_over(descriptor, self.destination)
            with courtesy():
                os.fchmod(descriptor, mode)
            with courtesy():
                os.fsync(descriptor)
            self.file.close()
        self._settled = True

    def publish(self) -> None:
        """Rename the file to its destination."""
        if not self._settled:
            self.settle()
        with output_errors(self.destination):
            os.replace(self._path, self.destination)
        self._path = ""
        try:
            sync_folder(os.path.dirname(self.destination) or ".")
        except OSError as error:
            raise OutputError(
                f"{show_path(self.destination)}: the new file is in place, but its folder cannot be brought to the "
                f"disk: {error.strerror or error}; a power failure may bring the old one back"
            ) from error

    def __enter__(self) -> "StagedFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._settled:
            with contextlib.suppress(OSError):
                self.file.close()
        if self._path:
            with contextlib.suppress(OSError):
                os.unlink(self._path)


@contextlib.contextmanager
def output_errors(destination: str) -> Iterator[None]:
    """Turn operating-system errors into an OutputError that names the destination."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{show_path(destination)}: cannot be written: {error.strerror or error}; what was there stays"
        ) from error


def stage(destination: str, content: bytes) -> StagedFile:
    """Write a small file under a temporary name, ready to be published.

    Raises:
        OutputError: it cannot be written.
    """
    staged = StagedFile(destination)
    try:
        with output_errors(destination):
            staged.file.write(content)
        staged.settle()
    except BaseException:
        staged.__exit__(None, None, None)
        raise
    return staged


def write_atomically(destination: str, content: bytes) -> None:
    """Write a small file completely or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    with stage(destination, content) as staged:
        staged.publish()


def remove_orphans(destinations: Iterable[str]) -> None:
    """Remove temporary files that killed runs left; to be called only while no other run can be writing."""
    for destination in destinations:
        # Exactly what mkstemp adds: for `p.csv`, temporary files of `p.csv-2.csv` must not be removed.
        ours = re.compile(re.escape(_prefix(destination)) + r"[a-z0-9_]{8}" + re.escape(_SUFFIX) + r"\Z")
        # The folder may not be readable, or an orphan may be another user's: neither is in our way.
        with output_errors(destination), courtesy(), os.scandir(os.path.dirname(destination) or ".") as entries:
            for entry in entries:
                if ours.match(entry.name):
                    with courtesy():
                        os.unlink(entry.path)


def sync_folder(folder: str) -> None:
    """Flush a folder's entries (a rename) to disk, if the file system supports it and the folder is readable."""
    with courtesy():
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _refuse_device(destination: str) -> None:
    """Refuse a device or pipe as destination: the rename would replace it for all programs."""
    with output_errors(destination), contextlib.suppress(FileNotFoundError):
        mode = os.stat(destination).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # for a folder the system itself raises an error
            raise OutputError(f"{show_path(destination)}: is a device, pipe or socket; expected the name of a file")


def _prefix(destination: str) -> str:
    # A name may be as long as the file system allows (255 bytes); what is added here and by mkstemp must still fit.
    name = os.fsencode(os.path.basename(destination))
    if len(name) > _MAX_NAME:
        name = name[: _MAX_NAME - 16] + hashlib.sha256(name).hexdigest()[:16].encode()
    return f".batch-infer-{os.fsdecode(name)}-"
