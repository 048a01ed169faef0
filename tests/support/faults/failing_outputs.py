"""Run a job again and again; each time a later one of the calls that touch its outputs fails, until none does.

    python -m support.faults.failing_outputs ENOSPC|EIO

For each run a JSON line: "done" or the error, whether no call was left to fail, and the predictions after it.
"""

import errno
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from unittest import mock

import batch_infer.outputs.atomic
from batch_infer.errors import OutputError
from batch_infer.job.run import run_job

FILE_CALLS = {"write", "flush", "close", "truncate", "seek"}
OS_CALLS = {"fsync", "replace", "fchmod", "open", "unlink"}


class Countdown:
    """Raises an OSError when a number of calls have been made."""

    def __init__(self, code: int) -> None:
        self.left = 0
        self._code = code

    def tick(self) -> None:
        """Count one call."""
        self.left -= 1
        if self.left == 0:
            raise OSError(self._code, os.strerror(self._code))

    def counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function so that each call is counted first."""

        def call(*arguments: Any, **options: Any) -> Any:
            self.tick()
            return function(*arguments, **options)

        return call


class CountedFile:
    """A file whose calls are counted; if closing fails, it is closed all the same, as in the kernel."""

    def __init__(self, file: IO[bytes], countdown: Countdown) -> None:
        self._file = file
        self._countdown = countdown

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._file, name)
        return method if name not in FILE_CALLS - {"close"} else self._countdown.counted(method)

    def close(self) -> None:
        """Close the file."""
        try:
            self._countdown.tick()
        finally:
            self._file.close()


class CountedOs:
    """The module os, with calls that are counted."""

    def __init__(self, countdown: Countdown) -> None:
        self._countdown = countdown

    def __getattr__(self, name: str) -> Any:
        function = getattr(os, name)
        return self._countdown.counted(function) if name in OS_CALLS else function

    def fdopen(self, *arguments: Any) -> CountedFile:
        """Open a descriptor as a counted file."""
        return CountedFile(os.fdopen(*arguments), self._countdown)


def main() -> None:
    """Let the first call fail, then the second, and so on."""
    countdown, number, untouched = Countdown(getattr(errno, sys.argv[1])), 0, False
    counted_mkstemp = countdown.counted(tempfile.mkstemp)
    with (
        mock.patch.object(batch_infer.outputs.atomic, "os", CountedOs(countdown)),
        mock.patch.object(tempfile, "mkstemp", counted_mkstemp),
    ):
        while not untouched:
            number += 1
            countdown.left = number
            try:
                run_job(["images"], out="out/preds.csv", workers=1)
                outcome = "done"
            except OutputError as error:
                outcome = str(error)
            untouched, countdown.left = countdown.left > 0, 0
            print(json.dumps([outcome, untouched, Path("out/preds.csv").read_text(encoding="utf-8")]))


if __name__ == "__main__":
    main()
