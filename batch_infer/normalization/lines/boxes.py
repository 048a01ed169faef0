"""Which straight lines in a picture are the sides of boxes and frames."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.lines.detection import Line

EDGE = 0.01  # of the picture's side: a line that ends so near its edge goes on outside
WHOLE = 0.8  # of the picture's side: a line that long goes on outside too, but may be too faint there
SEEN = 0.5  # of the picture's side: so much of a line must be seen, if it is no side of a box
STRAIGHT = (0.4, 0.6)  # px, standard deviation: no hand draws straighter to one edge, or from edge to edge
CORNER = 0.02  # of the longer side: lines that end so near one another meet, their thickness aside
BESIDE = 0.08  # of the picture's side: a frame line runs so near its edge
PARALLEL = 0.01  # rows per column: opposite sides of a frame differ by no more

Masks = NDArray[np.bool_]


def which(lines: list[Line], keep: Masks) -> list[Line]:
    """The lines marked in `keep` (n,) bool."""
    return [line for line, kept in zip(lines, keep.tolist(), strict=True) if kept]


def answers(given: Iterable[bool]) -> Masks:
    """Truth values as an (n,) bool array."""
    return np.fromiter(given, dtype=np.bool_)


def sides(rows: list[Line], columns: list[Line], shape: tuple[int, int], *, closed: bool) -> tuple[Masks, Masks]:
    """Find the sides of boxes and of frames along a picture's edges.

    Args:
        rows: the lines along the rows of a picture.
        columns: those along its columns.
        shape: the picture's (H, W).
        closed: whether only boxes with four corners count.

    Returns:
        Which of the rows, and which of the columns are such sides, as bool arrays.
    """
    height, width = shape
    meet = corners(rows, columns, max(shape))
    over, down = _boxes(meet, closed=closed)
    if not closed:
        along, along_too = along_edge(rows, height, width), along_edge(columns, width, height)
        framed = meet & along[:, None] & along_too
        over |= framed.any(1) | _opposite(rows, along, height)
        down |= framed.any(0) | _opposite(columns, along_too, width)
    return over, down


def whole(lines: list[Line], side: int) -> Masks:
    """Which lines are straight and nearly as long as the picture of `side` px: they may be too faint near its edges."""
    return answers(
        line.cover >= SEEN and line.last - line.first >= WHOLE * side and line.bend < STRAIGHT[1] for line in lines
    )


def along_edge(lines: list[Line], height: int, width: int) -> Masks:
    """Which lines along the rows of an (H, W) picture run beside its upper or lower edge, all along."""
    room = BESIDE * height

    def is_along(line: Line) -> bool:
        ends = line.start + line.slope * line.first, line.start + line.slope * line.last
        return max(ends) <= room or min(ends) >= height - 1 - room

    return whole(lines, width) & answers(map(is_along, lines))


def corners(rows: list[Line], columns: list[Line], side: int) -> Masks:
    """Which straight lines along the rows meet which along the columns, end to end, as a (rows, columns) bool array."""
    meet = np.zeros((len(rows), len(columns)), dtype=np.bool_)
    slack = 2 + CORNER * side
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if max(row.bend, column.bend) >= STRAIGHT[1]:
                continue
            x = (column.start + column.slope * row.start) / (1 - column.slope * row.slope)
            y = row.start + row.slope * x
            # Where they meet, each one's end is hidden under the other.
            meet[i, j] = (
                min(abs(x - row.first), abs(x - row.last)) <= slack + 2 * column.half
                and min(abs(y - column.first), abs(y - column.last)) <= slack + 2 * row.half
            )
    return meet


def _boxes(meet: Masks, *, closed: bool) -> tuple[Masks, Masks]:
    """Which lines are sides of a box, from the `meet` (rows, columns) bool array.

    Three sides in a row are enough; or each side must have two corners.
    """
    over, down = meet.sum(1) >= 2, meet.sum(0) >= 2
    if closed:
        meet = meet & over[:, None] & down
        return meet.sum(1) >= 2, meet.sum(0) >= 2
    return over | (meet & down).any(1), down | (meet & over[:, None]).any(0)


def _opposite(lines: list[Line], along: Masks, height: int) -> Masks:
    """Which of the lines `along` (n,) the edges of a picture of `height` px have a parallel one at the other edge."""
    upper = [2 * line.start < height for line in lines]
    return answers(
        own
        and any(
            other and high != above and abs(line.slope - twin.slope) <= PARALLEL
            for twin, other, high in zip(lines, along.tolist(), upper, strict=True)
        )
        for line, own, above in zip(lines, along.tolist(), upper, strict=True)
    )
