"""Pictures stored in a few levels next to black (a mask of 0 and 1, eight levels of ink) → stretched to 0 … 255."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LOW_PEAK: Final = 8  # level; pictures no brighter are stretched: as they are nobody sees anything in them
# White noise (a dark frame of a camera) has mean squared differences between neighbours of twice its variance; pictures
# have less: digits of MNIST in 0 … 1 at most 1.03 times. Below NOISE_SIDE there are too few pixels to tell.
NOISE: Final = 1.6  # of the variance
NOISE_SIDE: Final = 16  # px

_Stack = NDArray[np.uint8]


def stretch_low(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stretch each picture whose levels are 0 to 8 at most: its darkest becomes 0, its lightest 255.

    Uniform pictures and white noise stay as they are, and so do all brighter pictures.

    Args:
        pictures: `(H, W)` uint8, or `(N, H, W)`: each one by itself.

    Returns:
        The same shape, uint8; the array itself if there is nothing to stretch.
    """
    low = np.atleast_1d(pictures.max(axis=(-2, -1)) <= LOW_PEAK)
    if not low.any():
        return pictures
    stack = pictures.reshape(-1, *pictures.shape[-2:])
    chosen = np.flatnonzero(low)
    chosen = chosen[_has_levels(stack[chosen]) & ~_is_noise(stack[chosen])]
    if not chosen.size:
        return pictures
    result = stack.copy()
    picked = stack[chosen] - stack[chosen].min(axis=(1, 2), keepdims=True)
    spans = picked.max(axis=(1, 2), keepdims=True).astype(np.uint16)
    result[chosen] = (picked * np.uint16(255) + spans // 2) // spans
    return result.reshape(pictures.shape)


def _has_levels(stack: _Stack) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = stack.max(axis=(1, 2)) > stack.min(axis=(1, 2))
    return mask


def _is_noise(stack: _Stack) -> NDArray[np.bool_]:
    """Tell white noise by von Neumann's ratio: squared differences of neighbours over the variance."""
    count, height, width = stack.shape
    if min(height, width) < NOISE_SIDE:
        return np.zeros(count, np.bool_)
    axes, size = (1, 2), height * width
    total, squares = stack.sum(axis=axes, dtype=np.int64), np.square(stack).sum(axis=axes, dtype=np.int64)
    signed = stack.view(np.int8)  # all are 8 at most: so are their differences, and the squares are below 127
    down = np.square(np.diff(signed, axis=1)).sum(axis=axes, dtype=np.int64)
    across = np.square(np.diff(signed, axis=2)).sum(axis=axes, dtype=np.int64)
    differences = (down / ((height - 1) * width) + across / (height * (width - 1))) / 2
    mask: NDArray[np.bool_] = differences * size * size > NOISE * (size * squares - total * total)
    return mask
