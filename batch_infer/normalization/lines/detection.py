"""Finds long, straight marks in a mask: ruled and printed lines, and straight strokes."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.image_ops import Mask, opened

RUN = 8  # px; shorter runs along a line are not looked at
LEAST = 0.3  # of the picture's shorter side: a line is at least so long
COVER = 0.5  # of its length: on so much of it a line is seen alone
SLOPE = 0.1  # rows per column: paper lies nearly straight under a lens or a scanner
NEAR = 1.0  # px from the line: the middle of a pixel column of it
STRAIGHT = 0.5  # px: how far the middle strays, its standard deviation; a hand draws no straighter
MOST = 24  # lines of a kind

Floats = NDArray[np.float64]


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
    """Find the lines that run along the rows of an (H, W) bool mask, `thick` px at most, the longest first."""
    least = max(RUN, LEAST * min(mask.shape))
    if min(mask.shape) <= RUN:
        return []
    ink = mask.view(np.uint8)
    thin = ink & ~opened(ink, thick + 1, 1, ends_at_edge=True)
    long = opened(thin, 1, RUN, ends_at_edge=True)
    # The vertical runs of what is left, column by column: their upper and lower ends take turns.
    edges = np.diff(cv2.copyMakeBorder(long, 1, 1, 0, 0, cv2.BORDER_CONSTANT), axis=0)
    columns, ends = edges.T.nonzero()
    x, y, size = columns[::2], (ends[::2] + ends[1::2] - 1) / 2, ends[1::2] - ends[::2]
    lines: list[Line] = []
    for _ in range(MOST):
        if len(x) < least:
            break
        row = int(np.bincount(y.astype(np.int64)).argmax())  # most of what is left lies there: some line
        near = np.abs(y - row - 0.25) <= NEAR
        line, own = _fitted(x, y, size, near)
        if line is not None and np.count_nonzero(own) >= max(least, COVER * (line.last - line.first)):
            lines.append(_lengthened(line, mask))
            near = own | (np.abs(y - line.start - line.slope * x) <= line.half + 1)
        x, y, size = x[~near], y[~near], size[~near]
    return lines


def _fitted(x: NDArray[np.int64], y: Floats, size: NDArray[np.int64], near: Mask) -> tuple[Line | None, Mask]:
    """Fit a line to the runs `near` (n,) bool, then to all on it; None if they are not on one."""
    start = slope = usual = 0.0
    for reach in (2 * NEAR, 2 * NEAR, NEAR):
        if np.count_nonzero(near) < RUN:
            return None, near
        usual = float(np.median(size[near]))
        near = near & (size <= usual + 1)
        across, down = x[near], y[near]
        middle, height = across.mean(), down.mean()
        offset = across - middle
        slope = float(offset @ down / max(offset @ offset, 1))
        if abs(slope) > SLOPE:
            return None, near
        start = float(height - slope * middle)
        near = np.abs(y - start - slope * x) <= reach
    across, away = x[near], (y - start - slope * x)[near]
    if len(across) == 0 or math.sqrt(away @ away / len(away)) > STRAIGHT:
        return None, near
    return Line(start, slope, usual / 2, int(across[0]), int(across[-1])), near


def _lengthened(line: Line, mask: Mask) -> Line:
    """Follow a line beyond what is seen of it alone, under strokes and other lines, as far as there is ink."""
    height, width = mask.shape
    columns = np.arange(width)
    rows = np.rint(line.start + line.slope * columns).clip(0, height - 1).astype(np.int64)
    gaps = (~mask[rows, columns]).nonzero()[0]
    before, behind = gaps.searchsorted((line.first, line.last))
    first = int(gaps[before - 1]) + 1 if before else 0
    last = int(gaps[behind]) - 1 if behind < len(gaps) else width - 1
    return line._replace(first=min(first, line.first), last=max(last, line.last))
