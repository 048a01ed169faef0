"""Whether this run differs from earlier ones: small lines, and drift."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from batch_infer.reports.history import PastRun
from batch_infer.reports.html.content import ReportContent
from batch_infer.reports.html.words import moment, percent

WIDTH: Final = 300
HEIGHT: Final = 44
_EDGE: Final = 4
_BETWEEN: Final = re.compile(r"; (?![^(]*\))")  # outside brackets


@dataclass(frozen=True)
class Line:
    """A small line: what it shows, its pieces as `x,y x,y …`, its last dot, and the numbers beside it."""

    name: str
    pieces: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    last: tuple[float, float] | None
    now: str
    lowest: str
    highest: str


@dataclass(frozen=True)
class Past:
    """One run of the table."""

    finished: str
    rows: int
    errors: str
    accuracy: str
    confidence: str


@dataclass(frozen=True)
class History:
    """Runs of the same output, oldest first, as lines and as a table; drift in sentences, none if it is not known."""

    lines: tuple[Line, ...]
    runs: tuple[Past, ...]
    drift: tuple[str, ...]


def history(content: ReportContent) -> History:
    """Make the lines of accuracy, errors and confidence."""
    runs = content.history
    values: tuple[tuple[str, Callable[[PastRun], float | None]], ...] = (
        ("Accuracy", lambda run: run.accuracy),
        ("Errors", _errors),
        ("Mean confidence", lambda run: run.mean_confidence),
    )
    lines = (_line(name, [value(run) for run in runs]) for name, value in values) if len(runs) > 1 else ()
    table = (
        Past(moment(run.finished), run.rows, percent(_errors(run)), percent(run.accuracy), percent(run.mean_confidence))
        for run in runs
    )
    return History(tuple(line for line in lines if line), tuple(table), _drift(content.run.get("drift")))


def _drift(drift: Mapping[str, Any] | None) -> tuple[str, ...]:
    words = filter(None, _BETWEEN.split(str((drift or {}).get("words", ""))))
    return tuple(f"{part[0].upper()}{part[1:]}." for part in words)


def _errors(run: PastRun) -> float | None:
    return run.errors / run.rows if run.rows else None


def _line(name: str, values: Sequence[float | None]) -> Line | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    step = (WIDTH - 2 * _EDGE) / (len(values) - 1)

    def place(number: int, value: float) -> tuple[float, float]:
        height = (value - low) / (high - low) if high > low else 0.5
        return round(_EDGE + number * step, 1), round(HEIGHT - _EDGE - height * (HEIGHT - 2 * _EDGE), 1)

    pieces: list[list[tuple[float, float]]] = [[]]
    for number, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(place(number, value))
    last = values[-1]
    return Line(
        name,
        tuple(" ".join(f"{x},{y}" for x, y in piece) for piece in pieces if len(piece) > 1),
        tuple(piece[0] for piece in pieces if len(piece) == 1),
        None if last is None else place(len(values) - 1, last),
        percent(last),
        percent(low),
        percent(high),
    )
