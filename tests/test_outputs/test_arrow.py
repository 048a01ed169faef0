"""Arrow tables of predictions: decimals read back, rows taken."""

import numpy as np
from support.predictions import batch

from batch_infer.outputs.arrow import decimals_to_ppm, record_batch, take


def test_parts_per_million_are_read_back_from_decimals_also_of_a_slice():
    column = record_batch(batch(), probabilities=False)["confidence"]
    assert decimals_to_ppm(column.slice(0, 2)).tolist() == [999_999, 500_000]
    assert decimals_to_ppm(column.slice(1, 1)).tolist() == [500_000]


def test_rows_are_taken_in_the_order_asked_for():
    assert take(record_batch(batch(start=0), probabilities=False), np.array([2, 0]))["index"].to_pylist() == [2, 0]
