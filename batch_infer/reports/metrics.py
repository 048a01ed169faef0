"""Metrics: confusion matrix, precision/recall/F1, calibration, log-loss, confidence intervals.

Everything is counted in integers, so the tallies of parts add up to the same total in any order.
"""

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import CLASSES, ERROR_CODES, MILLION, STATUSES, UNKNOWN

Int64Array = npt.NDArray[np.int64]

CALIBRATION_BINS: Final = 15  # Guo et al. 2017
# Upper bounds of the bins of the confidence histogram, in ppm: twentieths, the last one divided, where most rows are.
CONFIDENCE_BOUNDS: Final = (*range(50_000, 1_000_000, 50_000), 990_000, 999_000, MILLION)
_BOUNDS: Final = np.array(CONFIDENCE_BOUNDS, np.int32)
_LOSS_UNIT: Final = 1e-9  # log-losses are summed as integer billionths of a nat


@dataclass
class Tally:
    """Counts over rows of predictions.

    Attributes:
        statuses: `(3,)` rows by status, in the order of contract.STATUSES.
        errors: `(13,)` rows by error code, in the order of contract.ERROR_CODES.
        confusion: `(10, 10)` labelled and predicted rows; rows are true classes, columns predicted ones.
        unpredicted: `(10,)` labelled rows without a prediction, by label.
        calibration: `(15, 3)` by confidence bin: rows, sum of confidences (parts per million), correct ones.
        loss: sum of the log-losses of labelled and predicted rows, in billionths of a nat.
        predicted: `(10,)` rows by predicted class, labelled or not.
        confidence: `(22,)` rows with a prediction by confidence; bin `i` ends at `CONFIDENCE_BOUNDS[i]`, inclusive.
        confidence_sum: sum of their confidences, in parts per million.
    """

    statuses: Int64Array = field(default_factory=lambda: np.zeros(len(STATUSES), np.int64))
    errors: Int64Array = field(default_factory=lambda: np.zeros(len(ERROR_CODES), np.int64))
    confusion: Int64Array = field(default_factory=lambda: np.zeros((CLASSES, CLASSES), np.int64))
    unpredicted: Int64Array = field(default_factory=lambda: np.zeros(CLASSES, np.int64))
    calibration: Int64Array = field(default_factory=lambda: np.zeros((CALIBRATION_BINS, 3), np.int64))
    loss: int = 0
    predicted: Int64Array = field(default_factory=lambda: np.zeros(CLASSES, np.int64))
    confidence: Int64Array = field(default_factory=lambda: np.zeros(len(CONFIDENCE_BOUNDS), np.int64))
    confidence_sum: int = 0

    def add(self, other: "Tally") -> None:
        """Add the counts of other rows."""
        self.statuses += other.statuses
        self.errors += other.errors
        self.confusion += other.confusion
        self.unpredicted += other.unpredicted
        self.calibration += other.calibration
        self.loss += other.loss
        self.predicted += other.predicted
        self.confidence += other.confidence
        self.confidence_sum += other.confidence_sum

    @property
    def rows(self) -> int:
        """All rows."""
        return int(self.statuses.sum())

    @property
    def error_rows(self) -> int:
        """Rows with status `error`."""
        return int(self.errors.sum())

    @property
    def predicted_rows(self) -> int:
        """Rows with a prediction."""
        return int(self.predicted.sum())

    @property
    def mean_confidence(self) -> float:
        """Mean confidence of the rows with a prediction, 0 to 1; nan without any."""
        return self.confidence_sum / MILLION / self.predicted_rows if self.predicted_rows else math.nan

    @property
    def labelled(self) -> int:
        """Rows with a label, errors included."""
        return int(self.confusion.sum() + self.unpredicted.sum())

    @property
    def scored(self) -> int:
        """Rows with a label and a prediction."""
        return int(self.confusion.sum())

    @property
    def correct(self) -> int:
        """Rows whose prediction is their label."""
        return int(self.confusion.trace())

    @property
    def log_loss(self) -> float:
        """Mean negative log-probability of the label in nats over scored rows; nan without any."""
        return self.loss * _LOSS_UNIT / self.scored if self.scored else math.nan

    @property
    def calibration_error(self) -> float:
        """Expected calibration error over 15 equal bins of confidence (Guo et al. 2017); nan without scored rows."""
        if not self.scored:
            return math.nan
        _, confidence, correct = self.calibration.T
        return float(np.abs(confidence / MILLION - correct).sum() / self.scored)


