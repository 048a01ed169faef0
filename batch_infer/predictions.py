"""The rows of a chunk as columns: the result of classification, from which outputs and reports are made."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import ERROR_CODES, MILLION

_HALF_PPM: Final = 0.4e-6  # a little less than half of one
_SUM_TOLERANCE: Final = 1e-3
NOT_PROBABILITIES: Final = (
    "the model's outputs are not probabilities: not finite, not from 0 to 1, or their sum is not 1"
)

RowError = tuple[str, str, str]  # path, code, detail


@dataclass(frozen=True)
class Predictions:
    """The rows of one chunk, as columns.

    Attributes:
        paths: escaped; one per row, or a single one for all rows (images of an IDX file).
        start: index of the first image in its IDX file; None for image files.
        pages: `(n,)` int32 index of each row in its image file, -1 for one of a single picture; None if all are.
        labels: `(n,)` int8, -1 where unknown.
        predictions: `(n,)` int8, -1 where there is none.
        probabilities_ppm: `(n, 10)` int32 probabilities in parts per million.
        statuses: `(n,)` uint8 positions in STATUSES.
        error_numbers: `(n,)` uint8 positions in ERROR_CODES plus one; 0 is no error.
        errors: `(path, code, detail)` of each row with an error, for the log.
    """

    paths: list[str] | str
    start: int | None
    labels: npt.NDArray[np.int8]
    predictions: npt.NDArray[np.int8]
    probabilities_ppm: npt.NDArray[np.int32]
    statuses: npt.NDArray[np.uint8]
    error_numbers: npt.NDArray[np.uint8]
    errors: list[RowError] = field(default_factory=list)
    pages: npt.NDArray[np.int32] | None = None


def quantize(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """Round probabilities to whole parts per million: `(N, 10)` float32 → int32."""
    return np.rint(probabilities * np.float32(MILLION)).astype(np.int32)


def capped(ppm: npt.NDArray[np.int32], most: int) -> npt.NDArray[np.int32]:
    """Lower the largest probability of each row `(N, 10)` int32 to `most` ppm, by a mixture with equal ones."""
    largest = ppm.max(axis=1, keepdims=True)
    equal = MILLION // ppm.shape[1]
    share = np.maximum(largest - most, 0) / np.maximum(largest - equal, 1)
    return np.rint(ppm + share * (equal - ppm)).astype(np.int32)


def valid_rows(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Check which rows `(N, 10)` float32 are probabilities: finite, from 0 to 1, with the sum 1 ± 0.001 → `(N,)`."""
    columns = np.ascontiguousarray(probabilities.T)  # adding ten long rows takes a fifth of the time of many short ones
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.abs(columns.sum(axis=0) - 1)
    # May exceed 0 and 1 only by what rounds to a whole ppm inside that range.
    within = (columns.min(axis=0) >= -_HALF_PPM) & (columns.max(axis=0) <= 1 + _HALF_PPM)
    return within & (off <= _SUM_TOLERANCE)  # NaN compares as False


def error_number(code: str) -> int:
    """The number that stands for an error code in `Predictions.error_numbers`."""
    return ERROR_CODES.index(code) + 1
