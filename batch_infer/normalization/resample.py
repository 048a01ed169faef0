"""An ink map → MNIST's format: scaled into 20 x 20 px, strokes of a usual width, centred by mass in 28 x 28."""

from functools import cache
from typing import cast

import cv2
import numpy as np

from batch_infer.contract import IMAGE_SIZE
from batch_infer.normalization.image_ops import Grey

SIDE = IMAGE_SIZE
BOX = 20  # px; the longer side of a digit in MNIST
CENTRE = 14.5  # px from the edge; MNIST's centres of mass lie within half a pixel of pixel 14's middle
MARGIN = 2  # px at least round a digit, for its soft edge
FINE = 4  # sub-pixels per pixel while strokes are widened or narrowed
FULL_PIXELS = 12  # that many pixels of the result are white: MNIST's strokes are saturated inside
THIN, THICK = 1.9, 3.6  # px of 20; strokes outside are brought to the nearer of the next two
THIN_GOAL, THICK_GOAL = 2.2, 3.2
FAINT = 38  # level, of 255: fainter rows and columns at the ends are the stroke's blur


def resample(ink: Grey) -> Grey:
    """Scale an ink map into 20 x 20, even out its stroke width, and centre it by mass in 28 x 28.

    Args:
        ink: (h, w) uint8, 255 for full ink, cut to the digit, with a rim of at least a pixel of background.

    Returns:
        (28, 28) uint8.
    """
    left, top, width, height = cv2.boundingRect((ink > FAINT).view(np.uint8))
    digit = ink[top : top + height, left : left + width] if width else ink
    long_side = max(digit.shape)
    change = _stroke_change(stroke_width(ink) * (BOX / long_side))
    if change:
        rim = abs(change) + 1
        fine = _scaled(digit, (BOX * FINE - 2 * change) / long_side)
        with_room = cv2.copyMakeBorder(fine, rim, rim, rim, rim, cv2.BORDER_CONSTANT)
        changed = (cv2.dilate if change > 0 else cv2.erode)(with_room, _disk(abs(change)))
        spare = rim - change
        digit = cast("Grey", changed)[spare:-spare, spare:-spare]
        long_side = max(digit.shape)
    digit = _scaled(digit, BOX / long_side)
    peaks = digit.flatten()
    peaks.sort(kind="stable")  # for bytes the fastest
    full = int(peaks[max(-FULL_PIXELS, -len(peaks))])
    digit = cast("Grey", cv2.convertScaleAbs(digit, alpha=255 / max(full, 1)))
    # By whole pixels, as MNIST's digits were moved.
    moments = cv2.moments(digit)
    total = max(moments["m00"], 1.0)
    height, width = digit.shape
    row = _shift(moments["m01"] / total + 0.5, height)
    column = _shift(moments["m10"] / total + 0.5, width)
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[row : row + height, column : column + width] = digit
    return image


def _scaled(ink: Grey, factor: float) -> Grey:
    """Resize an (h, w) uint8 map: areas are averaged where it shrinks, pixels interpolated where it grows."""
    height, width = ink.shape
    size = max(round(width * factor), 1), max(round(height * factor), 1)
    return cast("Grey", cv2.resize(ink, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR))


def stroke_width(ink: Grey) -> float:
    """Mean stroke width in px of an (h, w) uint8 ink map with a rim of background.

    It is twice the area over the outline's length (a stroke has two sides). The outline is the sum of steps along both
    axes over 4 / pi, their mean ratio for edges of any direction.
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


def _shift(centre: float, length: int) -> int:
    """Where a digit of `length` px whose mass lies `centre` px behind its beginning begins, as far as there is room."""
    return min(max(round(CENTRE - centre), MARGIN), SIDE - MARGIN - length)


@cache
def _disk(radius: int) -> Grey:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return (x * x + y * y <= radius * radius + radius * 0.5).astype(np.uint8)
