"""How many answers are right: in all, by class, and which digits are taken for which."""

from dataclasses import dataclass
from typing import Final

from batch_infer.contract import CLASSES
from batch_infer.reports.html.content import ReportContent
from batch_infer.reports.html.pictures import Pictures
from batch_infer.reports.html.review import Card, card
from batch_infer.reports.metrics import class_scores, wilson_interval

_LEVELS: Final = (0.0, 0.005, 0.01, 0.02, 0.05)  # share of the rows of a class above which a cell has the next colour
_PICTURES: Final = 4


@dataclass(frozen=True)
class Cell:
    """A cell of the confusion matrix.

    Attributes:
        label: the true class.
        prediction: the predicted class.
        rows: how many.
        level: of its colour; 0 for none.
        pictures: of some of its rows.
    """

    label: int
    prediction: int
    rows: int
    level: int
    pictures: tuple[Card, ...]

    @property
    def name(self) -> str:
        """The anchor of its pictures."""
        return f"c{self.label}{self.prediction}"


@dataclass(frozen=True)
class ClassRow:
    """A class: its row of the confusion matrix, and its scores."""

    digit: int
    cells: tuple[Cell, ...]
    unpredicted: int
    support: int
    correct: int
    predicted: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Accuracy:
    """All that labels tell.

    Attributes:
        labelled: rows with a label.
        correct: rows whose prediction is their label.
        share: of these in those.
        low: lower end of the 95 % interval of the share.
        high: upper end.
        unpredicted: labelled rows without an answer; they count as wrong.
        scored: labelled rows with an answer.
        log_loss: in nats.
        calibration_error: 0 to 1.
        classes: one for each digit.
    """

    labelled: int
    correct: int
    share: float
    low: float
    high: float
    unpredicted: int
    scored: int
    log_loss: float
    calibration_error: float
    classes: tuple[ClassRow, ...]

    @property
    def pictured(self) -> tuple[Cell, ...]:
        """The cells that lead to pictures."""
        return tuple(cell for row in self.classes for cell in row.cells if cell.pictures)


def accuracy(content: ReportContent, pictures: Pictures) -> Accuracy | None:
    """Take from the counts what labels tell; None without labels."""
    tally = content.tally
    if not tally.labelled:
        return None
    scores = class_scores(tally.confusion, tally.unpredicted)
    low, high = wilson_interval(tally.correct, tally.labelled)
    return Accuracy(
        labelled=tally.labelled,
        correct=tally.correct,
        share=tally.correct / tally.labelled,
        low=low,
        high=high,
        unpredicted=int(tally.unpredicted.sum()),
        scored=tally.scored,
        log_loss=tally.log_loss,
        calibration_error=tally.calibration_error,
        classes=tuple(
            ClassRow(
                digit=digit,
                cells=_cells(content, digit, int(scores.support[digit]), pictures),
                unpredicted=int(tally.unpredicted[digit]),
                support=int(scores.support[digit]),
                correct=int(scores.correct[digit]),
                predicted=int(scores.predicted[digit]),
                precision=float(scores.precision[digit]),
                recall=float(scores.recall[digit]),
                f1=float(scores.f1[digit]),
            )
            for digit in range(CLASSES)
        ),
    )


def _cells(content: ReportContent, label: int, support: int, pictures: Pictures) -> tuple[Cell, ...]:
    cells = []
    for prediction, rows in enumerate(content.tally.confusion[label].tolist()):
        wrong = label != prediction
        level = sum(rows / support > bound for bound in _LEVELS) if support and wrong else 0
        shown = content.cells.get((label, prediction), ())[:_PICTURES] if content.pictures else ()
        cells.append(Cell(label, prediction, rows, level, tuple(card(row, pictures) for row in shown)))
    return tuple(cells)
