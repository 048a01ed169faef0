"""Labels of any number type → digits, or what is wrong with them."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import CLASSES, UNKNOWN
from batch_infer.errors import DamagedArrayError

LABEL_NAMES: Final = frozenset({"label", "labels", "class", "target", "digit", "y"})  # of columns, in small letters


def to_labels(values: npt.NDArray[Any], count: int, where: str) -> npt.NDArray[np.int8]:
    """Convert labels → `(count,)` int8, -1 where they are NaN.

    Args:
        values: `(n,)` or `(n, 1)` numbers, or `(n, 10)` with one 1 in each row.
        count: how many are expected.
        where: what holds them, for messages.

    Raises:
        DamagedArrayError: they are no digits, or not so many.
    """
    if values.ndim == 2 and values.shape[1] == CLASSES and set(np.unique(values)) == {0, 1}:
        if not (values.sum(axis=1) == 1).all():
            raise DamagedArrayError(f"{where}: expected one 1 in each row")
        values = values.argmax(axis=1)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise DamagedArrayError(f"{where}: shape {values.shape}, type {values.dtype}; expected labels from 0 to 9")
    if len(values) != count:
        raise DamagedArrayError(f"{where}: {len(values)} labels for {count} images")
    unknown = np.isnan(values) if values.dtype.kind == "f" else np.zeros(count, np.bool_)
    wrong = np.flatnonzero(~unknown & ((values < 0) | (values >= CLASSES) | (values != np.floor(values))))
    if wrong.size:
        raise DamagedArrayError(f"{where}: label {values[wrong[0]]:g} at index {wrong[0]}; expected 0 to 9")
    return np.where(unknown, UNKNOWN, values).astype(np.int8)
