"""What a person at a terminal is told after a run: the report files, and the command to type next."""

import os
import shlex
from collections.abc import Sequence
from typing import Final

from batch_infer.job.summary import Summary
from batch_infer.paths import escape_path
from batch_infer.reports.files import MISTAKES
from batch_infer.reports.history import HISTORY

_MAX_COMMAND: Final = 200  # characters; a shell may have made thousands of names of a wildcard


def describe_reports(summary: Summary) -> str:
    """Name the report files, for the end of the summary line; empty if there are none."""
    if not summary.reports:
        return ""
    beside = summary.out is not None and _folder(summary.out) == _folder(summary.reports[0])
    shown = [path for path in summary.reports if not path.endswith(HISTORY)]  # that is for later runs
    names = [os.path.basename(path) if beside else path for path in shown]
    return f" · reports: {', '.join(map(escape_path, names))}"


def suggest(summary: Summary, arguments: Sequence[str]) -> str:
    """Suggest the next command.

    Args:
        summary: of the run that is over.
        arguments: that the command was called with, to be repeated.
    """
    again = shlex.join(["batch-infer", *arguments])
    if len(again) > _MAX_COMMAND:
        again = "batch-infer …"
    if summary.out is None:
        return f"{again} --out preds.csv"
    mistakes = next((path for path in summary.reports if path.endswith(MISTAKES)), None)
    if not summary.tally.labelled:
        return f"{again} --labels labels.csv (columns path,label: measures the accuracy)"
    if mistakes is not None and summary.tally.scored > summary.tally.correct:
        return f"head {shlex.quote(mistakes)} (the most confident mistakes)"
    return again if "--incremental" in arguments else f"{again} --incremental (later; only what is new or changed)"


def _folder(path: str) -> str:
    return os.path.dirname(path) or "."
