"""Columns of numpy arrays → Arrow record batches with the columns of the predictions.

Columns are built from buffers: `pyarrow.array` silently imports pandas (a quarter of a second).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from batch_infer.contract import (
    COLUMNS,
    ERROR_CODES,
    MILLION,
    MISTAKES_COLUMNS,
    PROBABILITY_COLUMNS,
    STATUSES,
    UNKNOWN,
)
from batch_infer.predictions import Predictions

DECIMAL = pa.decimal128(7, 6)  # 0.000000 to 1.000000, exactly
_TYPES = {
    "path": pa.string(),
    "index": pa.int64(),
    "label": pa.int8(),
    "prediction": pa.int8(),
    "confidence": DECIMAL,
    "status": pa.string(),
    "error": pa.string(),
}
_STATUS_BYTES = [status.encode() for status in STATUSES]
_ERROR_BYTES = [b"", *(code.encode() for code in ERROR_CODES)]

MISTAKES_SCHEMA = pa.schema([(name, _TYPES[name]) for name in MISTAKES_COLUMNS])


def schema(probabilities: bool) -> pa.Schema:
    """The schema of the predictions, with or without `prob_0 … prob_9`."""
    fields = [(name, _TYPES[name]) for name in COLUMNS]
    return pa.schema(fields + [(name, DECIMAL) for name in PROBABILITY_COLUMNS] * probabilities)


def record_batch(rows: Predictions, *, probabilities: bool) -> pa.RecordBatch:
    """Build the rows of one chunk as an Arrow record batch.

    Args:
        rows: the rows of one chunk.
        probabilities: add `prob_0 … prob_9`.
    """
    count = len(rows.labels)
    predicted = rows.predictions != UNKNOWN
    if isinstance(rows.paths, str):
        paths = repeated(rows.paths.encode(), count)
    else:
        paths = strings([path.encode() for path in rows.paths])
    if rows.pages is not None:
        index = _column(pa.int64(), rows.pages.astype(np.int64), rows.pages >= 0)
    elif rows.start is None:
        index = _column(pa.int64(), np.zeros(count, np.int64), np.zeros(count, bool))
    else:
        index = _column(pa.int64(), np.arange(rows.start, rows.start + count, dtype=np.int64))
    confidence = rows.probabilities_ppm[np.arange(count), rows.predictions]
    columns = [
        paths,
        index,
        _column(pa.int8(), rows.labels, rows.labels != UNKNOWN),
        _column(pa.int8(), rows.predictions, predicted),
        _decimals(confidence, predicted),
        _dictionary_strings(rows.statuses, _STATUS_BYTES),
        _dictionary_strings(rows.error_numbers, _ERROR_BYTES, rows.error_numbers != 0),
    ]
    if probabilities:
        columns += [_decimals(column, predicted) for column in rows.probabilities_ppm.T]
    return pa.RecordBatch.from_arrays(columns, schema=schema(probabilities))


def strings(values: Sequence[bytes]) -> pa.Array:
    """UTF-8 byte strings → `(n,)` strings."""
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(value) for value in values], out=offsets[1:])
    return pa.Array.from_buffers(
        pa.string(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(values))]
    )


def repeated(value: bytes, count: int) -> pa.Array:
    """One UTF-8 byte string `count` times → `(count,)` strings."""
    offsets = np.arange(count + 1, dtype=np.int32) * len(value)
    return pa.Array.from_buffers(pa.string(), count, [None, pa.py_buffer(offsets), pa.py_buffer(value * count)])


def decimals_to_ppm(decimals: pa.Array) -> npt.NDArray[np.int64]:
    """A column of DECIMAL → `(n,)` int64 in parts per million; undefined for nulls."""
    low_words = np.frombuffer(decimals.buffers()[1], np.int64)[::2]
    return low_words[decimals.offset : decimals.offset + len(decimals)]


def to_floats(batch: Any) -> Any:
    """A record batch of predictions (not a slice of one) with its DECIMAL columns as float64.

    A division gives the double nearest to the decimal in the CSV, so the two can be joined; Arrow's own cast does not.
    """
    columns, fields = [], []
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if field.type == DECIMAL:
            floats = decimals_to_ppm(column) / MILLION
            buffers = [column.buffers()[0], pa.py_buffer(floats)]
            columns.append(pa.Array.from_buffers(pa.float64(), len(column), buffers))
            fields.append(pa.field(field.name, pa.float64()))
        else:
            columns.append(column)
            fields.append(field)
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def take(batch: Any, rows: Any) -> Any:
    """Select rows `(n,)` int64 of an Arrow table or record batch (without `pyarrow.array`, which loads pandas)."""
    positions = pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(np.ascontiguousarray(rows, np.int64))])
    return batch.take(positions)


def _dictionary_strings(
    positions: npt.NDArray[np.uint8], names: list[bytes], valid: npt.NDArray[np.bool_] | None = None
) -> pa.Array:
    """Positions in a list of names → strings."""
    if len(positions) and (positions == positions[0]).all():
        column = repeated(names[positions[0]], len(positions))
    else:
        column = strings([names[position] for position in positions])
    return column if valid is None else pa.Array.from_buffers(pa.string(), len(column), _masked(column, valid))


def _masked(column: pa.Array, valid: npt.NDArray[np.bool_]) -> list[pa.Buffer | None]:
    return [_bitmap(valid), *column.buffers()[1:]]


def _decimals(ppm: npt.NDArray[np.int32], valid: npt.NDArray[np.bool_]) -> pa.Array:
    words = np.zeros((len(ppm), 2), np.int64)  # little-endian 128 bit; never negative, so the high word is 0
    words[:, 0] = ppm
    return _column(DECIMAL, words, valid)


def _column(kind: Any, values: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    buffers = [None if valid is None else _bitmap(valid), pa.py_buffer(np.ascontiguousarray(values))]
    return pa.Array.from_buffers(kind, len(values), buffers)


def _bitmap(valid: npt.NDArray[np.bool_]) -> pa.Buffer | None:
    return None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
