"""Which straight lines in a picture are ruled or printed: those that are held at both ends, as no stroke is."""

import numpy as np

from batch_infer.normalization.image_ops import Mask
from batch_infer.normalization.lines.detection import Line

EDGE = 0.01  # of the picture's side: a line that ends so near its edge goes on outside
SLACK = 2.0, 0.02  # px, and of the shorter side: lines that end so near one another meet


def printed(rows: list[Line], columns: list[Line], shape: tuple[int, int]) -> tuple[list[Line], list[Line]]:
    """Find the lines that end at the picture's edge or on another such line, with both ends.

    The sides of boxes and the lines of ruled paper do. A straight stroke ends freely, and takes out of the choice what
    ends on it.

    Args:
        rows: the lines along the rows of a picture.
        columns: those along its columns.
        shape: the picture's (H, W).

    Returns:
        Those of the rows, and those of the columns that are held.
    """
    height, width = shape
    slack = SLACK[0] + SLACK[1] * min(shape)
    over_edge, down_edge = _at_edges(rows, width), _at_edges(columns, height)
    over_ends, down_ends = _meets(rows, columns, slack), _meets(columns, rows, slack)
    over, down = np.ones(len(rows), np.bool_), np.ones(len(columns), np.bool_)
    while True:
        before = np.count_nonzero(over) + np.count_nonzero(down)
        over &= (over_edge | (over_ends & down).any(2)).all(0)
        down &= (down_edge | (down_ends & over).any(2)).all(0)
        if np.count_nonzero(over) + np.count_nonzero(down) == before:
            return _kept(rows, over), _kept(columns, down)


def _kept(lines: list[Line], keep: Mask) -> list[Line]:
    return [line for line, kept in zip(lines, keep.tolist(), strict=True) if kept]


def _at_edges(lines: list[Line], side: int) -> Mask:
    """Which lines (n) begin, and which end at an edge of a picture of `side` px, as a (2, n) bool array."""
    near = max(1.0, EDGE * side)
    return np.array(
        [[line.first <= near for line in lines], [line.last >= side - 1 - near for line in lines]], np.bool_
    )


def _meets(lines: list[Line], across: list[Line], slack: float) -> Mask:
    """Which lines (n) begin, and which end on which of the lines across them (m), as a (2, n, m) bool array."""
    if not lines or not across:
        return np.zeros((2, len(lines), len(across)), np.bool_)
    start, slope, _, first, last = np.array(lines).T[:, :, None]
    other, lean, half, low, high = np.array(across).T
    ends = np.stack((first, last))
    height = start + slope * ends
    on = np.abs(other + lean * height - ends) <= slack + half
    return on & (low - slack <= height) & (height <= high + slack)
