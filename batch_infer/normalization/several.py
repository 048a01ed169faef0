"""Tells whether more than one digit stands in a picture: beside the components chosen for the digit, or among them.

The classifier cannot tell: what lies beside the digit is left out before it looks. Where it is certain, there is no
answer (`several_digits`); where it is doubtful, as with digits that touch, the confidence is lowered.
"""

import math
from enum import IntEnum
from itertools import combinations
from typing import NamedTuple

import cv2
import numpy as np

from batch_infer.normalization.component_selection import frames
from batch_infer.normalization.digit import Selection
from batch_infer.normalization.image_ops import Grey, Mask

# All lengths are shares of the digit's longer side, unless it is said.
LEAST = 0.35  # what is smaller beside the digit is a speck, a field's number, a unit
LEAST_SIDE = 5  # px; and smaller than that it is nothing
CERTAIN_SIZE = 0.55  # so long is another digit, not a word in print
CERTAIN_STROKE = 0.5  # times as thick are the thinner strokes of two digits of one pen
FLATTEST = 0.3  # of its width: a lower mark is a bar
SOLID = 0.7  # of its box: a blot, unless it is as narrow as a 1
NARROW = 2.2  # times as high as wide: a 1
FAINTER = 0.6  # of the digit's level: a stain, or what shows through from the back
WITHIN = 0.5  # so far in from the picture's edge reaches more than a neighbour's end
TALL = 0.6  # of the height of all: a part that is lower is a stroke of one digit
AS_TALL = 0.7  # of the other's height: two digits of a row
GAP = 0.12  # between two digits; a pen that skipped leaves less
SOME_GAP = 0.05
TWIN = 0.8  # of the other's height, width and area: two panels of one figure
WIDE, TOO_WIDE = 1.3, 1.4  # times as wide as high: two digits that a gap parts, any
TOUCHING_WIDTH = 0.9  # times as wide as high: two that touch, at least
TOUCHING_TALL = 0.8  # of the height: each of two that touch
MIN_HEIGHT = 10  # px; nothing is thin in a lower one
BRIDGE_AT = 0.3  # of the width, from either side
BRIDGE = 0.2  # of the height: what joins them is at most so thick


class OtherDigits(IntEnum):
    """Whether there are other digits beside the one found."""

    NONE = 0
    DOUBTFUL = 1
    CERTAIN = 2


class _Part(NamedTuple):
    """A component that may be a digit, or a stroke of one: its number, area and box in px."""

    number: int
    area: int
    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def length(self) -> int:
        return max(self.height, self.width)

    def is_blot(self) -> bool:
        """Tell a solid mark from strokes."""
        return self.height < NARROW * self.width and self.area >= SOLID * self.height * self.width


def other_digits(selection: Selection) -> OtherDigits:
    """Tell whether other digits stand beside the one that was selected, or were selected with it."""
    components, keep = selection.components, selection.keep
    if len(keep) == 1:
        return _joined(selection)
    tall, wide = components.bottom - components.top, components.right - components.left
    longer = np.maximum(tall, wide)
    large = longer >= max(LEAST * int(longer[keep].max()), LEAST_SIDE)
    large &= (tall >= FLATTEST * wide) & ~frames(components)
    main = _main(selection)
    large[main] = True
    parts = {
        number: _Part(number, *(int(edge[number]) for edge in components[:5])) for number in large.nonzero()[0].tolist()
    }
    beside = [part for number, part in parts.items() if not keep[number]]
    chosen = [part for number, part in parts.items() if keep[number]]
    return max(_beside(selection, parts[main], beside), _among(selection, chosen)) or _joined(selection)


def has_twin(selection: Selection) -> bool:
    """Tell whether another component has the shape of the one selected: one of several panels."""
    components, main = selection.components, _main(selection)
    sizes = np.stack((components.bottom - components.top, components.right - components.left, components.area))
    own = sizes[:, main : main + 1]
    alike = (np.minimum(sizes, own) >= TWIN * np.maximum(sizes, own)).all(0)
    return int(alike.sum()) > 1


def _main(selection: Selection) -> int:
    """The number of the largest component that was selected."""
    return int(np.where(selection.keep, selection.components.area, 0).argmax())


