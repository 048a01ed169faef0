"""A sheet, note or card that lies on a desk: told by its straight, sharp outline and the ink on it, and cut out."""

from collections.abc import Iterator
from typing import NamedTuple, cast

import cv2
import numpy as np

from batch_infer.normalization.background.polarity import TWO_LEVELS
from batch_infer.normalization.components import largest_component
from batch_infer.normalization.image_ops import Grey, Mask, extremes, has_few_pixels, histogram_of, median, otsu

LEAST_SIDE = 16  # px of that; a strip shows no outline
LEAST = 0.05  # of the picture: a sheet that one writes on and takes a picture of
DESK = 0.02  # of the picture: less desk than that does no harm
MAIN = 0.6  # of its class: the sheet is the one large thing that is so light (or dark)
NARROW = 0.35  # of its length: a 1 of a broad pen, and paper that it may be written on, are less and more wide
CORNERS = 6  # at most: four, and two where the picture's edge cuts some off; an ellipse needs more
BENT = 2.0  # px by which the sides of a sheet may stray from straight
INTACT = 0.9  # of the outline: it has paper inside, and none outside
PLAIN = 6  # changes in a row, on the average: a desk, a sheet, two strokes on it
LEAST_STEP = 0.3  # of the range: folds and faint shadows are weak beside the ink
SHARP = 0.55  # of the step from sheet to desk: so much the outline has of it; a shadow is softer
THROUGH = 0.2  # of the step: what lies beyond an edge differs by more from the desk where a stroke goes on
LEAST_INK, MOST_INK = 0.003, 0.25  # of the sheet
INSET = 2  # px at the outline are of both, sheet and desk
_SQUARE = np.ones((3, 3), np.uint8)


class Page(NamedTuple):
    """A sheet in an (H, W) picture: what lies well within its outline, and its paper there, without the ink."""

    inside: Mask
    paper: Mask


def page_of(image: Grey, coarse: Grey) -> Grey:
    """Cut out the sheet that lies on a desk.

    It may be turned, seen at a slant, and reach beyond the picture at some of its sides. What of the desk is left in
    the corners of the cut becomes paper.

    Args:
        image: (H, W) uint8, either polarity.
        coarse: a reduced copy, in which the outline is searched.

    Returns:
        (h, w) uint8; the same array when no such sheet is seen. An inverted picture gives the inverted result.
    """
    if has_few_pixels(image):
        return image
    if min(coarse.shape) < LEAST_SIDE:
        return image
    histogram = histogram_of(coarse)
    level, explained = otsu(histogram)
    found = list(_pages(coarse, level))
    if not found and explained < TWO_LEVELS:
        # A shadow's edge may be the strongest one: the sheet's is then within one of the two classes.
        below, above = histogram.copy(), histogram.copy()
        below[level + 1 :] = above[: level + 1] = 0
        found = [*_pages(coarse, otsu(below)[0]), *_pages(coarse, otsu(above)[0])]
    # The larger one is the likelier one.
    best = max(found, key=lambda page: np.count_nonzero(page.inside), default=None)
    return image if best is None else _cut(image, coarse, best)


def _pages(coarse: Grey, level: int) -> Iterator[Page]:
    """Find the sheets, at most one of each, among the two classes that a level parts a picture into."""
    light = coarse > level
    if np.count_nonzero(light[:, 1:] != light[:, :-1]) > PLAIN * len(light):
        return  # grain, squares or texture
    for mask in (light, ~light):
        page = _page(coarse, mask)
        if page is not None:
            yield page


def _page(coarse: Grey, mask: Mask) -> Page | None:
    """Find the sheet that is the largest piece of a mask (H, W); None if that is no sheet."""
    size, count = mask.size, np.count_nonzero(mask)
    if not LEAST * size <= count <= (1 - DESK) * size:
        return None
    if mask[0].all() and mask[-1].all() and mask[:, 0].all() and mask[:, -1].all():
        return None  # paper all round
    own, area = largest_component(mask)
    if area < max(LEAST * size, MAIN * count):
        return None
    pieces, _ = cv2.findContours(own.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    corners = cv2.approxPolyDP(cv2.convexHull(pieces[0]), BENT, closed=True)
    sheet = cast("Grey", cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), corners, 1)).view(np.bool_)
    covered = np.count_nonzero(sheet)
    sides = sorted(cv2.minAreaRect(corners)[1])
    if sides[0] < NARROW * sides[1] or len(corners) > CORNERS or covered > (1 - DESK) * size:
        return None  # round, ragged, or all there is
    return _with_ink(coarse, mask, own, sheet)


