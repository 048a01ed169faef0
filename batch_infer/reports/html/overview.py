"""What ran, and what came of it: the head of the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from batch_infer.contract import STATUSES
from batch_infer.reports.html.content import ErrorGroup, ReportContent
from batch_infer.reports.html.words import EXIT_MEANINGS, OTHER_EXIT, STATUS_MEANINGS, TOLERATED, duration, moment

_MAX_INPUTS: Final = 10
_MAX_SUFFIXES: Final = 20
_SKIPPED: Final = {"none": "without a suffix", "other": "other suffixes"}


@dataclass(frozen=True)
class Status:
    """How many rows have a status, and the width of their bar: 0 to 100."""

    name: str
    meaning: str
    rows: int
    share: float


@dataclass(frozen=True)
class Overview:
    """The head of the page.

    Attributes:
        name: of the predictions file, without its folders.
        finished: when, for people.
        exit_code: of the process.
        meaning: of the exit code.
        error: message of what ended the run, or empty.
        gates: one line for each gate that failed.
        facts: what ran, as (name, lines) pairs.
        card: of the model.
        rows: of the predictions.
        statuses: how many rows have each.
        errors: by code.
        notices: of the run.
        skipped: (what, how many) of files and folders that were not read.
    """

    name: str
    finished: str
    exit_code: int
    meaning: str
    error: str
    gates: tuple[str, ...]
    facts: tuple[tuple[str, tuple[str, ...]], ...]
    card: tuple[tuple[str, str], ...]
    rows: int
    statuses: tuple[Status, ...]
    errors: tuple[ErrorGroup, ...]
    notices: tuple[str, ...]
    skipped: tuple[tuple[str, int], ...]


def overview(content: ReportContent) -> Overview:
    """Take from the account of a run what the head of the page says."""
    run, tally = content.run, content.tally
    rows, exit_code = tally.rows, run.get("exit_code", 0)
    counts = zip(STATUSES, tally.statuses.tolist(), strict=True)
    return Overview(
        name=(run.get("predictions") or "predictions").rpartition("/")[2],
        finished=moment(run.get("ended") or ""),
        exit_code=exit_code,
        meaning=TOLERATED if exit_code == 0 and tally.error_rows else EXIT_MEANINGS.get(exit_code, OTHER_EXIT),
        error=run.get("error") or "",
        gates=tuple(run.get("gates_failed") or ()),
        facts=tuple((name, lines) for name, lines in _facts(run, card=bool(content.card)) if lines),
        card=content.card,
        rows=rows,
        statuses=tuple(Status(name, STATUS_MEANINGS[name], n, 100 * n / rows if rows else 0) for name, n in counts),
        errors=content.errors,
        notices=tuple(run.get("notices") or ()),
        skipped=_skipped(run),
    )


def _facts(run: Mapping[str, Any], *, card: bool) -> list[tuple[str, tuple[str, ...]]]:
    inputs, model = tuple(run.get("inputs") or ()), run.get("model") or {}
    if len(inputs) > _MAX_INPUTS:
        inputs = (*inputs[:_MAX_INPUTS], f"… and {len(inputs) - _MAX_INPUTS:,} more")
    recipe, sha256 = model.get("recipe"), model.get("sha256")
    about = [] if card else [f"{name} {text}" for name, text in (("recipe", recipe), ("SHA-256", sha256)) if text]
    versions = [f"{name} {version}" for name, version in (run.get("versions") or {}).items() if version]
    return [
        ("Inputs", inputs),
        ("Predictions", (run["predictions"],) if run.get("predictions") else ()),
        ("Model", tuple(filter(None, (model.get("path"), ", ".join(about))))),
        ("Time", _time(run)),
        ("Versions", (", ".join(versions),) if versions else ()),
    ]


def _time(run: Mapping[str, Any]) -> tuple[str, ...]:
    started, ended, speed = run.get("started"), run.get("ended"), run.get("images_per_second")
    if not started or not ended:
        return ()
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
    took = f"{moment(started)}, {duration(seconds)}"
    return (took + (f", {speed:,.0f} images per second" if speed else ""),)


def _skipped(run: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    suffixes = [(_SKIPPED.get(name, name), count) for name, count in (run.get("skipped_suffixes") or {}).items()]
    more = sum(count for _, count in suffixes[_MAX_SUFFIXES:])
    reasons = (run.get("skipped") or {}).items()
    return (
        *suffixes[:_MAX_SUFFIXES],
        *([("further suffixes", more)] if more else []),
        *((name.replace("_", " "), count) for name, count in reasons if name != "other_suffix" and count),
    )
