"""Which folder of --sort-into each row of a chunk belongs into, as one byte per row."""

from typing import Final

import numpy as np

from batch_infer.contract import CLASSES, ERROR, LOW_CONFIDENCE, STATUSES
from batch_infer.predictions import Predictions, error_number

FOLDERS: Final = (*map(str, range(CLASSES)), "review", "error")
NOWHERE: Final = len(FOLDERS)  # not a regular file, or a link that is not followed: there is no picture to lay anywhere


def folders_of(rows: Predictions) -> bytes:
    """Find the folders of rows → `(n,)` uint8 positions in FOLDERS, or NOWHERE."""
    folders = rows.predictions.astype(np.uint8)
    folders[rows.statuses == STATUSES.index(LOW_CONFIDENCE)] = FOLDERS.index("review")
    folders[rows.statuses == STATUSES.index(ERROR)] = FOLDERS.index("error")
    folders[rows.error_numbers == error_number("not_regular")] = NOWHERE
    return folders.tobytes()
