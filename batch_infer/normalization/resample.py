"""An ink map → MNIST's format: scaled into 20 x 20 px, strokes of a usual width, centred by mass in 28 x 28."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from batch_infer.contract import IMAGE_SIZE
from batch_infer.normalization.image_ops import Grey

Floats = NDArray[np.float32]

SIDE = IMAGE_SIZE
BOX = 20  # px; the longer side of a digit in MNIST
CENTRE = 14.5  # px from the edge; MNIST's centres of mass lie within half a pixel of pixel 14's middle
MARGIN = 2  # px at least round a digit, for its soft edge
FINE = 4  # sub-pixels per pixel while strokes are widened or narrowed
FULL_PIXELS = 12  # that many pixels of the result are white: MNIST's strokes are saturated inside
THIN, THICK = 1.9, 3.6  # px of 20; strokes outside are brought to the nearer of the next two
THIN_GOAL, THICK_GOAL = 2.2, 3.2
FAINT = 0.15  # of full ink: fainter rows and columns at the ends are the stroke's blur

ALONE = 1 << 18  # multiplications; OpenBLAS starts threads above
RAMP = np.arange(1100, dtype=np.float32) + np.float32(0.5)  # the middles of pixels
MOMENTS = np.stack([np.ones_like(RAMP), RAMP])  # (2, n): what weighs pixels by 1 and by their place


def resample(ink: Floats) -> NDArray[np.uint8]:
    """Scale an ink map into 20 x 20, even out its stroke width, and centre it by mass in 28 x 28.

    Args:
        ink: (h, w) float32, 0 … 1, cut to the digit, with a rim of at least a pixel of background.

    Returns:
        (28, 28) uint8.
    """
    top, bottom = _extent(ink.max(1))
    left, right = _extent(ink.max(0))
    long_side = max(bottom - top, right - left)
    change = _stroke_change(stroke_width(ink) * (BOX / long_side))
    step = long_side / BOX
    if change:
        fine = long_side / (BOX * FINE - 2 * change)
        room = abs(change) + 1
        count = round(long_side / fine) + 2 * room
        down, across = _weights((top - room * fine, left - room * fine), fine, count, ink.shape)
        ink = _dilate(_product(_product(down, ink), across.T), change)
        top, left, step = float(room - change), float(room - change), float(FINE)
    y, x = _centre(ink)
    # By whole pixels, as MNIST's digits were moved: a digit begins and ends where a pixel does.
    begin = (
        top - _shift((y - top) / step, (bottom - top) * BOX / long_side) * step,
        left - _shift((x - left) / step, (right - left) * BOX / long_side) * step,
    )
    down, across = _weights(begin, step, SIDE, ink.shape)
    sheet: Floats = _product(_product(down, ink), across.T).ravel()
    peaks = sheet.copy()
    peaks.sort()  # faster than a partition, as most are 0
    sheet *= np.float32(255 / max(float(peaks[-FULL_PIXELS]), 1e-3))
    sheet += np.float32(0.5)
    full: NDArray[np.uint8] = np.minimum(sheet, np.float32(255), out=sheet).astype(np.uint8)
    image = full.reshape(SIDE, SIDE)
    image[0] = image[-1] = image[:, 0] = image[:, -1] = 0  # as in MNIST: only a strong blur's end gets so far
    return image


def stroke_width(ink: Floats) -> float:
    """Mean stroke width in px of an ink map with a rim of background: twice the area over the outline's length.

    (A stroke has two sides.) The outline is the sum of steps along both axes over 4 / pi, their mean ratio for edges
    of any direction.
    """
    outline = cv2.norm(ink[1:], ink[:-1], cv2.NORM_L1) + cv2.norm(ink[:, 1:], ink[:, :-1], cv2.NORM_L1)
    return 2 * cv2.sumElems(ink)[0] / max(outline * (np.pi / 4), 1e-6)


def _stroke_change(width: float) -> int:
    """How many fine sub-pixels strokes of a `width` in px of 20 must grow on either side (shrink, if negative)."""
    if width < THIN:
        return round((THIN_GOAL - width) / 2 * FINE)
    if width > THICK:
        return -round(min((width - THICK_GOAL) / 2, width / 4) * FINE)
    return 0


def _shift(centre: float, length: float) -> int:
    """Where a digit of `length` px whose mass lies `centre` px behind its beginning begins, as far as there is room."""
    return min(max(round(CENTRE - centre), MARGIN), SIDE - MARGIN - round(length))


def _extent(profile: Floats) -> tuple[float, float]:
    """Where a profile 0 … 1 begins and ends, a half-covered pixel counting half."""
    full = (profile > FAINT).nonzero()[0]
    if not len(full):
        return 0.0, float(len(profile))
    first, last = int(full[0]), int(full[-1])
    return first + 1 - float(profile[first]), last + float(profile[last]) if last > first else first + 1.0


def _centre(ink: Floats) -> tuple[float, float]:
    """The centre of mass (y, x) in px from the map's top left corner."""
    height, width = ink.shape
    (total, x), (y, _) = (MOMENTS[:, :height] @ ink @ MOMENTS[:, :width].T).tolist()
    return y / max(total, 1e-6), x / max(total, 1e-6)


def _weights(begin: tuple[float, float], step: float, count: int, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Weights (count, h) and (count, w) that resample a map of `shape` to `count` px of `step` px, from `begin` on.

    The share of each old pixel in each new one is the length on which the two overlap: an exact average where
    the picture shrinks, linear interpolation (a new pixel counts as one old pixel wide) where it grows. Outside
    the map there is background.
    """
    share = 1 / max(step, 1.0)  # of an old pixel that lies within a new one
    height = shape[0]
    old = np.concatenate((RAMP[:height], RAMP[: shape[1]])) * np.float32(share)
    offsets = np.array(begin, dtype=np.float32).repeat(shape) * np.float32(share)
    weights = np.add.outer(RAMP[:count] * np.float32(step * share), offsets)
    weights -= old
    np.abs(weights, out=weights)
    np.subtract(np.float32((1 + share) / 2), weights, out=weights)
    cv2.threshold(weights, share, 0, cv2.THRESH_TRUNC, dst=weights)
    cv2.threshold(weights, 0, 0, cv2.THRESH_TOZERO, dst=weights)
    return weights[:, :height], weights[:, height:]


def _dilate(ink: Floats, change: int) -> Floats:
    """Widen (or, for a negative change, narrow) strokes by `change` px on either side, with a round pen."""
    levels = (ink * 255 + np.float32(0.5)).astype(np.uint8)
    change_by = cv2.dilate if change > 0 else cv2.erode
    changed: Floats = change_by(levels, _disk(abs(change))) * np.float32(1 / 255)
    return changed


@cache
def _disk(radius: int) -> Grey:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return (x * x + y * y <= radius * radius + radius * 0.5).astype(np.uint8)


def _product(left: Floats, right: Floats) -> Floats:
    """Multiply matrices (m, k) and (k, n) without BLAS's threads.

    It starts them for anything but the smallest products, and they spin: three times the processor time on two
    cores, and a worker has but one core to itself. So the product is made in slices that are small enough.
    """
    rows = max(2, ALONE // right.size)
    if len(left) <= rows:
        return left @ right
    return np.concatenate([left[top : top + rows] @ right for top in range(0, len(left), rows)])
