"""IDX label files: MNIST's, and QMNIST's of several columns."""

import math

import numpy as np
import numpy.typing as npt

from batch_infer.contract import CLASSES
from batch_infer.errors import DamagedArrayError
from batch_infer.inputs.arrays.idx_format import INT32, UINT8, parse_header
from batch_infer.inputs.arrays.inflate import open_inflated, read_checked


def read_labels(path: str, count: int) -> npt.NDArray[np.int8]:
    """Read a whole IDX label file (also QMNIST's `idx2-int`, whose first column is the class) → `(count,)` int8, 0–9.

    Args:
        path: plain or gzip.
        count: how many labels are expected; checked before anything is allocated.

    Raises:
        DamagedArrayError: not a label file, another count, its size does not fit its header, or a label outside 0–9.
        OSError: the file cannot be read.
    """
    with open_inflated(path) as file:
        header = read_checked(lambda: parse_header(file))
        if (header.type_code, len(header.shape)) not in {(UINT8, 1), (INT32, 2)} or header.shape[1:] > (64,):
            raise DamagedArrayError(
                f"expected labels (type 0x08, 1 dimension), found type 0x{header.type_code:02x}, "
                f"{len(header.shape)} dimensions"
            )
        if header.shape[0] != count:
            raise DamagedArrayError(f"it has {header.shape[0]} labels for {count} images")
        expected = math.prod(header.shape) * (1 if header.type_code == UINT8 else 4)
        data = read_checked(lambda: file.read(expected + 1))
    if len(data) != expected:
        found = "more" if len(data) > expected else len(data)
        raise DamagedArrayError(
            f"the header says {header.shape[0]} labels, so {expected} data bytes; there are {found}"
        )
    if header.type_code == UINT8:
        labels = np.frombuffer(data, np.uint8).astype(np.int64)
    else:
        labels = np.frombuffer(data, ">i4").reshape(header.shape)[:, 0].astype(np.int64)
    wrong = np.flatnonzero((labels < 0) | (labels >= CLASSES))
    if wrong.size:
        raise DamagedArrayError(f"label {labels[wrong[0]]} at index {wrong[0]}; expected 0 to 9")
    return labels.astype(np.int8)
