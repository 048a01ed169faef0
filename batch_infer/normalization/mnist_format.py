"""Which images are in MNIST's format already: those pass bit for bit."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from batch_infer.contract import IMAGE_SIZE

SIDE: Final = IMAGE_SIZE
MIN_PEAK: Final = 192  # level; the brightest pixel has at least this
LIT: Final = 32  # pixels above this count as ink when its length is measured
LENGTHS: Final = (16, 24)  # px; of the ink's longer side
MAX_OFF_CENTRE: Final = 1.5  # px
MIDDLE: Final = SIDE // 2
MAX_BORDER: Final = 10  # pixels of the border that are not black
BLOCK: Final = 256  # images tested at a time: the intermediate arrays stay in the processor's cache

_ROW, _COLUMN = np.mgrid[:SIDE, :SIDE].reshape(2, -1)
# Comparisons give a byte of 0 or 1 for each pixel; they are counted eight at a time: all, and those of the border.
_ON_BORDER: Final = (_ROW % (SIDE - 1) == 0) | (_COLUMN % (SIDE - 1) == 0)
_COUNTED: Final = np.stack([np.ones_like(_ROW), _ON_BORDER]).astype(np.uint8).view(np.uint64)  # (2, 98)
# How far down, up, right and left a pixel is, from 1 to 28. (4, 784)
_POSITIONS: Final = np.stack([_ROW + 1, SIDE - _ROW, _COLUMN + 1, SIDE - _COLUMN]).astype(np.uint8)
_MOMENTS: Final = np.stack([np.ones_like(_ROW), _ROW - MIDDLE, _COLUMN - MIDDLE]).astype(np.float32)  # (3, 784)


def mnist_format_mask(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find which images are in MNIST's format already.

    That is: at least half of all pixels and all but 10 of the border exactly 0 (no background is left); a brightest
    pixel of at least 192; ink (above 32) that is 16 to 24 px long along its longer side; a centre of mass within 1.5 px
    of (14, 14). All of MNIST's 60,000 training images meet this with room to spare (border 94 % black, brightest pixel
    254, 18 to 20 px, 0.52 px off). The file format and its mode do not matter, only the grey values.

    Args:
        images: (N, 28, 28) uint8.

    Returns:
        (N,) bool.
    """
    blocks = range(0, len(images), BLOCK)
    return np.concatenate([_block_mask(images[start : start + BLOCK]) for start in blocks] or [np.zeros(0, np.bool_)])


def _block_mask(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    flat = np.ascontiguousarray(images).reshape(-1, SIDE * SIDE)
    words = (flat != 0).view(np.uint64)[:, np.newaxis] & _COUNTED
    # No byte overflows in a sum of 98 words whose bytes are 0 or 1. (Methods such as sum() have more overhead.)
    counts = np.add.reduce(np.add.reduce(words, 2).view(np.uint8).reshape(-1, 2, 8), 2)
    mask: NDArray[np.bool_] = (counts[:, 0] <= SIDE * SIDE // 2) & (counts[:, 1] <= MAX_BORDER)
    if not mask.any():
        return mask
    ends = np.maximum.reduce((flat > LIT)[:, np.newaxis] * _POSITIONS, 2)
    longest = np.maximum(ends[:, 0] + ends[:, 1], ends[:, 2] + ends[:, 3]) - SIDE
    # Sums of whole numbers below 2**24 are exact in float32; vecdot, unlike @, starts no threads.
    total, y, x = np.vecdot(flat.astype(np.float32)[:, np.newaxis], _MOMENTS).T
    mask &= np.maximum.reduce(flat, 1) >= MIN_PEAK
    mask &= (longest >= LENGTHS[0]) & (longest <= LENGTHS[1])
    mask &= np.maximum(np.abs(y), np.abs(x)) <= MAX_OFF_CENTRE * total
    return mask
