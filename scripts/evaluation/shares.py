"""What confidence means for labelled rows: how many are right above a threshold, how many may be taken unseen."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from batch_infer.reports.metrics import CALIBRATION_BINS

TAKEN_AT: Final = 0.999  # accuracy of the rows that are taken without looking
Floats = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]


class Rows(NamedTuple):
    """Rows of predictions.

    Attributes:
        right: (N,) bool; rows with an error are wrong.
        confidence: (N,) float; 0 in rows with an error.
        answered: (N,) bool, False in rows with an error.
    """

    right: Bools
    confidence: Floats
    answered: Bools

    @property
    def accuracy(self) -> float:
        return float(self.right.mean())

    def share_above(self, threshold: float) -> float:
        """The share of rows with at least this confidence."""
        return float((self.confidence >= threshold).mean())

    def accuracy_above(self, threshold: float) -> float:
        """The accuracy of rows with at least this confidence; nan if there are none."""
        chosen = self.right[self.confidence >= threshold]
        return float(chosen.mean()) if len(chosen) else float("nan")

    def calibration_error(self) -> float:
        """Expected calibration error over equal bins of confidence, of the rows that have an answer."""
        right, confidence = self.right[self.answered], self.confidence[self.answered]
        if not len(right):
            return float("nan")
        bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
        gaps = np.bincount(bins, confidence - right, CALIBRATION_BINS)
        return float(np.abs(gaps).sum() / len(right))

    def share_taken(self, accuracy: float = TAKEN_AT) -> float:
        """The largest share of rows, the most confident ones, of which at least `accuracy` are right."""
        order = np.argsort(-self.confidence, kind="stable")
        count = np.arange(1, len(order) + 1)
        sorted_confidence = self.confidence[order]
        last_of_its_value = np.append(sorted_confidence[1:] < sorted_confidence[:-1], True)
        enough = (np.cumsum(self.right[order]) >= accuracy * count) & last_of_its_value & (sorted_confidence > 0)
        return float(count[enough].max() / len(order)) if enough.any() else 0.0


def auroc(digits: Floats, others: Floats) -> float:
    """Area under the ROC curve: the probability that a digit's confidence is above another's; ties count half."""
    ordered = np.sort(others)
    below, at_most = np.searchsorted(ordered, digits, "left"), np.searchsorted(ordered, digits, "right")
    return float((below + at_most).sum() / (2 * len(digits) * len(others)))