def _with_ink(coarse: Grey, mask: Mask, own: Mask, sheet: Mask) -> Page | None:
    """Tell by its outline and its ink whether `sheet` (H, W), whose paper is `own` in a mask, is one."""
    within = _grown(sheet, -1)
    rim = within ^ _grown(within, -1)
    if not 0 < INTACT * np.count_nonzero(rim) <= np.count_nonzero(mask & rim):
        return None  # paper between strokes
    beyond = _grown(sheet, 1)
    around = beyond ^ _grown(beyond, 1)
    if not np.count_nonzero(mask & around) <= (1 - INTACT) * np.count_nonzero(around) > 0:
        return None  # a stroke
    low, high = extremes(coarse)
    step = abs(median(coarse[own]) - median(coarse[~sheet]))
    beyond_it = median(coarse[around])
    if step < LEAST_STEP * (high - low) or abs(median(coarse[rim]) - beyond_it) < SHARP * step:
        return None  # a fold or a shadow
    inside = _grown(sheet, -INSET)
    ink = _ink(coarse, mask, inside)
    if ink is None:
        return None
    # Where a stroke meets the edge of a sheet, there is desk beyond it; it goes on through the edge of a shadow.
    strange = around & (np.abs(coarse - np.float32(beyond_it)) > THROUGH * step)
    meets = ink & rim
    through = meets & _grown(strange, 4)
    paper = own & inside & ~ink
    if not paper.any() or 4 * np.count_nonzero(through) > np.count_nonzero(meets):
        return None
    return Page(inside, paper)


def _ink(coarse: Grey, mask: Mask, inside: Mask) -> Mask | None:
    """The (H, W) mask of what is like the ink on a sheet; None if there is none: then the sheet is itself a mark."""
    if _is_writing(inside & ~mask, inside):
        return ~mask
    # The ink may lie beyond the paper as seen from the desk: dark on a grey note on a white desk.
    levels = coarse[inside]
    if not len(levels):
        return None
    level, _ = otsu(histogram_of(levels))
    light = levels > level
    lighter = np.count_nonzero(light)
    if not 0 < lighter < len(levels):
        return None
    ink: Mask = (coarse > level) == (2 * lighter < len(levels))
    return ink if _is_writing(inside & ink, inside) else None


def _is_writing(marks: Mask, inside: Mask) -> bool:
    """Tell marks (H, W) from grain and stains on a sheet."""
    area = np.count_nonzero(inside)
    return bool(max(1, LEAST_INK * area) <= np.count_nonzero(marks) <= MOST_INK * area)


def _grown(mask: Mask, by: int) -> Mask:
    """A mask (H, W) that reaches `by` px further to all sides, or less far; it goes on beyond the picture's edge."""
    change = cv2.dilate if by > 0 else cv2.erode
    return cast("Grey", change(mask.view(np.uint8), _SQUARE, iterations=abs(by))).view(np.bool_)


def _cut(image: Grey, coarse: Grey, page: Page) -> Grey:
    """Cut a page found in `coarse` out of the picture (H, W) uint8 that was reduced to it; beside it lies paper."""
    # Everywhere the level of the next paper.
    _, nearest = cv2.distanceTransformWithLabels(
        (~page.paper).view(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    levels = np.zeros(int(nearest.max()) + 1, np.uint8)
    levels[nearest[page.paper]] = coarse[page.paper]
    left, top, width, height = cv2.boundingRect(page.inside.view(np.uint8))
    part = slice(top, top + height), slice(left, left + width)
    down, across = image.shape[0] // coarse.shape[0], image.shape[1] // coarse.shape[1]
    inside, beside = (plane[part].repeat(down, 0).repeat(across, 1) for plane in (page.inside, levels[nearest]))
    cut = image[top * down : (top + height) * down, left * across : (left + width) * across]
    return np.where(inside, cut, beside)
