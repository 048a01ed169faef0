"""Which rows the report for people shows: chosen chunk by chunk, the same ones whatever order the chunks come in.

Each kind of row has an order of its own, and its first ones are shown. A worker sends a row only if it is among the
first ones that this worker has met so far, so few are sent however long the run is.
"""

from bisect import insort
from collections import defaultdict
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import CLASSES, MILLION, UNKNOWN
from batch_infer.predictions import Predictions, error_number

# The kinds: 0 to 99 are the cells of the confusion matrix, `label * 10 + prediction`.
MISTAKE: Final = CLASSES**2  # the most confident first
DOUBTFUL: Final = MISTAKE + 1  # the least confident first
REFUSED: Final = {"several_digits": MISTAKE + 2, "no_digit": MISTAKE + 3}  # drawn evenly
_LIMITS: Final = np.array([4] * MISTAKE + [200, 200, 24, 24])  # rows
MAX_ORIGINALS: Final = 200  # originals in a report, of all kinds together

# The order of a kind as one number: 20 bits of what counts, then the number of the row.
_ROW_BITS: Final = 40
_SCATTER: Final = 0x9E3779B97F4A7C15 % (1 << _ROW_BITS)  # odd, so that no two numbers become one


Choice = dict[int, int]  # of a row that was chosen: its place in the order of each kind that it belongs to


def shows_original(places: Choice) -> bool:
    """Whether a row's original may be shown: not if it only stands for a cell of the confusion matrix."""
    return max(places) >= MISTAKE


@dataclass(frozen=True)
class Sample:
    """One row that may be shown, with its pictures.

    Attributes:
        row: its number in the predictions, from 0.
        path: escaped, as in the predictions.
        index: as in the predictions, None where that is empty.
        label: -1 where unknown.
        prediction: -1 where there is none.
        ppm: the ten probabilities in parts per million.
        error: a code from contract.ERROR_CODES, or empty.
        places: its place in the order of each kind that it belongs to.
        original: a JPEG of the picture, or None.
        seen: what the model saw, 784 bytes, or None.
    """

    row: int
    path: str
    index: int | None
    label: int
    prediction: int
    ppm: tuple[int, ...]
    error: str
    places: Choice
    original: bytes | None = None
    seen: bytes | None = None


class Chooser:
    """Chooses rows in one worker."""

    def __init__(self) -> None:
        self._first = [np.empty(0, np.int64) for _ in _LIMITS]  # the first places of each kind so far
        self._bounds = np.full(len(_LIMITS), np.iinfo(np.int64).max)  # the last of them, once there are enough

    def choose(self, rows: Predictions, first_row: int) -> dict[int, Choice]:
        """Choose among the rows of a chunk → the chosen ones, by their number in the chunk.

        Args:
            rows: the rows.
            first_row: the number of the first in the predictions.
        """
        chosen: defaultdict[int, Choice] = defaultdict(dict)
        answered = np.flatnonzero(rows.predictions != UNKNOWN)
        predictions, labels = rows.predictions[answered].astype(np.int64), rows.labels[answered].astype(np.int64)
        confidence = rows.probabilities_ppm[answered, predictions].astype(np.int64)
        unsure = (confidence << _ROW_BITS) + first_row + answered
        sure = ((MILLION - confidence) << _ROW_BITS) + first_row + answered
        self._offer(DOUBTFUL, answered, unsure, chosen)
        labelled = labels != UNKNOWN
        if labelled.any():
            wrong = labelled & (labels != predictions)
            self._offer(MISTAKE, answered[wrong], sure[wrong], chosen)
            cells = np.where(labelled, labels * CLASSES + predictions, 0)
            places = np.where(wrong, sure, unsure)
            near = labelled & (places <= self._bounds[cells])
            for cell in np.unique(cells[near]).tolist():
                here = near & (cells == cell)
                self._offer(cell, answered[here], places[here], chosen)
        for code, kind in REFUSED.items():
            refused = np.flatnonzero(rows.error_numbers == error_number(code))
            if refused.size:
                self._offer(kind, refused, ((first_row + refused) * _SCATTER) % (1 << _ROW_BITS), chosen)
        return chosen

    def _offer(
        self,
        kind: int,
        rows: npt.NDArray[np.int64],
        places: npt.NDArray[np.int64],
        chosen: defaultdict[int, Choice],
    ) -> None:
        """Add rows of one kind to those chosen, if they are among the first ones so far."""
        near = places <= self._bounds[kind]
        if not near.any():
            return
        rows, places = rows[near], places[near]
        first = np.sort(np.concatenate([self._first[kind], places]))[: _LIMITS[kind]]
        self._first[kind] = first
        if len(first) == _LIMITS[kind]:
            self._bounds[kind] = first[-1]
        within = places <= first[-1]
        for row, place in zip(rows[within].tolist(), places[within].tolist(), strict=True):
            chosen[row][kind] = place


class Samples:
    """The rows that are shown, of all those that workers have chosen so far."""

    def __init__(self) -> None:
        self._first: dict[int, list[tuple[int, Sample]]] = {}

    def add(self, samples: list[Sample]) -> None:
        """Add the rows chosen in a chunk."""
        for sample in samples:
            for kind, place in sample.places.items():
                first = self._first.setdefault(kind, [])
                if len(first) < _LIMITS[kind] or place < first[-1][0]:
                    insort(first, (place, sample), key=itemgetter(0))
                    del first[_LIMITS[kind] :]

    @property
    def rows(self) -> set[int]:
        """The numbers of all of them in the predictions."""
        return {sample.row for first in self._first.values() for _, sample in first}

    def of(self, kind: int) -> list[Sample]:
        """The rows of a kind, in its order."""
        return [sample for _, sample in self._first.get(kind, ())]
