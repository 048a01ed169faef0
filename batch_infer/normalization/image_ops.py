"""The pixel operations that the steps share: averages, openings, Otsu's threshold."""

from functools import cache
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Counts = NDArray[np.int64]

FEW_PIXELS = 64  # px; in a picture no longer strokes are straight for want of room
_LEVELS = np.arange(256.0)


def has_few_pixels(image: Grey | Mask) -> bool:
    """Tell whether an (H, W) picture is too small to tell a ruled line from a stroke, or shade from ink."""
    return max(image.shape) <= FEW_PIXELS


def extremes(image: Grey) -> tuple[int, int]:
    """The darkest and the lightest level of an (H, W) uint8 picture."""
    low, high, _, _ = cv2.minMaxLoc(image)
    return int(low), int(high)


def median(values: NDArray[np.generic]) -> float:
    """The median of an array (n,) of numbers, at least one: NumPy's own takes five times as long for a few."""
    low, high = (len(values) - 1) // 2, len(values) // 2
    ordered = np.partition(values, (low, high))
    return (float(ordered[low]) + float(ordered[high])) / 2


def opened(image: Grey, height: int, width: int, *, ends_at_edge: bool = False) -> Grey:
    """Take away what is light and lower than `height` or narrower than `width` px: the morphological opening.

    What is light at the picture's edge goes on outside, unless it is said to end there.
    """
    element = _rectangle(height, width)
    if ends_at_edge:
        found = cv2.morphologyEx(image, cv2.MORPH_OPEN, element, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    else:
        found = cv2.morphologyEx(image, cv2.MORPH_OPEN, element)
    return cast("Grey", found)


def gradient(image: Grey, window: int) -> Grey:
    """The range of levels within a square of `window` (odd) px round each pixel of an (H, W) uint8 picture."""
    return cast("Grey", cv2.morphologyEx(image, cv2.MORPH_GRADIENT, _rectangle(window, window)))


def blurred(image: Grey) -> Grey:
    """3 × 3 binomial blur of an (H, W) uint8 picture: takes away a sensor's noise."""
    return cast("Grey", cv2.GaussianBlur(image, (3, 3), 0, borderType=cv2.BORDER_REPLICATE))


@cache
def _rectangle(height: int, width: int) -> Grey:
    return np.ones((height, width), dtype=np.uint8)


def histogram_of(image: Grey) -> Counts:
    """Count the 256 levels of an array (n,) or (H, W) of uint8, at least one."""
    return cv2.calcHist([image], [0], None, [256], [0, 256]).reshape(-1).astype(np.int64)


def otsu(histogram: Counts) -> tuple[int, float]:
    """Split a histogram into two classes with the largest variance between them.

    Args:
        histogram: (256,) counts.

    Returns:
        The largest level of the lower class, and how much of the variance the two classes explain, 0 … 1 (near 1
        for crisp ink on an even background; 1 for a single level).

    Source: N. Otsu, "A threshold selection method from gray-level histograms", IEEE SMC 9 (1979) 62-66.
    """
    weighted = histogram * _LEVELS
    below, moment = histogram.cumsum(dtype=np.float64), weighted.cumsum()
    total, sum_ = float(below[-1]), float(moment[-1])
    moment *= total
    apart = below * sum_
    apart -= moment
    apart *= apart
    sizes = total - below
    sizes *= below
    np.maximum(sizes, 1.0, out=sizes)  # apart is 0 where a class is empty
    apart /= sizes
    most = float(apart.max())
    # Empty levels between the classes tie: their middle keeps inverted pictures symmetric.
    best = (apart >= most * (1 - 1e-12)).nonzero()[0]
    variance = float(weighted @ _LEVELS) * total - sum_ * sum_
    return int(best[0] + best[-1]) // 2, most / variance if variance > 0 else 1.0