def _beside(selection: Selection, main: _Part, others: list[_Part]) -> OtherDigits:
    """Tell whether what was left out are other digits."""
    found = OtherDigits.NONE
    height, width = selection.foreground.shape
    level = _level(selection, main) if others else 0.0
    for part in others:
        depth = min(
            part.height if part.top == 0 or part.bottom == height else height,
            part.width if part.left == 0 or part.right == width else width,
        )
        is_cut = part.top == 0 or part.left == 0 or part.bottom == height or part.right == width
        if (is_cut and depth < WITHIN * main.length) or _level(selection, part) < FAINTER * level:
            continue
        if (
            not is_cut
            and max(_gaps(part, main)) >= 0
            and min(part.length, main.length) >= CERTAIN_SIZE * max(part.length, main.length)
            and not part.is_blot()
            and not main.is_blot()
            and _same_pen(selection, part, main)
        ):
            return OtherDigits.CERTAIN
        found = OtherDigits.DOUBTFUL
    return found


def _among(selection: Selection, chosen: list[_Part]) -> OtherDigits:
    """Tell whether what was selected are digits in a row, or above one another, rather than the strokes of one."""
    found = OtherDigits.NONE
    top, left, bottom, right = selection.box
    total, aspect = bottom - top, (right - left) / (bottom - top)
    for one, other in combinations(chosen, 2):
        across, down = (gap / max(one.length, other.length) for gap in _gaps(one, other))
        lower, higher = sorted((one.height, other.height))
        if across > 0 and lower >= TALL * higher:
            levels = sorted((_level(selection, one), _level(selection, other)))
            if levels[0] < FAINTER * levels[1]:
                continue
            row = lower >= TALL * total
            if row and lower >= AS_TALL * higher and (across >= GAP or (across > SOME_GAP and aspect > WIDE)):
                return OtherDigits.CERTAIN
            if (row and across > SOME_GAP) or aspect > WIDE:
                found = OtherDigits.DOUBTFUL
        elif (
            across <= 0
            and down > SOME_GAP
            and min(one.length, other.length) > TALL * max(one.length, other.length)
            and all(part.height > part.width for part in (one, other))
        ):
            found = OtherDigits.DOUBTFUL
    return found


def _joined(selection: Selection) -> OtherDigits:
    """Tell whether what was selected is too wide for one digit, or two high halves with a thin bridge."""
    top, left, bottom, right = selection.box
    height, width = bottom - top, right - left
    if width <= TOUCHING_WIDTH * height or height < MIN_HEIGHT:
        return OtherDigits.NONE
    if width > TOO_WIDE * height:
        return OtherDigits.DOUBTFUL
    mask = selection.components.mask(selection.keep)[top:bottom, left:right].view(np.uint8)
    first, last = math.ceil(BRIDGE_AT * width), math.floor((1 - BRIDGE_AT) * width)
    thin = cv2.reduce(mask[:, first : last + 1], 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0] <= max(2, BRIDGE * height)
    for column in (thin.nonzero()[0] + first).tolist():
        line, halves = mask[:, column].tobytes(), (mask[:, :column], mask[:, column + 1 :])
        if line.strip(b"\0").find(0) < 0 and all(
            cv2.boundingRect(half)[3] >= TOUCHING_TALL * height for half in halves
        ):
            return OtherDigits.DOUBTFUL
    return OtherDigits.NONE


def _gaps(one: _Part, other: _Part) -> tuple[int, int]:
    """How many columns, and how many rows, lie between two parts; negative where they overlap."""
    return max(other.left - one.right, one.left - other.right), max(other.top - one.bottom, one.top - other.bottom)


def _own(selection: Selection, part: _Part) -> tuple[Grey, Mask]:
    """The levels in the box of a part, and which of them are its own."""
    box = (slice(part.top, part.bottom), slice(part.left, part.right))
    return selection.foreground[box], selection.components.labels[box] == part.number + 1


def _level(selection: Selection, part: _Part) -> float:
    levels, own = _own(selection, part)
    return float(np.median(levels[own]))


def _same_pen(selection: Selection, one: _Part, other: _Part) -> bool:
    """Tell whether the thickest strokes of two parts are about as thick."""
    thinner, thicker = sorted(
        float(cv2.distanceTransform(np.pad(_own(selection, part)[1], 1).view(np.uint8), cv2.DIST_L1, 3).max())
        for part in (one, other)
    )
    return thinner >= CERTAIN_STROKE * thicker
