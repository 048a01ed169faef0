"""The rows of a chunk as columns: what classifying gives, and what outputs and reports are made of."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from batch_infer.contract import ERROR_CODES, MILLION

Fault = tuple[str, str, str]  # path, code, detail


@dataclass(frozen=True)
class Predictions:
    """The rows of one chunk, as columns.

    Attributes:
        paths: escaped; one for each row, or the one that all rows have (images of an IDX file).
        start: index of the first image in its IDX file; None for image files.
        labels: `(n,)` int8, -1 where unknown.
        predictions: `(n,)` int8, -1 where there is none.
        millionths: `(n, 10)` int32 probabilities.
        statuses: `(n,)` uint8 positions in STATUSES.
        errors: `(n,)` uint8 positions in ERROR_CODES plus one; 0 is no error.
        faults: `(path, code, detail)` of each row with an error, for the log.
    """

    paths: list[str] | str
    start: int | None
    labels: npt.NDArray[np.int8]
    predictions: npt.NDArray[np.int8]
    millionths: npt.NDArray[np.int32]
    statuses: npt.NDArray[np.uint8]
    errors: npt.NDArray[np.uint8]
    faults: list[Fault] = field(default_factory=list)


def to_millionths(probabilities: npt.NDArray[np.float32]) -> npt.NDArray[np.int32]:
    """Round probabilities to integers in millionths: `(N, 10)` float32 → int32."""
    return np.rint(probabilities * np.float32(MILLION)).astype(np.int32)


def fault_code(name: str) -> int:
    """The number of an error code in a column of errors."""
    return ERROR_CODES.index(name) + 1
