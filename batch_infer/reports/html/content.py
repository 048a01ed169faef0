"""What the report for people shows: the account of one run, its pictures, and its history."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batch_infer.reports.history import PastRun
from batch_infer.reports.metrics import Tally


@dataclass(frozen=True)
class ReportRow:
    """One row of the predictions with its pictures.

    Attributes:
        path: As in the column `path` of the predictions: escaped by batch_infer.paths, not for HTML.
        index: Within the input file; None where the predictions leave it empty.
        prediction: 0 to 9, or None for an error.
        confidence: 0 to 1, or None for an error.
        label: 0 to 9, or None if it is not known.
        error: A code from the closed list, or empty.
        top: The three most probable classes with their probabilities, most probable first.
        original: A JPEG of the picture, at most 96 px wide and high, or None.
        seen: What the model saw, 28×28 bytes in row order, light ink on dark, or None.
    """

    path: str
    index: int | None
    prediction: int | None = None
    confidence: float | None = None
    label: int | None = None
    error: str = ""
    top: tuple[tuple[int, float], ...] = ()
    original: bytes | None = None
    seen: bytes | None = None


@dataclass(frozen=True)
class ErrorGroup:
    """All error rows of one code: how many, the first paths, and what to do about them."""

    code: str
    count: int
    paths: tuple[str, ...]
    advice: str


@dataclass(frozen=True)
class ReportContent:
    """Everything that the page shows, in the order of the page.

    Attributes:
        run: The object of `run.json` (inputs, model, versions, counts, notices, skipped suffixes,
            exit code, drift).
        card: The model's card as (name, text) pairs, as far as it is known.
        errors: Error rows by code, most frequent first.
        review: The most confident mistakes first, then the least confident answers.
        refused: Samples of `several_digits` and `no_digit`.
        tally: The counts of all rows (labels, confusion matrix, calibration).
        cells: Up to four rows for each (label, prediction) cell of the confusion matrix.
        confidence_counts: Answers in each of 20 equal bins of confidence from 0 to 1.
        history: Earlier runs of the same output, then this one.
        pictures: Whether pictures may be shown (`--report-pictures`).
    """

    run: Mapping[str, Any]
    card: tuple[tuple[str, str], ...] = ()
    errors: tuple[ErrorGroup, ...] = ()
    review: tuple[ReportRow, ...] = ()
    refused: tuple[ReportRow, ...] = ()
    tally: Tally = field(default_factory=Tally)
    cells: Mapping[tuple[int, int], tuple[ReportRow, ...]] = field(default_factory=dict)
    confidence_counts: tuple[int, ...] = (0,) * 20
    history: tuple[PastRun, ...] = ()
    pictures: bool = True
