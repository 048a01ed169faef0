"""Publishes the files of one run in a fixed order.

From the first rename on, a run is always completed: reports, predictions and run.json all belong to the same run.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.util import find_spec
from typing import BinaryIO

from batch_infer.errors import MissingExtraError
from batch_infer.job.publication.earlier_runs import EarlierRuns
from batch_infer.job.publication.places import Places
from batch_infer.job.publication.spool import Spool
from batch_infer.job.summary import Summary, timestamp
from batch_infer.outputs.atomic import StagedFile, output_errors, remove_orphans, stage, write_atomically
from batch_infer.outputs.formats import Csv, Format, format_for
from batch_infer.reports.files import PAGE, REPORTS, RUN_JSON, Mistakes, report_files
from batch_infer.reports.history import HISTORY, PastRun
from batch_infer.signals import signals_ignored

# The summary of the run, and the last runs with this one → the report for people.
MakePage = Callable[[Summary, tuple[PastRun, ...]], bytes]


class Outputs:
    """Where a run's rows and reports go.

    Without `out` the rows go to a stream (standard output) once they are complete, so that nobody reads half a result.

    Attributes:
        format: how the rows are encoded.
        lock_path: the lock of `out`, or None.
        state_path: the state of `--incremental`, or None.
        earlier_runs: the history, once it is read.

    Raises:
        UsageError: `out` has an unknown suffix, is not a file, or is one that the run reads.
        OutputError: a folder does not exist or cannot be written; a file is not ours, or cannot be replaced.
        MissingExtraError: what makes the reports is not installed.
    """

    def __init__(
        self,
        out: str | None,
        *,
        report: bool,
        report_dir: str | None,
        stream: BinaryIO | None,
        probabilities: bool,
        incremental: bool = False,
        sources: Iterable[tuple[str, str]] = (),
    ) -> None:
        """Determine and check the paths of all files.

        Args:
            out: the predictions file, or None.
            report: write reports.
            report_dir: folder for the reports; None for that of `out`.
            stream: where the rows go without `out`; None discards them.
            probabilities: add the columns `prob_0 … prob_9`.
            incremental: whether there is a state.
            sources: what the run reads (option or INPUT, path) and therefore must not replace.
        """
        self.format: Format = Csv(probabilities) if out is None else format_for(out, probabilities=probabilities)
        self._stream = stream
        self._places = Places.of(out, report=report, report_dir=report_dir)
        self._places.refuse_sources(sources)
        self._places.check(incremental=incremental)
        self._out = self._places.target
        self._reports = self._places.reports
        self.lock_path = self._places.lock
        self.state_path = self._places.state
        self.earlier_runs: EarlierRuns | None = None
        self._stack = contextlib.ExitStack()
        if self._reports is not None and find_spec("jinja2") is None:  # found now, not after hours of work
            raise MissingExtraError("jinja2 is not installed, which reports need; type: pip install jinja2")

    @property
    def run_json_path(self) -> str | None:
        """Path of the run.json, if there are reports."""
        return None if self._reports is None else self._reports + RUN_JSON

    def remove_orphans(self) -> None:
        """Remove temporary files that killed runs with the same outputs left; to be called with the lock held."""
        if self._out is not None:
            remove_orphans([self._out])
        remove_orphans(self._places.report_paths())
        if self._places.history is not None:
            remove_orphans([self._places.history])

    def read_history(self, notify: Callable[[str], None], *, required: bool) -> None:
        """Read the history of earlier runs; to be called with the lock held.

        Args:
            notify: called with one line if it is damaged, or not ours.
            required: whether a gate needs it.

        Raises:
            OutputError: it is required, and must not be touched.
        """
        self.earlier_runs = EarlierRuns(self._places.history, notify, required=required)

    def open(self) -> Spool:
        """Open the spool that the rows are collected in."""
        return Spool(self._out, self.format)

    def publish(self, spool: Spool, summary: Summary, mistakes: Mistakes, page: MakePage) -> Summary:
        """Rename reports, predictions, history and run.json into place, in this order.

        All are on disk before the first rename. From then on signals are ignored until this object is exited: the run
        is as good as complete.

        Args:
            spool: all rows.
            summary: the summary as it would be if nothing were published.
            mistakes: the misclassified rows.
            page: makes the report for people; called only if there are reports.

        Returns:
            The summary of the published run, as it is in run.json.
        """
        with contextlib.ExitStack() as stack:
            staged = spool.finish(stack)
            summary = replace(summary, ended=time.time(), published=True, predictions_sha256=spool.sha256)
            reports = self._stage_reports(stack, summary, mistakes, page)
            history = run_json = None
            if self._reports is not None:
                history = self._stage_history(stack, summary)
                endings = (*reports, *[HISTORY] * (history is not None), RUN_JSON)
                summary = replace(summary, reports=tuple(self._reports + ending for ending in endings))
                run_json = stack.enter_context(stage(self._reports + RUN_JSON, summary.to_json()))
            if staged is not None:
                staged.settle()
                self._stack.enter_context(signals_ignored())
            for ending in REPORTS if self._reports is not None else ():
                if ending in reports:
                    reports[ending].publish()
                else:
                    _remove(f"{self._reports}{ending}")
            if staged is not None:
                staged.publish()
            elif self._stream is not None:
                spool.copy_to(self._stream)
            for last in (history, run_json):  # a run that is in the history has published its predictions
                if last is not None:
                    last.publish()
        return summary

    def _stage_reports(
        self, stack: contextlib.ExitStack, summary: Summary, mistakes: Mistakes, page: MakePage
    ) -> dict[str, StagedFile]:
        if self._reports is None:
            return {}
        earlier = self.earlier_runs
        runs = () if earlier is None else earlier.runs(timestamp(summary.ended), summary.exit_code)
        contents = {PAGE: page(summary, runs)}
        if summary.tally.labelled:
            contents |= report_files(summary.tally, mistakes)
        return {
            ending: stack.enter_context(stage(self._reports + ending, content)) for ending, content in contents.items()
        }

    def _stage_history(self, stack: contextlib.ExitStack, summary: Summary) -> StagedFile | None:
        if self.earlier_runs is None or self.earlier_runs.path is None:
            return None
        content = self.earlier_runs.csv(timestamp(summary.ended), summary.exit_code)
        return stack.enter_context(stage(self.earlier_runs.path, content))

    def __enter__(self) -> "Outputs":
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def finish(self) -> None:
        """Let signals end the run again: what it publishes is published."""
        self._stack.close()

    def write_run_json(self, summary: Summary) -> None:
        """Write the run.json of a run that publishes nothing else, if this run has reports."""
        if self._reports is not None:
            write_atomically(self._reports + RUN_JSON, summary.to_json())


def _remove(path: str) -> None:
    with output_errors(path), contextlib.suppress(FileNotFoundError):
        os.unlink(path)
