"""Parquet and CSV say the same numbers: the nearest double of every decimal with six digits."""

import numpy as np
import pyarrow as pa

from batch_infer.contract import MILLION
from batch_infer.outputs.arrow import DECIMAL, to_floats


def test_each_of_the_1_000_001_probabilities_is_the_double_that_its_decimal_is_read_as():
    ppm = np.arange(MILLION + 1)
    words = np.zeros((len(ppm), 2), np.int64)
    words[:, 0] = ppm
    decimals = pa.Array.from_buffers(DECIMAL, len(ppm), [None, pa.py_buffer(words)])
    (floats,) = to_floats(pa.RecordBatch.from_arrays([decimals], names=["confidence"])).columns
    expected = [float(f"0.{number:06d}") for number in range(MILLION)] + [1.0]
    assert floats.type == pa.float64()
    assert np.array_equal(np.frombuffer(floats.buffers()[1]), expected)


def test_rows_without_a_probability_stay_null_and_other_columns_as_they_are():
    decimals = pa.array([None, "0.999998"], pa.string()).cast(DECIMAL)
    batch = pa.RecordBatch.from_arrays([decimals, pa.array(["a", "b"])], names=["confidence", "path"])
    assert to_floats(batch).to_pydict() == {"confidence": [None, 0.999998], "path": ["a", "b"]}
