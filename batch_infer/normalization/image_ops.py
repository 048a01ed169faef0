"""The pixel operations the normalisation is made of: running extremes, a blur, Otsu's threshold."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]

SMALL = 64  # px; smaller pictures are not smoothed, their strokes are a pixel or two wide
LEVELS = np.arange(256.0)
ALONE = 1 << 18  # multiplications; OpenBLAS starts threads above


def _slide(image: Grey, window: int, extreme: np.ufunc, outside: int) -> Grey:
    """Running maximum or minimum over `window` (odd) rows, by doubling: log2(window) whole-array steps."""
    height, width = image.shape
    half = min(window // 2, height - 1)
    if half == 0:
        return image
    window = 2 * half + 1
    current = np.full((height + 2 * half, width), outside, dtype=np.uint8)
    current[half:-half] = image
    size = 1
    while size < window:
        step = min(size, window - size)
        current = extreme(current[:-step], current[step:])
        size += step
    return current


def opened(image: Grey, window: int) -> Grey:
    """Take away what is light and narrower than `window` (odd) px: `dilate(erode(image))`, with fewer copies."""
    eroded = _slide(np.ascontiguousarray(_slide(image, window, np.minimum, 255).T), window, np.minimum, 255)
    across = _slide(eroded, window, np.maximum, 0)
    return np.ascontiguousarray(_slide(np.ascontiguousarray(across.T), window, np.maximum, 0))


def ranged(image: Grey, window: int) -> Grey:
    """The range of levels within a square of `window` (odd) px round each pixel of an (H, W) uint8 picture."""

    def around(extreme: np.ufunc, outside: int) -> Grey:
        down = _slide(image, window, extreme, outside)
        return _slide(np.ascontiguousarray(down.T), window, extreme, outside).T

    return around(np.maximum, 0) - around(np.minimum, 255)


def product(left: NDArray[np.floating[Any]], right: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """Multiply matrices (m, k) and (k, n) without BLAS's threads.

    It starts them for anything but the smallest products, and they spin: three times the processor time on two
    cores, and a worker has but one core to itself. So the product is made in slices that are small enough.
    """
    if len(left) == 1 or right.shape[1] == 1:  # a vector: its threads start far earlier
        return np.einsum("mk,kn->mn", left, right)
    rows = max(2, ALONE // right.size)
    if len(left) <= rows:
        return left @ right
    return np.concatenate([np.matmul(left[top : top + rows], right) for top in range(0, len(left), rows)])


def smooth(image: Grey) -> Grey:
    """3 x 3 binomial blur of an (H, W) uint8 picture, edges repeated: takes away what a sensor adds."""
    height, width = image.shape
    wide = np.empty((height + 2, width), dtype=np.uint16)
    wide[1:-1], wide[0], wide[-1] = image, image[0], image[-1]
    rows = np.empty((height, width + 2), dtype=np.uint16)
    inner = rows[:, 1:-1]
    np.add(wide[:-2], wide[2:], out=inner)
    inner += wide[1:-1]
    inner += wide[1:-1]
    rows[:, 0], rows[:, -1] = rows[:, 1], rows[:, -2]
    total = rows[:, :-2] + rows[:, 2:]
    total += inner
    total += inner
    total += 8
    total >>= 4
    return total.astype(np.uint8)


def otsu(histogram: NDArray[np.int64]) -> tuple[int, float]:
    """Split a histogram into two classes with the largest variance between them.

    Args:
        histogram: (256,) counts.

    Returns:
        The largest level of the lower class, and how much of the variance the two classes explain, 0 ... 1 (near 1
        for crisp ink on even paper; 1 for a single level).

    Source: N. Otsu, "A threshold selection method from gray-level histograms", IEEE SMC 9 (1979) 62-66.
    """
    weighted = histogram * LEVELS
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
    variance = float(weighted @ LEVELS) * total - sum_ * sum_
    return int(best[0] + best[-1]) // 2, most / variance if variance > 0 else 1.0


def histogram_of(image: Grey) -> NDArray[np.int64]:
    """Count the 256 levels of an array of uint8."""
    return np.bincount(image.reshape(-1), minlength=256)
