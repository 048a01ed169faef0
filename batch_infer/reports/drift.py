"""Drift: how far tonight's predictions and confidences are from those of earlier runs of the same output."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from batch_infer.reports.history import PastRun

MIN_ROWS: Final = (
    300  # with a prediction, tonight and in the earlier runs together; of fewer, chance gives 0.2 and more
)
# Siddiqi 2006, Credit Risk Scorecards: below the first nothing has changed, above the second much has.
_SOME_CHANGE: Final = 0.1
_LARGE_CHANGE: Final = 0.25
_EMPTY: Final = 0.5  # rows that are added to each class or bin


@dataclass(frozen=True)
class Drift:
    """The population stability index (PSI) of a run against the earlier runs of its output.

    Attributes:
        classes: PSI of the predicted classes; None if there are too few rows.
        confidence: PSI of the confidences; None if there are too few rows of the same model.
        runs: earlier runs that the classes were compared with.
        rows: their rows with a prediction.
        confidence_runs: those of them whose confidences can be compared: same model, normalization and `fit`.
        confidence_rows: their rows with a prediction.
        words: what that means, for people.
    """

    classes: float | None
    confidence: float | None
    runs: int
    rows: int
    confidence_runs: int
    confidence_rows: int
    words: str

    def to_json(self) -> dict[str, Any]:
        """The object `drift` of run.json."""
        return asdict(self)


def population_stability_index(baseline: Sequence[int], now: Sequence[int]) -> float:
    """Compute the PSI of two histograms of the same classes or bins.

    It is the sum over the classes of (a - e) ln(a / e), where `a` and `e` are the shares of a class now and in the
    baseline (Lewis 1994, An Introduction to Credit Scoring; as a distance of two distributions: Jeffreys 1946). Half a
    row is added to each count first, so that an empty class gives a finite value (Krichevsky and Trofimov 1981).

    Args:
        baseline: rows of each class or bin.
        now: the same, as many.
    """
    total = sum(baseline) + _EMPTY * len(baseline), sum(now) + _EMPTY * len(now)
    shares = [((e + _EMPTY) / total[0], (a + _EMPTY) / total[1]) for e, a in zip(baseline, now, strict=True)]
    return math.fsum((a - e) * math.log(a / e) for e, a in shares)


def measure_drift(earlier: Sequence[PastRun], now: PastRun) -> Drift:
    """Compare a run with the earlier ones of its output, their rows taken together.

    The confidences of another model, another normalization or another `--fit` say nothing about the pictures, so runs
    of those count for the classes only.
    """
    alike = [run for run in earlier if run.way == now.way]
    rows, confidence_rows = (sum(run.predicted_rows for run in runs) for runs in (earlier, alike))
    classes = confidence = None
    if min(rows, now.predicted_rows) >= MIN_ROWS:
        pooled = [sum(counts) for counts in zip(*(run.predicted for run in earlier), strict=True)]
        classes = round(population_stability_index(pooled, now.predicted), 6)
    if min(confidence_rows, now.predicted_rows) >= MIN_ROWS:
        pooled = [sum(counts) for counts in zip(*(run.confidences for run in alike), strict=True)]
        confidence = round(population_stability_index(pooled, now.confidences), 6)
    parts = [
        f"predicted classes: {_words(classes, rows, len(earlier), now.predicted_rows)}",
        f"confidence: {_words(confidence, confidence_rows, len(alike), now.predicted_rows)}",
    ]
    if len(alike) < len(earlier):
        others = len(earlier) - len(alike)
        parts.append(
            f"{others} earlier run{'s' * (others != 1)} of another model, version or --fit: no baseline for confidence"
        )
    return Drift(classes, confidence, len(earlier), rows, len(alike), confidence_rows, "; ".join(parts))


def _words(psi: float | None, rows: int, runs: int, now: int) -> str:
    past = f"{rows:,} rows of {runs} earlier run{'s' * (runs != 1)}" if runs else "no earlier run"
    if psi is None:
        return f"too few to tell ({now:,} rows now, {past}; {MIN_ROWS} needed)"
    change = "no" if psi < _SOME_CHANGE else "some" if psi < _LARGE_CHANGE else "large"
    return f"{change} change (PSI {psi:.3f} against {past})"
