"""Pictures that a model is tested on when it is opened: three with known logits, and a varied batch."""

from typing import Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import IMAGE_SIZE, MODEL_BATCH

SELF_TEST_IMAGES: Final = 3


def self_test_images() -> npt.NDArray[np.uint8]:
    """Three pictures `(3, 28, 28)` uint8: all 0, all 255, and a drawn seven; the exporter writes their logits.

    The blank and the full image reach every weight: a NaN or infinite one shows in their logits whatever its factor is.
    """
    images = np.zeros((SELF_TEST_IMAGES, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    images[1] = 255
    seven = images[2]
    seven[6:9, 7:21] = 255
    for row in range(9, 24):
        column = 19 - (row - 9) // 2
        seven[row, column - 2 : column + 1] = 255
        seven[row, [column - 3, column + 1]] = 96  # soft edges, as a scanned stroke has them
    return images


def trial_batch() -> npt.NDArray[np.uint8]:
    """One batch `(256, 28, 28)` uint8: the three, then rings, strokes, both, and half rings, all different.

    A model assigns them to many classes, with high and low confidence, so wrong probabilities show up.
    """
    number = np.arange(MODEL_BATCH, dtype=np.float32)[:, None, None]
    y, x = np.mgrid[:IMAGE_SIZE, :IMAGE_SIZE].astype(np.float32)
    y, x = y - (IMAGE_SIZE - 1) / 2 - (number % 9 - 4) / 2, x - (IMAGE_SIZE - 1) / 2
    kind, angle = number % 4, number * np.float32(2.4)  # the golden angle: spread evenly whatever the count
    height, width = 5 + number % 5, 3 + number % 7  # half axes of the ring, pixels
    ring = np.abs(np.sqrt(np.square(y / height) + np.square(x / width)) - 1) * np.minimum(height, width)
    ring = ring + np.where((kind == 3) & (y > 0), np.float32(9), np.float32(0))
    along, across = y * np.cos(angle) + x * np.sin(angle), y * np.sin(angle) - x * np.cos(angle)
    stroke = np.sqrt(np.square(across) + np.square(np.maximum(np.abs(along) - 9, 0)))
    distance = np.where(kind == 0, stroke, np.where(kind == 1, np.minimum(ring, stroke), ring))
    images = np.clip(255 * (2.2 - distance), 0, 255).astype(np.uint8)
    images[:SELF_TEST_IMAGES] = self_test_images()
    return images
