"""Arrow tables of predictions: decimals read back, rows taken."""

import numpy as np
from support.predictions import batch

from batch_infer.outputs.arrow import take, to_millionths


def test_millionths_are_read_back_from_decimals_also_of_a_slice():
    column = batch().table(probabilities=False)["confidence"]
    assert to_millionths(column.slice(0, 2)).tolist() == [999_999, 500_000]
    assert to_millionths(column.slice(1, 1)).tolist() == [500_000]


def test_rows_are_taken_in_the_order_asked_for():
    assert take(batch(start=0).table(probabilities=False), np.array([2, 0]))["index"].to_pylist() == [2, 0]
