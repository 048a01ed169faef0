"""Which images are in MNIST's format already, one or a whole batch at a time: those pass bit for bit."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

SIDE: Final = 28
MIN_PEAK: Final = 192  # the brightest pixel is at least that
LIT: Final = 32  # pixels above count as ink when its length is measured
LENGTHS: Final = (16, 24)  # px; of the ink's longer side
MAX_OFF_CENTRE: Final = 1.5  # px
MIDDLE: Final = 14
BLOCK: Final = 128  # images looked at in one go: what is computed of them stays in the cache
MAX_BORDER: Final = 10  # pixels of the border that are not black


def _weights() -> NDArray[np.float32]:
    """Rows to weigh pixels by: all, row, column; and, for pixels that are not black, all and border. (5, 784)."""
    row, column = np.mgrid[:SIDE, :SIDE].reshape(2, -1)
    border = (row % (SIDE - 1) == 0) | (column % (SIDE - 1) == 0)
    everything = np.ones_like(row)
    return np.stack([everything, row, column, everything, border]).astype(np.float32)


_WEIGHTS: Final = _weights()
_POSITION: Final = np.arange(SIDE)


def is_mnist_format(image: NDArray[np.uint8]) -> bool:
    """Whether a picture is in MNIST's format already.

    That is: 28 x 28; at least half of all pixels and all but 10 of the border exactly 0 (the paper is gone); a
    brightest pixel of at least 192; lit pixels (above 32) 16 to 24 px along the longer side; their centre of mass
    within 1.5 px of (14, 14). Every one of MNIST's 60,000 training images fulfils it with room to spare (border 94 %
    black, brightest 254, 18 to 20 px, 0.52 px off). The container and its mode do not matter, only the grey values.

    Args:
        image: (H, W) uint8.
    """
    if image.shape != (SIDE, SIDE):
        return False
    inked = np.count_nonzero(image)
    border = inked - np.count_nonzero(image[1:-1, 1:-1])
    if 2 * inked > image.size or border > MAX_BORDER or int(image.max()) < MIN_PEAK:
        return False
    rows, columns = (image.max(1) > LIT).nonzero()[0], (image.max(0) > LIT).nonzero()[0]
    longest = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    total = float(image.sum())
    y, x = float(image.sum(1) @ _POSITION) / total, float(image.sum(0) @ _POSITION) / total
    off = max(abs(y - MIDDLE), abs(x - MIDDLE))
    return bool(LENGTHS[0] <= longest <= LENGTHS[1] and off <= MAX_OFF_CENTRE)


def mnist_format_mask(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Find which images are in MNIST's format, as `is_mnist_format` does, many times faster.

    Args:
        images: (N, 28, 28) uint8.

    Returns:
        (N,) bool.
    """
    blocks = range(0, len(images), BLOCK)
    return np.concatenate([_block_mask(images[start : start + BLOCK]) for start in blocks] or [np.zeros(0, np.bool_)])


def _block_mask(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    flat = images.reshape(-1, SIDE * SIDE)
    values, inked = flat.astype(np.float32), (flat != 0).astype(np.float32)
    # Sums of whole numbers below 2**24 are exact in float32; einsum, unlike @, starts no threads.
    total, y, x = (np.einsum("np,p->n", values, weights) for weights in _WEIGHTS[:3])
    count, border = (np.einsum("np,p->n", inked, weights) for weights in _WEIGHTS[3:])
    rows = images.max(2)  # (N, 28)
    longest = np.maximum(_length(rows > LIT), _length(images.max(1) > LIT))
    reach = MAX_OFF_CENTRE * total
    return (
        (border <= MAX_BORDER)
        & (2 * count <= SIDE * SIDE)
        & (rows.max(1) >= MIN_PEAK)
        & (longest >= LENGTHS[0])
        & (longest <= LENGTHS[1])
        & (np.abs(y - MIDDLE * total) <= reach)
        & (np.abs(x - MIDDLE * total) <= reach)
    )


def _length(lit: NDArray[np.bool_]) -> NDArray[np.int64]:
    """From the first to the last lit place of each (N, 28) row; meaningless where there is none."""
    return SIDE - lit[:, ::-1].argmax(1) - lit.argmax(1)
