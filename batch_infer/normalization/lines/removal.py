"""Takes ruled and printed lines out of a picture from under the strokes of its digit."""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple, cast

import cv2
import numpy as np

from batch_infer.normalization.image_ops import Grey, Mask, has_few_pixels, median
from batch_infer.normalization.lines.detection import LEAST, Line, find_lines
from batch_infer.normalization.lines.printed import EDGE, printed

THICK = 0.08  # of the longer side: a line is at most so thick
SMALLEST = 20  # px; in smaller pictures every stroke is a line
SOFT = 1.2, 1.0  # px beside a line that its soft edges may take, in an overview, in a small picture
CORNER = 1, 0.02  # px, and of the shorter side: so near the corner of a box is ink
STRONGER = 1.4  # times the line's own ink: a stroke's
FAINTER = 0.7  # of full ink: a line of less is no stroke
PATTERN = 2  # more lines than that are no strokes


class Ruling(NamedTuple):
    """Lines along the rows of a picture, and lines along its columns (of the picture turned over)."""

    rows: list[Line]
    columns: list[Line]

    def erased_from(self, image: Grey) -> Grey:
        """Take the lines out of an (H, W) uint8 picture with light ink."""
        turned = _turned(image)
        over, down = _most(image, self.rows), _turned(_most(turned, self.columns))
        across = _strokes_across(turned, _turned(down), _turned(over), self.columns)
        strokes = cv2.max(_strokes_across(image, over, down, self.rows), _turned(across))
        return cast("Grey", cv2.copyTo(image, cv2.compare(image, cv2.max(over, down), cv2.CMP_GT), strokes))

    def may_be_stroke(self, image: Grey, box: tuple[int, int, int, int], ink: float) -> bool:
        """Tell whether the lines may be strokes of a digit that the picture was cut to.

        Lines go on outside the picture, and so do the strokes of a digit in a tight crop: if they and the rest of the
        digit together reach from edge to edge across the lines too, it may be one. Fainter lines are not ink.

        Args:
            image: (H, W) uint8, light ink on paper of about 0.
            box: round the rest of the digit: top, left, bottom, right in px.
            ink: the level of full ink.
        """
        if len(self.rows) + len(self.columns) > PATTERN:
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


def may_be_ruled(mask: Mask) -> bool:
    """Tell quickly whether an (H, W) bool mask may have a box, or a line from edge to edge."""
    height, width = mask.shape
    if min(height, width) < SMALLEST:
        return False
    ink, least = mask.view(np.uint8), LEAST * min(height, width)
    rows = cv2.reduce(ink, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).reshape(-1)  # px in each row
    columns = cv2.reduce(ink, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S).reshape(-1)
    over, down = (rows >= least).nonzero()[0], (columns >= least).nonzero()[0]
    above, below, before, behind = rows.item(0), rows.item(-1), columns.item(0), columns.item(-1)
    if (before and behind and len(over)) or (above and below and len(down)):
        return True
    if not len(over) or not len(down):
        return False
    top, bottom, left, right = over.item(0), over.item(-1), down.item(0), down.item(-1)
    may = (above or below or bottom - top >= least) and (before or behind or right - left >= least)
    if not may or above or below or before or behind:
        return bool(may)
    # The box round a digit has four corners.
    near = CORNER[0] + int(CORNER[1] * min(height, width))
    return all(
        cv2.countNonZero(ink[max(y - near, 0) : y + near + 1, max(x - near, 0) : x + near + 1])
        for y in (top, bottom)
        for x in (left, right)
    )


def rulings(mask: Mask) -> Iterator[Ruling]:
    """Find the ruled and printed lines in an (H, W) bool mask.

    Yields:
        Lines to be taken out together, all of them first; fewer for where nothing is left then, as an upright 1
        from line to line of a box was one of them.
    """
    shape = mask.shape[0], mask.shape[1]
    thick = max(3, round(THICK * max(shape)))
    rows = find_lines(mask, thick)
    if not rows and not (mask[0].any() and mask[-1].any()):
        return  # nothing would hold a line along the columns
    rows, columns = printed(rows, find_lines(_turned(mask.view(np.uint8)).view(np.bool_), thick), shape)
    if rows or columns:
        yield Ruling(rows, columns)
    if rows and columns:
        yield Ruling(_outer(rows), _outer(columns))
        yield Ruling(printed(rows, [], shape)[0], [])
        yield Ruling([], printed([], columns, shape)[1])


def _outer(lines: list[Line]) -> list[Line]:
    """The first and the last of some lines."""
    ordered = sorted(lines, key=lambda line: line.start)
    return [ordered[0], ordered[-1]]


def _turned(image: Grey) -> Grey:
    return cast("Grey", cv2.transpose(image))


def _most(image: Grey, lines: list[Line]) -> Grey:
    """Draw lines along the rows: the most that their ink has, where it is stronger it is a stroke's; 0 elsewhere."""
    most = np.zeros(image.shape, np.uint8)
    soft = SOFT[has_few_pixels(image)]
    for line in lines:
        ends = np.array((line.first, line.last))
        rows, reach = line.start + line.slope * ends, line.half + soft
        upper, lower = np.ceil(rows - reach).astype(np.int32), np.floor(rows + reach).astype(np.int32)
        outline = np.array(((ends[0], upper[0]), (ends[1], upper[1]), (ends[1], lower[1]), (ends[0], lower[0])))
        cv2.fillConvexPoly(most, outline, min(STRONGER * strength(image, line), 255.0))
    return most


def _strokes_across(image: Grey, most: Grey, others: Grey, lines: list[Line]) -> Grey:
    """What goes on under lines along the rows: what is longer than they are thick, upright or aslant.

    Args:
        image: (H, W) uint8, light ink on paper of about 0.
        most: (H, W) uint8 from `_most` of those lines.
        others: the same of the lines across them, which are not strokes.
        lines: from `find_lines`.

    Returns:
        (H, W) uint8.
    """
    kept = np.zeros(image.shape, np.uint8)
    if not lines:
        return kept
    alone = cv2.copyTo(image, cv2.compare(image, others, cv2.CMP_GT))
    thick = 2 * (max(line.half for line in lines) + SOFT[has_few_pixels(image)])
    for stroke in _strokes((round(thick) + 2) | 1):
        found = cv2.morphologyEx(alone, cv2.MORPH_OPEN, stroke, borderType=cv2.BORDER_CONSTANT, borderValue=0)
        cv2.max(kept, found, dst=kept)
    return cast("Grey", cv2.copyTo(kept, most))


@cache
def _strokes(length: int) -> tuple[Grey, Grey, Grey]:
    """Structuring elements of strokes across a line: `length` (odd) px high upright, twice that aslant to either side.

    Shorter ones aslant would fit in beside an upright stroke, where it meets the line.
    """
    aslant = np.eye(2 * length - 3, dtype=np.uint8)
    return np.ones((length, 1), np.uint8), aslant, np.ascontiguousarray(aslant[::-1])


def strength(image: Grey, line: Line) -> float:
    """The level of a line's ink in an (H, W) uint8 picture: of the strongest of three rows, in half of its columns."""
    height, width = image.shape
    columns = np.arange(line.first, line.last + 1)
    middle = np.minimum(np.maximum(np.rint(line.start + line.slope * columns).astype(np.int64), 1), height - 2)
    return median(image.take(middle * width + columns + np.array(((-width,), (0,), (width,)))).max(0))
