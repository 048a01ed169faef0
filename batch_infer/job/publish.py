"""The files of one run: where they go, that they can be written, and in which order they appear.

From the first rename on a run goes to its end: reports, predictions and run.json of one run stand side by side.
"""

import contextlib
import os
import signal
import stat
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from batch_infer.errors import OutputError, UsageError
from batch_infer.job.spool import Spool
from batch_infer.job.summary import Summary
from batch_infer.outputs.atomic import output_errors, remove_orphans, stage, write_atomically
from batch_infer.outputs.formats import Csv, Format, format_for, stem
from batch_infer.paths import escape_path
from batch_infer.reports.files import REPORTS, RUN_JSON, Mistakes, report_files


class Outputs:
    """Where a run's rows and reports go.

    Without `out` the rows go to a stream (standard output) once all are there, so that nobody reads half a result.

    Attributes:
        out: the predictions file, or None.
        format: how the rows are encoded.
        stem: path that the names of the reports, the lock and the state begin with; None where there are none.

    Raises:
        UsageError: the suffix of `out`, or a folder given for a file.
        OutputError: a folder does not exist or cannot be written.
    """

    def __init__(
        self, out: str | None, *, report: bool, report_dir: str | None, stream: BinaryIO | None, probabilities: bool
    ) -> None:
        self.out = out
        self.format: Format = Csv(probabilities) if out is None else format_for(out, probabilities=probabilities)
        self._stream = stream
        name = "predictions" if out is None else os.path.basename(stem(out))
        folder = report_dir if report_dir is not None else None if out is None else os.path.dirname(out) or "."
        self._reports = os.path.join(folder, name) if report and folder is not None else None
        self.lock_path = None if out is None else stem(out) + ".lock"
        self.state_path = None if out is None else stem(out) + ".state"
        self._stack = contextlib.ExitStack()
        if out is not None and os.path.isdir(out):
            raise UsageError(f"--out {escape_path(out)}: is a folder; expected a file name ending in .csv")
        if out is not None and not os.path.basename(stem(out)):
            raise UsageError(
                f"--out {escape_path(out)}: expected a name before the suffix, as preds{os.path.basename(out)}"
            )
        for used in {os.path.dirname(out) or "." if out is not None else None, folder if self._reports else None}:
            if used is not None:
                _check_folder(used)
        endings = [] if self._reports is None else [self._reports + ending for ending in (*REPORTS, RUN_JSON)]
        for path in (*endings, self.lock_path, self.state_path):
            if path is not None:
                _check_place(path)

    @property
    def account_path(self) -> str | None:
        """The run.json, where there are reports."""
        return None if self._reports is None else self._reports + RUN_JSON

    def remove_orphans(self) -> None:
        """Remove what killed runs with the same outputs left; to be called with the lock held."""
        if self.out is not None:
            remove_orphans([self.out])
        if self._reports is not None:
            remove_orphans(self._reports + ending for ending in (*REPORTS, RUN_JSON))

    def open(self) -> Spool:
        """Open what the rows are collected in."""
        return Spool(self.out, self.format)

    def publish(self, spool: Spool, summary: Summary, mistakes: Mistakes) -> None:
        """Bring reports, predictions and run.json to their places, in this order; all are on disk before the first.

        Once it begins, signals are ignored until this object is left: the run is as good as complete.
        """
        with contextlib.ExitStack() as stack:
            staged = spool.finish(stack)
            summary.predictions_sha256 = spool.sha256
            reports = {}
            if self._reports is not None and summary.tally.labelled:
                for ending, content in report_files(summary.tally, mistakes).items():
                    reports[ending] = stack.enter_context(stage(self._reports + ending, content))
            account = None
            if self._reports is not None:
                content_then = replace(summary, published=True).to_json()
                account = stack.enter_context(stage(self._reports + RUN_JSON, content_then))
            if staged is not None:
                staged.settle()
                self._stack.enter_context(ignore_signals())
            for ending in REPORTS if self._reports is not None else ():
                if ending in reports:
                    reports[ending].publish()
                else:
                    _remove(f"{self._reports}{ending}")
            if staged is not None:
                staged.publish()
            elif self._stream is not None:
                spool.copy_to(self._stream)
            summary.published = True
            if account is not None:
                account.publish()

    def __enter__(self) -> "Outputs":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write_run_json(self, summary: Summary) -> None:
        """Write the run.json of a run that publishes nothing else, if this run has reports."""
        if self._reports is not None:
            write_atomically(self._reports + RUN_JSON, summary.to_json())


@contextlib.contextmanager
def ignore_signals() -> Iterator[None]:
    """Ignore SIGINT, SIGTERM and SIGHUP (only the main thread may, and only there do they interrupt anything)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # not set by Python, which therefore cannot set it back
                signal.signal(number, handler)


def _check_folder(folder: str) -> None:
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise OutputError(f"{escape_path(folder)}: is a file; the outputs need a folder")
    if not os.path.isdir(folder):
        raise OutputError(f"{escape_path(folder)}: no such folder for the outputs; make it first: mkdir -p")
    with output_errors(os.path.join(folder, "")), tempfile.TemporaryFile(dir=folder):
        pass


def _check_place(path: str) -> None:
    """See that a file may stand there: its name may be too long although that of `--out` is not."""
    with output_errors(path), contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(os.stat(path).st_mode):
            raise OutputError(f"{escape_path(path)}: is a folder; a file is written there; move it away")


def _remove(path: str) -> None:
    with output_errors(path), contextlib.suppress(FileNotFoundError):
        os.unlink(path)
