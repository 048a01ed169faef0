"""Which straight lines in a picture are ruled or printed, and which ones are strokes of the digit."""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.image_ops import Grey, has_few_pixels
from batch_infer.normalization.lines.boxes import CORNER, EDGE, SEEN, STRAIGHT, answers, corners, sides, which, whole
from batch_infer.normalization.lines.detection import Line, erased, find_lines, strength

THIN = 0.04  # of the longer side: a line is at most so thick
THICK = 0.06  # of the longer side: so thick at most is the side of a box
APART = 0.4  # of the picture's side: opposite sides of a box
PATTERN = 2  # ruled lines: one that looks like so many is one too
FAINTER = 0.7  # of full ink: a line of less is no stroke
LEAST = 20  # px; in smaller pictures every stroke is a line

Masks = NDArray[np.bool_]


class Ruling(NamedTuple):
    """Lines along the rows and lines along the columns (of the picture turned over).

    `sure` is whether there is no doubt: a box, or more lines of both kinds than a digit has.
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
        first, last = map(float, (top, bottom - 1) if self.rows else (left, right - 1))
        near = max(1.0, EDGE * max(image.shape))
        for line in self.rows or self.columns:
            if strength(turned, line) < FAINTER * ink:
                return False
            ends = line.start + line.slope * line.first, line.start + line.slope * line.last
            first, last = min(first, *(end - line.half for end in ends)), max(last, *(end + line.half for end in ends))
        return first <= near and last >= len(turned) - 1 - near


def may_be_ruled(mask: Masks) -> bool:
    """Tell quickly whether an (H, W) bool mask may have a box, or a line from edge to edge."""
    if min(mask.shape) < LEAST:
        return False
    inked = cv2.reduce(mask.view(np.uint8), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)  # px in each row
    if inked.max() < SEEN * mask.shape[1]:
        return False
    return bool(mask[:, 0].any() and mask[:, -1].any()) or _may_be_boxed(mask)


def _may_be_boxed(mask: Masks) -> bool:
    """Tell quickly whether an (H, W) bool mask has rows and columns that may be opposite sides of a box."""
    for axis, length in enumerate(reversed(mask.shape)):
        long = (np.count_nonzero(mask, axis=1 - axis) >= SEEN * length).nonzero()[0]
        if len(long) == 0 or long[-1] - long[0] < APART * mask.shape[axis]:
            return False
    return True


def rulings(mask: Masks) -> Iterator[Ruling]:
    """Find the ruled and printed lines in an (H, W) bool mask.

    A digit has long straight strokes too. A line is none of them if it is as straight as no hand draws it and goes
    on outside the picture, or no stroke touches it; or if it is part of a box or a frame; or if it runs from one such
    line to another.
    In a small picture strokes are straight for want of room: only complete boxes and lines from the left
    edge to the right one count (an upright one that touches no stroke is a piece of its own).

    Yields:
        Lines to be taken out together, the surest first: boxes, what runs along the rows, what along the columns.
    """
    height, width = mask.shape
    small = has_few_pixels(mask)
    rows, columns = _found(mask, THIN)
    in_box, in_box_too = sides(rows, columns, (height, width), closed=small)
    if in_box.any() or in_box_too.any():
        yield Ruling(which(rows, in_box), which(columns, in_box_too), True)
    elif _may_be_boxed(mask):
        thick = _found(mask, THICK)
        boxed = sides(*thick, (height, width), closed=small)
        if boxed[0].any() or boxed[1].any():
            yield Ruling(which(thick[0], boxed[0]), which(thick[1], boxed[1]), True)
    if in_box.all() and in_box_too.all():
        return
    over, down = in_box | _ruled(rows, width, small), in_box_too.copy()
    if not small:
        down |= _ruled(columns, height, small)
        meet = corners(rows, columns, max(mask.shape))
        over |= whole(rows, width) & ((over.sum() >= PATTERN) | (meet & down).any(1))
        down |= whole(columns, height) & ((down.sum() >= PATTERN) | (meet & over[:, None]).any(0))
        over |= _free(rows, mask)
        slack = 2 + CORNER * max(mask.shape)
        for _ in range(2):  # lines hold those that end on them
            over |= _between(rows, which(columns, down), width, slack)
            down |= _between(columns, which(rows, over), height, slack)
    over &= ~in_box
    down &= ~in_box_too
    sure = int(over.sum() + down.sum()) > PATTERN
    if over.any():
        yield Ruling(which(rows, over), [], sure)
    if down.any():
        yield Ruling([], which(columns, down), sure)


def _found(mask: Masks, share: float) -> tuple[list[Line], list[Line]]:
    """The lines along the rows and those along the columns, as thick as that share of the longer side at most."""
    thick = max(3, round(share * max(mask.shape)))
    return find_lines(mask, thick), find_lines(np.ascontiguousarray(mask.T), thick)


def _ends(line: Line, side: int) -> int:
    """How many of the two edges of a picture, `side` px apart, a line reaches."""
    near = max(1.0, EDGE * side)
    return int(line.first <= near) + int(line.last >= side - 1 - near)


def _ruled(lines: list[Line], side: int, small: bool) -> Masks:
    """Which lines are straight and go on outside a picture of `side` px."""

    def is_ruled(line: Line) -> bool:
        ends = _ends(line, side)
        return line.cover >= SEEN and ends > small and line.bend < STRAIGHT[0 if small else ends - 1]

    return answers(map(is_ruled, lines))


def _free(lines: list[Line], mask: Masks) -> Masks:
    """Which straight lines along the rows of an (H, W) bool mask no stroke touches: rules, and the lines of a text."""

    def is_free(line: Line) -> bool:
        columns = np.arange(line.first, line.last + 1)
        middle = line.start + line.slope * columns
        away = line.half + 2
        return (
            line.cover >= SEEN
            and line.bend < STRAIGHT[1]
            and not any(
                mask[np.rint(middle + side).clip(0, len(mask) - 1).astype(np.int64), columns].any()
                for side in (-away, away)
            )
        )

    return answers(map(is_free, lines))


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
        return line.cover >= SEEN and held > 0 and held + _ends(line, side) >= 2

    return answers(map(is_held, lines))
