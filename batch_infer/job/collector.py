"""Collects the results of chunks: rows into the spool, counts, mistakes, samples, and log lines about errors."""

import logging
from collections.abc import Callable
from typing import Final

from batch_infer.contract import ERROR_CODES, INTERNAL_ERROR
from batch_infer.decoding.read import says_device_lost
from batch_infer.errors import STAYS, InputLostError
from batch_infer.inference.task import ChunkResult
from batch_infer.job.publication.spool import Spool
from batch_infer.job.summary import Summary
from batch_infer.predictions import RowError
from batch_infer.reports.files import Mistakes
from batch_infer.reports.metrics import Tally
from batch_infer.reports.samples import Samples

log = logging.getLogger("batch_infer")

_MAX_LOGGED_ERRORS: Final = 20
_MAX_PATHS: Final = 5  # of each error code that the report names
_VANISHED: Final = ERROR_CODES.index("vanished")
_MAX_LOST: Final = 10  # files; this many may be deleted while a job runs, in a folder of any size
_FILES_PER_LOST: Final = 10  # in a large folder, one of so many may be


class Collector:
    """Appends results to the spool and counts them.

    Attributes:
        tally: the counts of all rows so far.
        mistakes: the misclassified rows so far.
        samples: the rows that the report shows, of those so far.
        error_paths: the first paths of each error code, with the index in brackets if a file has several images.
    """

    def __init__(
        self, spool: Spool, total: int, progress: Callable[[int, int], None] | None, *, tolerant: bool = False
    ) -> None:
        """Start empty.

        Args:
            spool: where the rows go.
            total: number of rows there will be.
            progress: called with the rows done and `total`.
            tolerant: treat I/O errors like any other error row.
        """
        self.tally = Tally()
        self.mistakes = Mistakes()
        self.samples = Samples()
        self.error_paths: dict[str, list[str]] = {}
        self._spool = spool
        self._total = total
        self._progress = progress
        self._tolerant = tolerant
        self._io_errors = 0
        self._first_io_error = ""
        self._errors: list[tuple[str, str, str]] = []
        self._internal_errors: list[tuple[str, str, str]] = []

    def add(self, result: ChunkResult) -> None:
        """Add the result of the next chunk."""
        self._spool.append(result.encoded)
        self.tally.add(result.tally)
        self.mistakes.add(result.mistakes)
        self.samples.add(result.samples)
        for path, code, _ in result.errors:
            paths = self.error_paths.setdefault(code, [])
            if len(paths) < _MAX_PATHS:
                paths.append(path)
        self._watch_device(result.errors)
        ours = [error for error in result.errors if error[1] == INTERNAL_ERROR] if result.errors else []
        self._internal_errors += ours[: max(0, _MAX_LOGGED_ERRORS - len(self._internal_errors))]
        others = [error for error in result.errors if error[1] != INTERNAL_ERROR] if ours else result.errors
        self._errors += others[: max(0, _MAX_LOGGED_ERRORS - len(self._errors))]
        if self._progress is not None:
            self._progress(self.tally.rows, self._total)

    def check_lost(self, file_count: int) -> None:
        """Check that the disk did not disappear during the run.

        Args:
            file_count: number of image files in the inputs.

        Raises:
            InputLostError: more than a tenth of the files, and more than ten, vanished or gave I/O errors; or one gave
                an I/O error, where so many errors are not allowed.
        """
        lost = int(self.tally.errors[_VANISHED]) + self._io_errors
        if lost > _MAX_LOST and lost * _FILES_PER_LOST > file_count:
            raise InputLostError(
                f"{lost:,} of {file_count:,} files vanished or could not be read during the run; {STAYS} "
                "(if so many may be missing, say how many: --max-errors N or P%)"
            )
        if self._io_errors:
            raise InputLostError(
                f"{self._first_io_error} ({self._io_errors:,} such), and more errors than --max-errors allows; {STAYS}"
            )

    def _watch_device(self, errors: list[RowError]) -> None:
        """Count I/O errors; without `--max-errors` the first one ends the run.

        Raises:
            InputLostError: the disk or network mount of an input is gone.
        """
        for path, _, detail in errors:
            if says_device_lost(detail):
                self._io_errors += 1
                shown = f"{path}: {detail}"
                self._first_io_error = self._first_io_error or shown
                if not self._tolerant:
                    raise InputLostError(
                        f"{shown}; {STAYS} (if the disk is fine but for a few files: --max-errors N makes them rows)"
                    )

    def log_errors(self, summary: Summary) -> None:
        """Log the first errors one by one, and the number of each kind; internal errors even if --quiet."""
        for path, code, detail in self._internal_errors:
            log.error("%s: %s (%s)", path, code, detail, extra={"path": path, "code": code})
        for path, code, detail in self._errors:
            log.warning("%s: %s (%s)", path, code, detail, extra={"path": path, "code": code})
        errors = summary.tally.error_rows
        if errors:
            kinds = ", ".join(
                f"{count:,} {code}"
                for code, count in zip(ERROR_CODES, summary.tally.errors.tolist(), strict=True)
                if count
            )
            log.error(
                "%s of %s inputs could not be read (%s)%s",
                f"{errors:,}",
                f"{summary.tally.rows:,}",
                kinds,
                "; they are rows with status=error" if summary.published else "",
            )
