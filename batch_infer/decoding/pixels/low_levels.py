"""Pictures stored in a few levels next to black (a mask of 0 and 1, eight levels of ink) → stretched to 0 … 255."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

LOW_PEAK: Final = 8  # level; pictures no brighter are stretched: as they are nobody sees anything in them
# White noise (a dark frame of a camera) has mean squared differences between neighbours of twice its variance; pictures
# have less: digits of MNIST in 0 … 1 at most 1.03 times. Below NOISE_SIDE there are too few pixels to tell.
NOISE: Final = 1.6  # of the variance
NOISE_SIDE: Final = 16  # px
NOISE_SAMPLE: Final = 1024  # px; noise is told by so much of a large picture: the sums need memory

_Stack = NDArray[np.uint8]


def stretch_low(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stretch each picture whose levels are 0 to 8 at most: its darkest becomes 0, its lightest 255.

    Uniform pictures and white noise stay as they are, and so do all brighter pictures.

    Args:
        pictures: `(H, W)` uint8, or `(N, H, W)`: each one by itself.

    Returns:
        The same shape, uint8; the array itself if there is nothing to stretch.
    """
    if pictures.ndim == 2 and (pictures.item(0) > LOW_PEAK or pictures.max() > LOW_PEAK):
        return pictures
    stack = pictures.reshape(-1, *pictures.shape[-2:])
    highest = stack.max(axis=(1, 2))
    if not (highest <= LOW_PEAK).any():
        return pictures
    lowest = stack.min(axis=(1, 2))
    chosen = np.flatnonzero((highest <= LOW_PEAK) & (highest > lowest))
    chosen = chosen[~_is_noise(stack[chosen, :NOISE_SAMPLE, :NOISE_SAMPLE])]
    if not chosen.size:
        return pictures
    result = stack.copy()
    for index in chosen.tolist():
        span = int(highest[index]) - int(lowest[index])
        levels = ((np.arange(256) - int(lowest[index])) * 255 + span // 2) // span
        # Translated as bytes: NumPy would make indices of 8 bytes each, and a picture may have 50 million pixels.
        table = levels.clip(0, 255).astype(np.uint8).tobytes()
        result[index] = np.frombuffer(stack[index].tobytes().translate(table), np.uint8).reshape(result.shape[1:])
    return result.reshape(pictures.shape)


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