def tally(
    *,
    labels: npt.NDArray[np.int8],
    predictions: npt.NDArray[np.int8],
    probabilities_ppm: npt.NDArray[np.int32],
    statuses: npt.NDArray[np.uint8],
    error_numbers: npt.NDArray[np.uint8],
) -> Tally:
    """Count rows.

    Args:
        labels: `(n,)` 0–9 or -1 where unknown.
        predictions: `(n,)` 0–9 or -1 where there is none.
        probabilities_ppm: `(n, 10)` probabilities in parts per million.
        statuses: `(n,)` positions in contract.STATUSES.
        error_numbers: `(n,)` positions in contract.ERROR_CODES plus one; 0 is no error.
    """
    counts = Tally()
    counts.statuses += np.bincount(statuses, minlength=len(STATUSES))
    counts.errors += np.bincount(error_numbers, minlength=len(ERROR_CODES) + 1)[1:]
    predicted = np.flatnonzero(predictions != UNKNOWN)
    classes = predictions[predicted].astype(np.intp)
    confidence = probabilities_ppm[predicted, classes]
    counts.predicted += np.bincount(classes, minlength=CLASSES)
    counts.confidence += np.bincount(np.searchsorted(_BOUNDS, confidence), minlength=len(_BOUNDS))
    counts.confidence_sum = int(confidence.sum(dtype=np.int64))
    labelled = labels != UNKNOWN
    if not labelled.any():
        return counts
    scored = labelled & (predictions != UNKNOWN)
    counts.unpredicted += np.bincount(labels[labelled & ~scored], minlength=CLASSES)
    y_true, y_pred = labels[scored].astype(np.intp), predictions[scored].astype(np.intp)
    counts.confusion += np.bincount(y_true * CLASSES + y_pred, minlength=CLASSES**2).reshape(CLASSES, CLASSES)
    rows = np.flatnonzero(scored)
    # A probability that rounds to zero counts as half a ppm, so that the loss stays finite.
    probability_of_label = np.maximum(probabilities_ppm[rows, y_true], 0.5) / MILLION
    counts.loss = int(np.rint(-np.log(probability_of_label) / _LOSS_UNIT).sum())
    confidence = probabilities_ppm[rows, y_pred].astype(np.int64)
    # Bins are (0, 1/15], (1/15, 2/15], …; ceil in integers, as a confidence on a bound belongs to the lower bin.
    bins = np.clip(-(-confidence * CALIBRATION_BINS // MILLION) - 1, 0, CALIBRATION_BINS - 1)
    for column, weights in enumerate((np.ones_like(confidence), confidence, (y_true == y_pred).astype(np.int64))):
        np.add.at(counts.calibration[:, column], bins, weights)
    return counts


@dataclass(frozen=True)
class ClassScores:
    """Precision, recall and F1 of each class; a quotient with denominator 0 is 0, as in scikit-learn.

    Attributes:
        support: `(10,)` labelled rows of the class, errors included.
        predicted: `(10,)` labelled rows predicted as the class.
        correct: `(10,)` rows that are both.
        precision: `(10,)` correct / predicted.
        recall: `(10,)` correct / support.
        f1: `(10,)` harmonic mean of the two.
    """

    support: Int64Array
    predicted: Int64Array
    correct: Int64Array
    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    f1: npt.NDArray[np.float64]


def class_scores(confusion: Int64Array, unpredicted: Int64Array | None = None) -> ClassScores:
    """Compute the scores of each class.

    Args:
        confusion: `(10, 10)`, rows are true classes, columns predicted ones.
        unpredicted: `(10,)` labelled rows without a prediction; they count as wrong in recall.
    """
    support = confusion.sum(axis=1) + (0 if unpredicted is None else unpredicted)
    predicted, correct = confusion.sum(axis=0), confusion.diagonal().copy()
    precision, recall = ratio(correct, predicted), ratio(correct, support)
    return ClassScores(support, predicted, correct, precision, recall, ratio(2 * correct, predicted + support))


def ratio(numerator: Int64Array, denominator: Int64Array) -> npt.NDArray[np.float64]:
    """Divide `(n,)` by `(n,)` element by element → `(n,)` float64; 0 where the denominator is 0."""
    return np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator != 0)


def wilson_interval(correct: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """Compute the 95 % score interval of a proportion (Wilson 1927); (0, 1) if there are no observations."""
    if total == 0:
        return 0.0, 1.0
    proportion, spread = correct / total, z * z / total
    centre = proportion + spread / 2
    half = z * math.sqrt(proportion * (1 - proportion) / total + spread / (4 * total))
    return max(0.0, (centre - half) / (1 + spread)), min(1.0, (centre + half) / (1 + spread))
