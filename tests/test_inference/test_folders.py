"""The folder of --sort-into for each row."""

import numpy as np
from support.predictions import batch

from batch_infer.inference.folders import FOLDERS, NOWHERE, folders_of
from batch_infer.predictions import error_number


def test_rows_belong_to_their_digit_to_review_or_to_error():
    assert [FOLDERS[folder] for folder in folders_of(batch())] == ["7", "review", "error"]


def test_what_is_no_regular_file_belongs_nowhere():
    rows = batch()
    rows.error_numbers[:] = np.array([0, 0, error_number("not_regular")], np.uint8)
    assert folders_of(rows)[2] == NOWHERE
