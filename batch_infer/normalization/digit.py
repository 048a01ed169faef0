"""From a picture with light ink on an even background to the ink map of its digit."""

from collections.abc import Callable
from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.component_selection import STROKE_SHARE, select_digit
from batch_infer.normalization.components import Components, connected_components
from batch_infer.normalization.image_ops import Grey, Mask, has_few_pixels, histogram_of, otsu
from batch_infer.normalization.lines.removal import may_be_ruled, rulings
from batch_infer.normalization.thresholding import Levels

NOISE_COMPONENTS = 20  # that many components and none of them the main one: noise
MAIN_SHARE = 0.15  # of all components' area: what a digit's largest one has at least among specks and squares
FULL_RANK = 0.7  # of the digit's pixels by level: full ink
REST = 0.05  # of the longer side: a component of that length is left where lines are taken out
FLATTEST = 0.25  # of its width: a digit is at least that high
FREE = 0.2  # of its length: so much of what touches the edge stands free where full ink alone is taken
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))

Trace = Callable[[str, NDArray[np.generic]], None]  # is called with the name of a step, and its picture


class Selection(NamedTuple):
    """Which components of a picture are the digit.

    Attributes:
        foreground: (H, W) uint8, the picture.
        components: of it.
        keep: (n,) bool, which of them are the digit.
        box: round those: top, left, bottom, right in px; all 0 where there are none.
    """

    foreground: Grey
    components: Components
    keep: Mask
    box: tuple[int, int, int, int]

    def is_left(self) -> bool:
        """Tell a digit that may be left where lines were taken out from a speck, and from a flat bar."""
        top, left, bottom, right = self.box
        tall, wide = bottom - top, right - left
        return 0 < self.length() >= REST * max(self.foreground.shape) and tall >= FLATTEST * wide

    def is_digit(self) -> bool:
        """Tell ink from noise: that is a multitude of components, and even the largest is a small part of them."""
        if not self.length():
            return False
        area = self.components.area
        return len(area) < NOISE_COMPONENTS or bool(area[self.keep].max() >= MAIN_SHARE * area.sum())

    def length(self) -> int:
        """The longer side of the digit's box in px; 0 where there is none."""
        top, left, bottom, right = self.box
        return max(bottom - top, right - left)

    def meets_edge(self) -> bool:
        """Tell whether the digit touches the picture's edge."""
        top, left, bottom, right = self.box
        height, width = self.foreground.shape
        return top == 0 or left == 0 or bottom == height or right == width


class Digit(NamedTuple):
    """The digit found.

    Attributes:
        ink: (h, w) uint8, 255 for full ink, cut to the digit, with a rim of a pixel of background.
        box: where it lies: top, left, bottom, right in px.
        selection: of the components that it is made of.
        fill: the mean of the ink, 0 … 1: how much of its box the digit fills.
    """

    ink: Grey
    box: tuple[int, int, int, int]
    selection: Selection
    fill: float

    def outline(self) -> Mask:
        """The pixels (h, w) bool of its box just outside its strokes."""
        own = (self.ink[1:-1, 1:-1] > 127).view(np.uint8)
        return np.not_equal(cv2.dilate(own, _CROSS), own)


def find_digit(foreground: Grey, levels: Levels, trace: Trace | None = None) -> Digit | None:
    """Find the digit in an (H, W) uint8 picture with light ink on a background of one level.

    Args:
        foreground: the picture.
        levels: of its background and its ink.
        trace: is called with the name and the picture of each step.

    Returns:
        The digit; None when there is none.
    """
    mask, selection = foreground > int(levels.threshold), None
    if trace:
        trace("threshold", mask)
    # Lines may be fainter than the ink: found at the ink's threshold, they would be in pieces.
    above = max(0.5 * (levels.threshold - levels.background), 2.5 * levels.noise)
    faint = foreground > int(levels.background + above)
    if may_be_ruled(faint):
        selection = _without_lines(foreground, faint, levels)
        if trace and selection:
            trace("lines", selection.components.foreground)
    selection = selection or _select(foreground, mask)
    if not selection.is_digit():
        return None
    if not has_few_pixels(foreground) and selection.meets_edge():
        # Ruled and squared paper hangs on the digit where the threshold is low; full ink alone may stand free.
        split, _ = otsu(histogram_of(selection.foreground[selection.components.mask(selection.keep)]))
        higher = max(split + 1.0, levels.background + 0.5 * (levels.ink - levels.background))
        strong = _select(selection.foreground, selection.foreground > int(higher))
        if not strong.meets_edge() and 0 < strong.length() >= FREE * selection.length():
            selection, levels = strong, levels._replace(threshold=higher)
    if trace:
        trace("selection", selection.components.mask(selection.keep))
    return _cut(selection, levels)


def _select(foreground: Grey, mask: Mask) -> Selection:
    components = connected_components(mask)
    keep = select_digit(components)
    return Selection(foreground, components, keep, components.box(keep) if np.count_nonzero(keep) else (0, 0, 0, 0))


def _without_lines(foreground: Grey, mask: Mask, levels: Levels) -> Selection | None:
    """Take ruled lines out, if a digit is left then: else they were its strokes, as those of an upright 1."""
    for lines in rulings(mask):
        without = lines.erased_from(foreground)
        rest = _select(without, without > int(levels.threshold))
        if not rest.is_left():
            continue
        # Without the line, parts of a digit may look like neighbours' ends: they count here.
        large = rest.components.area >= STROKE_SHARE * rest.components.area[rest.keep].max()
        if not lines.may_be_stroke(foreground, rest.components.box(large), levels.ink):
            return rest
    return None


def _cut(selection: Selection, levels: Levels) -> Digit:
    """Cut the digit out of the picture, with its strokes' soft edges."""
    foreground, components, keep, (top, left, bottom, right) = selection
    height, width = foreground.shape
    top, left, bottom, right = max(top - 1, 0), max(left - 1, 0), min(bottom + 1, height), min(right + 1, width)
    part = (slice(max(top - 1, 0), bottom + 1), slice(max(left - 1, 0), right + 1))
    own, shown = components.mask(keep)[part], foreground[part]
    core = shown[own]
    rank = int(FULL_RANK * (len(core) - 1))
    core.partition(rank)
    full = int(core[rank])
    # Above the noise; never into components that were left out.
    edge = levels.threshold - levels.background
    low = round(levels.background + min(max(0.15 * edge, 3 * levels.noise), edge))
    near = cast("Grey", cv2.dilate(own.view(np.uint8), _CROSS)) & (shown > low)
    alpha = 255 / max(full - low, 1)
    ink = cv2.copyTo(cv2.convertScaleAbs(shown, alpha=alpha, beta=-alpha * low), near)
    beyond = int(top == 0), int(bottom == height), int(left == 0), int(right == width)
    if any(beyond):
        ink = cv2.copyMakeBorder(ink, *beyond, cv2.BORDER_CONSTANT)
    return Digit(cast("Grey", ink), (top, left, bottom, right), selection, cv2.mean(ink)[0] / 255)
