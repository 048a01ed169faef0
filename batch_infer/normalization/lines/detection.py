"""Finds long, straight marks in a mask: ruled and printed lines, and straight strokes."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.image_ops import Mask, opened

RUN = 9  # px, odd; shorter runs along a line are not looked at
LEAST = 0.3  # of the picture's shorter side: a line is at least so long
COVER = 0.5  # of its length: on so much of it a line is seen alone
SLOPE = 0.1  # rows per column: paper lies nearly straight under a lens or a scanner
NEAR = 1.0  # px from the line: the middle of a pixel column of it
STRAIGHT = 0.5  # px: how far the middle strays, its standard deviation; a hand draws no straighter
MOST = 24  # lines of a kind

Numbers = NDArray[Any]


class Line(NamedTuple):
    """A straight line along the rows, in px: it runs at row `start + slope * column`, `half` px to either side of it.

    `first` and `last` are the columns where it begins and ends.
    """

    start: float
    slope: float
    half: float
    first: int
    last: int


def find_lines(mask: Mask, thick: int) -> list[Line]:
    """Find the lines that run along the rows of an (H, W) bool mask, less than `thick` px, the longest first."""
    least = max(RUN, LEAST * min(mask.shape))
    if min(mask.shape) <= RUN:
        return []
    ink = mask.view(np.uint8)
    thin = ink & ~opened(ink, thick | 1, 1, ends_at_edge=True)
    long = opened(thin, 1, RUN, ends_at_edge=True)
    if cv2.countNonZero(long) < least:
        return []
    # The vertical runs of what is left, column by column: their upper and lower ends take turns.
    turned = cv2.copyMakeBorder(cv2.transpose(long), 0, 0, 1, 1, cv2.BORDER_CONSTANT)
    columns, ends = (turned[:, 1:] != turned[:, :-1]).nonzero()
    x, twice, size = columns[::2], ends[::2] + ends[1::2], ends[1::2] - ends[::2]  # twice the row, and 1
    lines: list[Line] = []
    for _ in range(MOST):
        if len(x) < least:
            break
        counts = np.bincount(twice)  # most of what is left lies on a row: some line
        near = abs(2 * twice - 2 * int((counts[1:] + counts[:-1]).argmax()) - 1) <= 4 * NEAR
        line = _fitted(x, twice, size, near)
        if line is not None:
            away = abs(twice - 2 * line.start - 1 - 2 * line.slope * x)
            own = (away <= 2 * NEAR) & (size <= 2 * line.half + 1)
            if np.count_nonzero(own) >= max(least, COVER * (line.last - line.first)):
                lines.append(_lengthened(line, mask))
                near = away <= 2 * (line.half + NEAR)
        rest = ~near
        x, twice, size = x[rest], twice[rest], size[rest]
    return lines


def _fitted(x: Numbers, twice: Numbers, size: Numbers, near: Mask) -> Line | None:
    """Fit a line to the runs `near` (n,) bool, then to all on it; None if they are not on one."""
    for _ in range(3):
        usual = int(np.bincount(size[near]).argmax())
        own = near & (size <= usual + 1)
        across, down = x[own], twice[own] / 2 - 0.5
        count = len(across)
        if count < RUN:
            return None
        middle, height = int(across.sum()) / count, float(down.sum()) / count
        across, down = across - middle, down - height
        slope = float(across @ down) / max(float(across @ across), 1.0)
        if abs(slope) > SLOPE:
            return None
        start = height - slope * middle
        tilt = abs(slope) * (across[-1] - across[0])
        if tilt < NEAR:
            break
        near = abs(twice - 2 * start - 1 - 2 * slope * x) <= 2 * NEAR
    down -= slope * across
    if float(down @ down) > STRAIGHT**2 * count:
        return None
    return Line(start, slope, usual / 2, round(across[0] + middle), round(across[-1] + middle))


def _lengthened(line: Line, mask: Mask) -> Line:
    """Follow a line beyond what is seen of it alone, under strokes and other lines, as far as there is ink."""
    height, width = mask.shape
    columns = np.arange(width)
    rows = np.rint(line.start + line.slope * columns).astype(np.int64)
    ink = mask.take(np.minimum(np.maximum(rows, 0), height - 1) * width + columns).tobytes()
    first, last = ink.rfind(b"\0", 0, line.first + 1) + 1, ink.find(b"\0", line.last)
    return line._replace(first=min(first, line.first), last=max((last if last >= 0 else width) - 1, line.last))
