"""The spool: a temporary file of a run's rows, appended chunk by chunk, then completed."""

import contextlib
import hashlib
import os
import sys
import tempfile
from typing import IO, BinaryIO

from batch_infer.errors import OutputError
from batch_infer.outputs.atomic import StagedFile, output_errors
from batch_infer.outputs.formats import Format


class Spool:
    """The rows of a run in progress: a temporary file that chunks are appended to."""

    def __init__(self, out: str | None, output_format: Format) -> None:
        self._format = output_format
        self._stack = contextlib.ExitStack()
        self._staged: StagedFile | None = None
        self.sha256 = ""
        self._digest = hashlib.sha256()  # of what was appended: reading it all again at the end would take time
        self._name = out or "standard output"
        try:
            if out is not None:
                self._staged = self._stack.enter_context(StagedFile(out))
            if self._staged is not None and output_format.finish is None:
                self._file: IO[bytes] = self._staged.file
            else:
                folder = None if out is None else os.path.dirname(out) or "."
                with output_errors(self._name):
                    self._file = self._stack.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
            self.append(output_format.header())
        except BaseException:
            self._stack.close()
            raise

    def append(self, encoded: bytes) -> None:
        """Append an encoded chunk."""
        with output_errors(self._name):
            self._file.write(encoded)
        self._digest.update(encoded)

    def finish(self, stack: contextlib.ExitStack) -> StagedFile | None:
        """Complete the predictions file → the staged file, still under its temporary name."""
        stack.push(self._stack.pop_all())
        with output_errors(self._name):
            self._file.flush()
            if self._staged is not None and self._format.finish is not None:
                finished = self._staged.file
                self._format.finish(self._file, finished)
                finished.flush()
                finished.seek(0)
                self._digest = hashlib.file_digest(finished, "sha256")  # type: ignore[arg-type]
        self.sha256 = self._digest.hexdigest()
        return self._staged

    def copy_to(self, stream: BinaryIO) -> None:
        """Copy the rows to a stream.

        Raises:
            OutputError: the stream was closed early, or cannot be written.
        """
        self._file.seek(0)
        try:
            while block := self._file.read(1 << 20):
                view = memoryview(block)
                while view:  # an unbuffered stream may accept less than it is given
                    view = view[stream.write(view) :]
            stream.flush()
        except OSError as error:
            # Python would report the broken pipe again when it flushes standard output at exit.
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise OutputError(f"standard output: cannot be written: {error.strerror}") from error

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
