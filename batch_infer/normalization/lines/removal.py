"""Takes ruled and printed lines out of a picture from under the strokes of its digit."""

from collections.abc import Iterator
from typing import NamedTuple, cast

import cv2
import numpy as np

from batch_infer.normalization.image_ops import Grey, Mask, has_few_pixels, median
from batch_infer.normalization.lines.detection import LEAST, Line, find_lines
from batch_infer.normalization.lines.printed import EDGE, printed

THICK = 0.08  # of the longer side: a line is at most so thick
SMALLEST = 20  # px; in smaller pictures every stroke is a line
SOFT = 1.2, 1.0  # px beside a line that its soft edges may take, in an overview, in a small picture
STRONGER = 1.4  # times the line's own ink: a stroke's
FAINTER = 0.7  # of full ink: a line of less is no stroke
PATTERN = 2  # more lines than that are no strokes


class Ruling(NamedTuple):
    """Lines along the rows of a picture, and lines along its columns (of the picture turned over)."""

    rows: list[Line]
    columns: list[Line]

    def erased_from(self, image: Grey) -> Grey:
        """Take the lines out of an (H, W) uint8 picture with light ink."""
        image = _erased(image, self.rows)
        return np.ascontiguousarray(_erased(image.T, self.columns).T) if self.columns else image

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
    if min(mask.shape) < SMALLEST:
        return False
    ink = mask.view(np.uint8)
    least = LEAST * min(mask.shape)
    for axis in (0, 1):
        if cv2.reduce(ink, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).max() >= least:
            return True
    return False


def rulings(mask: Mask) -> Iterator[Ruling]:
    """Find the ruled and printed lines in an (H, W) bool mask.

    Yields:
        Lines to be taken out together, all of them first; fewer for where nothing is left then, as an upright 1
        from line to line of a box was one of them.
    """
    thick = max(3, round(THICK * max(mask.shape)))
    rows, columns = find_lines(mask, thick), find_lines(np.ascontiguousarray(mask.T), thick)
    over, down = printed(rows, columns, (mask.shape[0], mask.shape[1]))
    rows = [line for line, is_printed in zip(rows, over, strict=True) if is_printed]
    columns = [line for line, is_printed in zip(columns, down, strict=True) if is_printed]
    if not rows and not columns:
        return
    yield Ruling(rows, columns)
    if len(rows) > 1 and len(columns) > PATTERN:
        yield Ruling(_outer(rows), _outer(columns))
    if rows and columns:
        yield Ruling(rows, [])
        yield Ruling([], columns)


def _outer(lines: list[Line]) -> list[Line]:
    """The first and the last of some lines."""
    ordered = sorted(lines, key=lambda line: line.start)
    return [ordered[0], ordered[-1]]


def _erased(image: Grey, lines: list[Line]) -> Grey:
    """Take lines along the rows out of a picture.

    A stroke across a line stays whole: what is on a side of the line goes on under it, straight or aslant; and what is
    much stronger than the line is elsewhere is not the line's.

    Args:
        image: (H, W) uint8, light ink on paper of about 0.
        lines: the lines, from `find_lines`.

    Returns:
        (H, W) uint8.
    """
    height = len(image)
    result = image.copy()
    soft = SOFT[has_few_pixels(image)]
    for thick in sorted({round(2 * (line.half + soft)) + 1 for line in lines}):
        # What is longer than a line is thick, upright or aslant, is not the line's.
        element = np.eye(thick + 1, dtype=np.uint8)
        kept = cv2.morphologyEx(image, cv2.MORPH_OPEN, np.ones((thick + 1, 1), np.uint8))
        for aslant in (element, np.ascontiguousarray(element[::-1])):
            kept = np.maximum(kept, cv2.morphologyEx(image, cv2.MORPH_OPEN, aslant))
        for line in lines:
            reach = line.half + soft
            if round(2 * reach) + 1 != thick:
                continue
            columns = np.arange(line.first, line.last + 1)
            top = np.rint(line.start + line.slope * columns - reach).astype(np.int64)
            rows = (top + np.arange(thick)[:, None]).clip(0, height - 1)
            own = image[rows, columns]
            result[rows, columns] = np.where(own > STRONGER * strength(image, line), own, kept[rows, columns])
    return cast("Grey", result)


def strength(image: Grey, line: Line) -> float:
    """The level of a line's ink in an (H, W) uint8 picture: of the strongest of three rows, in half of its columns."""
    columns = np.arange(line.first, line.last + 1)
    middle = np.rint(line.start + line.slope * columns).clip(1, len(image) - 2).astype(np.int64)
    levels = np.maximum(np.maximum(image[middle - 1, columns], image[middle, columns]), image[middle + 1, columns])
    return median(levels)
