"""Which straight lines in a picture are ruled or printed, and which ones are strokes of the digit."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from batch_infer.vision.lines import Line, erased, find_lines, strength
from batch_infer.vision.pixels import SMALL, Grey

THIN = 0.04  # of the longer side: a line is at most so thick
EDGE = 0.01  # of the picture's side: a line that ends so near its edge goes on outside
WHOLE = 0.8  # of the picture's side: a line that long goes on outside too, but may be too faint there
COVER = 0.5  # of the picture's side: so much of a line must be seen, if it is no side of a box
STRAIGHT = (0.4, 0.6)  # px, standard deviation: no hand draws straighter to one edge, or from edge to edge
BESIDE = 0.08  # of the picture's side: a frame line runs so near its edge
FAINTER = 0.7  # of full ink: a line of less is no stroke
LEAST = 20  # px; in smaller pictures every stroke is a line
PARALLEL = 0.01  # rows per column: opposite sides of a frame differ by no more
PATTERN = 2  # ruled lines: one that looks like so many is one too
CORNER = 0.02  # of the longer side: lines that end so near one another meet, their thickness aside

Masks = NDArray[np.bool_]


class Ruling(NamedTuple):
    """Lines along the rows and lines along the columns (of the picture turned over).

    `sure` is whether there is no doubt: a box, or more of them than a digit has.
    """

    rows: list[Line]
    columns: list[Line]
    sure: bool

    def erased_from(self, image: Grey) -> Grey:
        """Take the lines out of an (H, W) uint8 picture with light ink."""
        for line in self.rows:
            image = erased(image, line)
        if not self.columns:
            return image
        turned = image.T
        for line in self.columns:
            turned = erased(turned, line)
        return np.ascontiguousarray(turned.T)

    def may_be_stroke(self, image: Grey, box: tuple[int, int, int, int], ink: float) -> bool:
        """Tell whether the lines may be strokes of a digit that the picture was cut to.

        Lines go on outside the picture, and so do the strokes of a digit in a tight crop: if they and the rest of the
        digit together reach from edge to edge across the lines too, it may be one. Fainter lines are not ink.

        Args:
            image: (H, W) uint8, light ink on paper of about 0.
            box: round the rest of the digit: top, left, bottom, right in px.
            ink: the level of full ink.
        """
        if self.sure:
            return False
        top, left, bottom, right = box
        turned = image if self.rows else image.T
        first, last = (top, bottom - 1) if self.rows else (left, right - 1)
        near = max(1.0, EDGE * max(image.shape))
        for line in self.rows or self.columns:
            if strength(turned, line) < FAINTER * ink:
                return False
            ends = line.start + line.slope * line.first, line.start + line.slope * line.last
            first, last = min(first, *(end - line.half for end in ends)), max(last, *(end + line.half for end in ends))
        return first <= near and last >= len(turned) - 1 - near


def may_be_ruled(mask: Masks) -> bool:
    """Tell quickly whether an (H, W) bool mask of a small picture may have a box, or a line from edge to edge."""
    height, width = mask.shape
    if min(height, width) < LEAST:
        return False
    ink = mask.view(np.uint8)
    rows = (ink.sum(1, dtype=np.uint8) >= COVER * width).nonzero()[0]
    columns = (ink.sum(0, dtype=np.uint8) >= COVER * height).nonzero()[0]
    if len(rows) and mask[:, 0].any() and mask[:, -1].any():
        return True
    return bool(
        len(rows)
        and len(columns)
        and rows[-1] - rows[0] >= COVER * height
        and columns[-1] - columns[0] >= COVER * width
    )


def rulings(mask: Masks) -> Iterator[Ruling]:
    """Find the ruled and printed lines in an (H, W) bool mask.

    A digit has long straight strokes too. A line is none of them if it is as straight as no hand draws it and goes
    on outside the picture; or if it is part of a box or a frame; or if it runs from one such line to another.
    In a small picture strokes are straight for want of room: only complete boxes and lines from the left
    edge to the right one count (an upright one that touches no stroke is a piece of its own).

    Yields:
        Lines to be taken out together, the surest first: boxes, what runs along the rows, what along the columns.
    """
    height, width = mask.shape
    side = max(height, width)
    small = side <= SMALL
    thick = max(3, round(THIN * side))
    rows, columns = find_lines(mask, thick), find_lines(np.ascontiguousarray(mask.T), thick)
    if not rows and not columns:
        return
    meet = _corners(rows, columns, side)
    in_box, in_box_too = _boxes(meet, 2 if small else 1)
    if not small:
        along, along_too = _along_edge(rows, height, width), _along_edge(columns, width, height)
        framed = meet & along[:, None] & along_too
        in_box |= framed.any(1) | _opposite(rows, along, height)
        in_box_too |= framed.any(0) | _opposite(columns, along_too, width)
    if in_box.any() or in_box_too.any():
        yield Ruling(_which(rows, in_box), _which(columns, in_box_too), True)
    over, down = in_box | _ruled(rows, width, small), in_box_too.copy()
    if not small:
        down |= _ruled(columns, height, small)
        over |= _whole(rows, width) & ((over.sum() >= PATTERN) | (meet & down).any(1))
        down |= _whole(columns, height) & ((down.sum() >= PATTERN) | (meet & over[:, None]).any(0))
        slack = 2 + CORNER * side
        over |= _free(rows, mask)
        for _ in range(2):  # lines hold those that end on them
            over |= _between(rows, _which(columns, down), width, slack)
            down |= _between(columns, _which(rows, over), height, slack)
    over &= ~in_box
    down &= ~in_box_too
    if over.any():
        yield Ruling(_which(rows, over), [], over.sum() > PATTERN)
    if down.any():
        yield Ruling([], _which(columns, down), down.sum() > PATTERN)


def _which(lines: list[Line], keep: Masks) -> list[Line]:
    return [line for line, kept in zip(lines, keep.tolist(), strict=True) if kept]


def _mask(answers: Iterable[bool]) -> Masks:
    return np.fromiter(answers, dtype=np.bool_)


def _ends(line: Line, side: int) -> int:
    """How many of the two edges of a picture, `side` px apart, a line reaches."""
    near = max(1.0, EDGE * side)
    return int(line.first <= near) + int(line.last >= side - 1 - near)


def _ruled(lines: list[Line], side: int, small: bool) -> Masks:
    """Which lines are straight and go on outside a picture of `side` px."""

    def is_ruled(line: Line) -> bool:
        ends = _ends(line, side)
        return line.cover >= COVER and ends > small and line.bend < STRAIGHT[0 if small else ends - 1]

    return _mask(map(is_ruled, lines))


def _whole(lines: list[Line], side: int) -> Masks:
    """Which lines are straight and nearly as long as the picture of `side` px: they may be too faint near its edges."""
    return _mask(
        line.cover >= COVER and line.last - line.first >= WHOLE * side and line.bend < STRAIGHT[1] for line in lines
    )


def _free(lines: list[Line], mask: Masks) -> Masks:
    """Which straight lines along the rows of an (H, W) bool mask no stroke touches: rules, and the lines of a text."""

    def is_free(line: Line) -> bool:
        columns = np.arange(line.first, line.last + 1)
        middle = line.start + line.slope * columns
        away = line.half + 2
        return (
            line.cover >= COVER
            and line.bend < STRAIGHT[1]
            and not any(
                mask[np.rint(middle + side).astype(np.int64).clip(0, len(mask) - 1), columns].any()
                for side in (-away, away)
            )
        )

    return _mask(map(is_free, lines))


def _along_edge(lines: list[Line], height: int, width: int) -> Masks:
    """Which lines along the rows of an (H, W) picture run beside its upper or lower edge, all along."""
    room = BESIDE * height

    def is_along(line: Line) -> bool:
        ends = line.start + line.slope * line.first, line.start + line.slope * line.last
        return max(ends) <= room or min(ends) >= height - 1 - room

    return _whole(lines, width) & _mask(map(is_along, lines))


def _opposite(lines: list[Line], along: Masks, height: int) -> Masks:
    """Which of the lines `along` (n,) the edges of a picture of `height` px have a parallel one at the other edge."""
    upper = [2 * line.start < height for line in lines]
    return _mask(
        own
        and any(
            other and high != above and abs(line.slope - twin.slope) <= PARALLEL
            for twin, other, high in zip(lines, along.tolist(), upper, strict=True)
        )
        for line, own, above in zip(lines, along.tolist(), upper, strict=True)
    )


def _corners(rows: list[Line], columns: list[Line], side: int) -> Masks:
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


def _boxes(meet: Masks, corners: int) -> tuple[Masks, Masks]:
    """Which lines are sides of a box, from the `meet` (rows, columns) bool array.

    Three sides in a row are enough, of which the outer ones have one of the `corners`; or all have two.
    """
    over, down = meet.sum(1) >= 2, meet.sum(0) >= 2
    if corners == 2:
        closed = meet & over[:, None] & down
        return closed.sum(1) >= 2, closed.sum(0) >= 2
    return over | (meet & down).any(1), down | (meet & over[:, None]).any(0)


def _between(lines: list[Line], across: list[Line], side: int, slack: float) -> Masks:
    """Which lines run from one of the lines `across` to another one, or from one to the edge."""

    def is_held(line: Line) -> bool:
        held = 0
        for end in (line.first, line.last):
            y = line.start + line.slope * end
            held += any(
                abs(other.start + other.slope * y - end) <= slack + 2 * other.half
                and other.first - slack <= y <= other.last + slack
                for other in across
            )
        return line.cover >= COVER and held > 0 and held + _ends(line, side) >= 2

    return _mask(map(is_held, lines))
