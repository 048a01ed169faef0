"""Where the marks of the charts are: coordinates for the drawings in templates/charts.html."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from batch_infer.contract import MILLION
from batch_infer.reports.metrics import Tally, wilson_interval

SIDE: Final = 240  # of the plots, in the units of the drawing
_LARGEST: Final = 7  # radius of the dot of all rows


@dataclass(frozen=True)
class Dot:
    """A bin of the reliability diagram: where it is, its 95 % interval, and what it says."""

    x: float
    y: float
    top: float
    bottom: float
    radius: float
    rows: int
    confidence: float
    correct: float


@dataclass(frozen=True)
class Bar:
    """A bin of the histogram: where it is, and what it says."""

    x: float
    y: float
    width: float
    height: float
    start: float
    end: float
    rows: int


@dataclass(frozen=True)
class Histogram:
    """Bars with the marks of their axis, as (position, number)."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, int], ...]


def reliability(tally: Tally) -> tuple[Dot, ...]:
    """The dots of the reliability diagram: mean confidence and share of right answers of each bin with rows."""
    dots = []
    for rows, confidence, correct in tally.calibration.tolist():
        if not rows:
            continue
        low, high = wilson_interval(correct, rows)
        x, y, radius = confidence / MILLION / rows, correct / rows, math.sqrt(rows / tally.scored)
        dots.append(
            Dot(
                x=_round(SIDE * x),
                y=_round(SIDE * (1 - y)),
                top=_round(SIDE * (1 - high)),
                bottom=_round(SIDE * (1 - low)),
                radius=_round(max(2.5, _LARGEST * radius)),
                rows=rows,
                confidence=x,
                correct=y,
            )
        )
    return tuple(dots)


def histogram(counts: Sequence[int]) -> Histogram | None:
    """The bars of the histogram of confidence, on a logarithmic scale; None without rows."""
    most = max(counts, default=0)
    if not most:
        return None
    decades = max(1, math.ceil(math.log10(most + 1)))
    width = SIDE / len(counts)

    def height(rows: int) -> float:
        return SIDE * math.log10(rows + 1) / math.log10(10**decades + 1)

    bars = tuple(
        Bar(
            x=_round(number * width + 0.75),
            y=_round(SIDE - height(rows)),
            width=_round(width - 1.5),
            height=_round(height(rows)),
            start=number / len(counts),
            end=(number + 1) / len(counts),
            rows=rows,
        )
        for number, rows in enumerate(counts)
    )
    numbers = [0, *(10**power for power in range(decades + 1))]
    return Histogram(bars, tuple((_round(SIDE - height(number)), number) for number in numbers))


def _round(number: float) -> float:
    return round(number, 1)
