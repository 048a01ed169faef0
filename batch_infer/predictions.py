"""The rows of a chunk as columns: what classifying gives, and what outputs and reports are made of."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from batch_infer.contract import ERROR_CODES, MILLION

RowError = tuple[str, str, str]  # path, code, detail


@dataclass(frozen=True)
class Predictions:
    """The rows of one chunk, as columns.

    Attributes:
        paths: escaped; one for each row, or the one that all rows have (images of an IDX file).
        start: index of the first image in its IDX file; None for image files.
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


def quantize(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """Round probabilities to whole parts per million: `(N, 10)` float32 → int32."""
    return np.rint(probabilities * np.float32(MILLION)).astype(np.int32)


def error_number(name: str) -> int:
    """The number of an error code in a column of errors."""
    return ERROR_CODES.index(name) + 1
