"""Pictures whose logits the exporter writes into the model, so that a runner can tell a damaged one."""

import numpy as np
import numpy.typing as npt

from batch_infer.contract import IMAGE_SIZE


def self_test_images() -> npt.NDArray[np.uint8]:
    """Three pictures `(3, 28, 28)` uint8: all 0, all 255, and a drawn seven.

    Blank and full reach every weight: a NaN or infinite one shows in their logits whatever it is multiplied with.
    """
    images = np.zeros((3, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    images[1] = 255
    seven = images[2]
    seven[6:9, 7:21] = 255
    for row in range(9, 24):
        column = 19 - (row - 9) // 2
        seven[row, column - 2 : column + 1] = 255
        seven[row, [column - 3, column + 1]] = 96  # soft edges, as a scanned stroke has them
    return images
