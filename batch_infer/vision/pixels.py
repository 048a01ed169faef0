"""The pixel operations the normalisation is made of: block averages, running extremes, a blur, Otsu's threshold."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

LEVELS = np.arange(256.0)


def shrink(image: Grey, side: int) -> Grey:
    """Average whole blocks so that the longer side is at most `side`.

    Args:
        image: (H, W) uint8.
        side: the longest side wanted, in px.

    Returns:
        (H', W') uint8; the same array when it is small enough. Inverting before or after gives the same picture
        (the rest of the division is rounded half away from the middle of the scale).
    """
    height, width = image.shape
    factor = -(-max(height, width) // side)
    if factor <= 1:
        return image
    down, across = min(factor, height), min(factor, width)
    height, width = height // down * down, width // across * across
    # Rows first: adding whole rows is several times faster than adding within them.
    rows = image[:height, :width].reshape(-1, down, width).sum(1, dtype=np.uint32)
    total = rows.reshape(len(rows), -1, across).sum(2)
    area = down * across
    # Half is added below the middle and half less one above: so 255 - x gives 255 - result, for every x.
    half = np.where(2 * total < 255 * area, area // 2, (area - 1) // 2)
    result: Grey = ((total + half) // area).astype(np.uint8)
    return result


def _slide(image: Grey, window: int, axis: int, extreme: Callable[..., Grey], outside: int) -> Grey:
    """Running maximum or minimum over `window` (odd) pixels, by doubling: log2(window) whole-array steps."""
    length = image.shape[axis]
    half = min(window // 2, length - 1)
    if half == 0:
        return image
    window = 2 * half + 1
    pad = [(0, 0), (0, 0)]
    pad[axis] = (half, half)
    current = np.pad(image, pad, constant_values=outside)
    if axis == 1:
        current = current.T
    size = 1
    while size < window:
        step = min(size, window - size)
        current = extreme(current[:-step], current[step:])
        size += step
    return current if axis == 0 else current.T


def dilate(image: Grey, window: int) -> Grey:
    """Maximum over a square of `window` (odd) px; pixels outside the (H, W) uint8 picture do not count."""
    return _slide(_slide(image, window, 1, np.maximum, 0), window, 0, np.maximum, 0)


def erode(image: Grey, window: int) -> Grey:
    """Minimum over a square of `window` (odd) px; pixels outside the (H, W) uint8 picture do not count."""
    return _slide(_slide(image, window, 1, np.minimum, 255), window, 0, np.minimum, 255)


def smooth(image: Grey) -> Grey:
    """3 x 3 binomial blur of an (H, W) uint8 picture, edges repeated: takes away what a sensor adds."""
    padded = np.pad(image, 1, mode="edge").astype(np.uint16)
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    result: Grey = ((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:] + 8) >> 4).astype(np.uint8)
    return result


def otsu(histogram: NDArray[np.int64]) -> tuple[int, float]:
    """Split a histogram into two classes with the largest variance between them.

    Args:
        histogram: (256,) counts.

    Returns:
        The largest level of the lower class, and how much of the variance the two classes explain, 0 ... 1 (near 1
        for crisp ink on even paper; 1 for a single level).

    Source: N. Otsu, "A threshold selection method from gray-level histograms", IEEE SMC 9 (1979) 62-66.
    """
    counts = histogram.astype(np.float64)
    weighted = counts * LEVELS
    below, moment = counts.cumsum(), weighted.cumsum()
    total, sum_ = below[-1], moment[-1]
    apart = sum_ * below - moment * total
    sizes = below * (total - below)
    sizes[sizes == 0] = 1.0  # apart is 0 there
    between = apart * apart / sizes
    most = float(between.max())
    # Empty levels between the classes tie: their middle keeps inverted pictures symmetric.
    best = (between >= most * (1 - 1e-12)).nonzero()[0]
    variance = float(weighted @ LEVELS) * total - sum_ * sum_
    return int((best[0] + best[-1]) // 2), most / float(variance) if variance > 0 else 1.0
