"""A sheet, note or card that lies on a desk: told by its straight, sharp outline and the ink on it, and cut out."""

from typing import NamedTuple

import cv2
import numpy as np

from batch_infer.decoding.pixels.downscale import shrink
from batch_infer.normalization.components import connected_components
from batch_infer.normalization.image_ops import Grey, has_few_pixels, histogram_of, median, otsu
from batch_infer.normalization.page.outline import Doubles, Mask, Outline, outline_of
from batch_infer.normalization.polarity import TWO_LEVELS

COARSE_SIDE = 128  # px; the outline is searched in a picture of at most this size
LEAST_SIDE = 16  # px of that; a strip shows no outline
LEAST = 0.05  # of the picture: a sheet that one writes on and takes a picture of
DESK = 0.02  # of the picture: less desk than that does no harm
STRAY = 0.25  # of the desk: so much of it may be as light (or dark) as the sheet
MAIN = 0.6  # of its class: the sheet is the one large thing that is so light (or dark)
OPEN = 0.5  # of the sheet: paper that no stroke encloses
INTACT = 0.9  # of the outline: it has paper inside, and none outside
PLAIN = 6  # changes in a row, on the average: a desk, a sheet, two strokes on it
CRISP = 0.4  # of the difference of two classes: so much, or more, most of the edge between them has within 3 px
SHARP = 0.55  # of the step from sheet to desk: so much the outline has of it; a shadow is softer
CONTRAST = 24  # levels of that step at least
LEAST_STEP = 0.3  # of the range: folds and faint shadows are weak beside the ink
THROUGH = 0.2  # of the step: what lies beyond an edge differs by more from the desk where a stroke goes on
LEAST_INK, MOST_INK = 0.003, 0.25  # of the sheet
MARK_SIDE = 0.06  # of the sheet's length: a mark is that long
COMPACT = 0.2  # of its length squared: no stroke covers so much
CLEAR = 0.5  # of the variance on a sheet is between ink and paper
FAINT = 16  # levels between ink and paper
INSET = 2  # px at the outline are of both, sheet and desk


class Page(NamedTuple):
    """A sheet in an (H, W) picture: its paper without the ink on it, (H, W) bool, and its outline."""

    paper: Mask
    outline: Outline


def page_of(image: Grey) -> Grey:
    """Cut out the sheet that lies on a desk.

    It may be turned, seen at a slant, and reach beyond the picture at some of its sides. What of the desk is left in
    the corners of the cut becomes paper.

    Args:
        image: (H, W) uint8, either polarity.

    Returns:
        (h, w) uint8; the same array when no such sheet is seen. An inverted picture gives the inverted result.
    """
    if has_few_pixels(image):
        return image
    coarse = shrink(image, COARSE_SIDE)
    if min(coarse.shape) < LEAST_SIDE:
        return image
    histogram = histogram_of(coarse)
    level, explained = otsu(histogram)
    found = _pages(coarse, level)
    if not found and explained < TWO_LEVELS:
        # A shadow's edge may be the strongest one: the sheet's is then within one of the two classes.
        below, above = histogram.copy(), histogram.copy()
        below[level + 1 :] = above[: level + 1] = 0
        found = _pages(coarse, otsu(below)[0]) + _pages(coarse, otsu(above)[0])
    # The larger one is the likelier one; the second key only keeps inverted pictures symmetric.
    best = max(found, key=lambda page: (page.outline.area(), page.outline.left.sum()), default=None)
    return image if best is None else _cut(image, coarse, best)


def _pages(coarse: Grey, level: int) -> list[Page]:
    """Find the sheets, at most one of each, among the two classes that a level parts a picture into."""
    light = coarse > level
    if not _is_crisp(coarse, light):
        return []
    return [page for mask in (light, ~light) if (page := _page(coarse, mask)) is not None]


def _is_crisp(coarse: Grey, light: Mask) -> bool:
    """Tell by all edges of a mask (H, W), strokes and all, that levels jump there: cheap, and ends most searches."""
    height, width = light.shape
    across = light[:, 1:] != light[:, :-1]
    if np.count_nonzero(across) > PLAIN * height:
        return False  # grain, squares or texture; and pieces without number take long
    down = light[1:] != light[:-1]
    # From the pixel before an edge's two to the one behind them.
    around = cv2.copyMakeBorder(coarse, 1, 2, 1, 2, cv2.BORDER_REPLICATE)
    beside = cv2.absdiff(around[1:-2, :width], around[1:-2, 3:])[:, :-1][across]
    below = cv2.absdiff(around[:height, 1:-2], around[3:, 1:-2])[:-1][down]
    jumps = np.concatenate([beside, below])
    if not len(jumps):
        return False
    classes = cv2.mean(coarse, light.view(np.uint8))[0] - cv2.mean(coarse, (~light).view(np.uint8))[0]
    return median(jumps) >= CRISP * classes


def _page(coarse: Grey, mask: Mask) -> Page | None:
    """Find the sheet that is the largest piece of a mask (H, W); None if that is no sheet."""
    size, count = mask.size, np.count_nonzero(mask)
    if not LEAST * size <= count <= (1 - DESK) * size:
        return None
    if mask[0].all() and mask[-1].all() and mask[:, 0].all() and mask[:, -1].all():
        return None  # paper all round
    found = connected_components(mask)
    main = int(found.area.argmax())
    area = int(found.area[main])
    if area < max(LEAST * size, MAIN * count):
        return None
    outline = outline_of(found, main)
    if area < OPEN * outline.area() or outline.area() > (1 - DESK) * size:
        return None
    return _sheet(coarse, mask, Page(found.mask(np.arange(len(found.area)) == main), outline))


def _sheet(coarse: Grey, mask: Mask, page: Page) -> Page | None:
    """Tell by what is along its outline whether a page found in a mask (H, W) is one; and take the ink out of it."""
    inner, outer, seen = page.outline.along(mask.shape)
    within, beyond = mask[inner], ~mask[outer]
    if np.count_nonzero(within) < INTACT * len(seen) or not seen.any():
        return None  # paper between strokes, or a stroke
    desk = ~page.outline.inside(mask.shape, 0)
    stray = np.count_nonzero(mask & desk) > STRAY * np.count_nonzero(desk)
    if stray or np.count_nonzero((within & beyond)[seen]) < INTACT * np.count_nonzero(seen):
        return None  # one thing among others, round or ragged
    inside, outside = (coarse[places][seen].astype(np.int16) for places in (inner, outer))
    step = abs(median(coarse[page.paper]) - median(coarse[desk]))
    fold = step < max(CONTRAST, LEAST_STEP * float(np.ptp(coarse)))
    if fold or abs(median(inside - outside)) < SHARP * step:
        return None  # or a shadow
    ink = _ink(coarse, mask, page.outline)
    if ink is None:
        return None
    # Where a stroke meets the edge of a sheet, there is desk beyond it; it goes on through the edge of a shadow.
    meets = ink[inner][seen]
    through = meets & (np.abs(outside - median(outside)) > THROUGH * step)
    paper = page.paper & ~ink
    if not paper.any() or 2 * np.count_nonzero(through) > np.count_nonzero(meets):
        return None
    return Page(paper, page.outline)


def _ink(coarse: Grey, mask: Mask, outline: Outline) -> Mask | None:
    """The (H, W) mask of what is like the ink on a sheet; None if there is none: then the sheet is itself a mark."""
    inside = outline.inside(coarse.shape, INSET)
    area, length = int(np.count_nonzero(inside)), outline.length()
    if _is_writing(inside & ~mask, area, length):
        return ~mask
    # The ink may lie beyond the paper as seen from the desk: dark on a grey note on a white desk.
    if not area or area < COMPACT * length * length:
        return None  # a thick stroke of uneven ink
    levels = coarse[inside]
    level, explained = otsu(histogram_of(levels))
    light = levels > level
    lighter = int(np.count_nonzero(light))
    if explained < CLEAR or not 0 < lighter < area or levels[light].mean() - levels[~light].mean() < FAINT:
        return None
    ink: Mask = (coarse > level) == (2 * lighter < area)
    return ink if _is_writing(inside & ink, area, length) else None


def _is_writing(marks: Mask, area: int, length: float) -> bool:
    """Tell marks (H, W) from grain and stains, on a sheet of some area and length."""
    if not max(1, LEAST_INK * area) <= np.count_nonzero(marks) <= MOST_INK * area:
        return False
    found = connected_components(marks)
    return bool(np.maximum(found.bottom - found.top, found.right - found.left).max() >= MARK_SIDE * length)


def _cut(image: Grey, coarse: Grey, page: Page) -> Grey:
    """Cut a page found in `coarse` out of the picture (H, W) uint8 that was reduced to it; beside it lies paper."""
    height, width = coarse.shape
    down, across = image.shape[0] // height, image.shape[1] // width
    top, left, right, _ = page.outline
    rows = np.arange(len(left))
    row = (np.arange(len(left) * down) + 0.5) / down - 0.5
    # Convex: of the rows within INSET, those at the ends reach in furthest. The picture's edge is none of the sheet's.
    begin = np.maximum(*(np.interp(row + by, rows, left) for by in (-INSET, INSET)))
    end = np.minimum(*(np.interp(row + by, rows, right) for by in (-INSET, INSET)))
    begin, end = np.where(begin < 1, 0, begin + INSET), np.where(end > width - 1, width, end - INSET)
    kept = begin + 1 < end
    if top > 0:
        kept &= row >= INSET
    if top + len(left) < height:
        kept &= row <= len(left) - 1 - INSET
    if not kept.any():
        return image
    begin, end = begin[kept, None] * across, end[kept, None] * across
    column = np.arange(int(begin.min()), int(end.max()))
    cut = image[kept.nonzero()[0] + top * down, column[0] : column[-1] + 1]
    before, behind = _beside(coarse, page, row[kept])
    return np.where(column < begin, before, np.where(column >= end, behind, cut))


def _beside(coarse: Grey, page: Page, row: Doubles) -> tuple[Grey, Grey]:
    """The levels of the paper next to a page's left and right side in rows (n,) from its top: (n, 1) uint8 each."""
    paper = page.paper & page.outline.inside(coarse.shape, INSET)
    calm = paper.copy()  # without the rims of strokes
    calm[:, 1:] &= paper[:, :-1]
    calm[:, :-1] &= paper[:, 1:]
    usable = np.flatnonzero(calm.any(1))
    if not len(usable):
        calm, usable = page.paper, np.flatnonzero(page.paper.any(1))
    # A row without any takes the next one.
    use = usable[usable.searchsorted(np.round(row).astype(np.int64) + page.outline.top).clip(0, len(usable) - 1)]
    last = coarse.shape[1] - 1 - calm[use, ::-1].argmax(1)
    return coarse[use, calm[use].argmax(1)][:, None], coarse[use, last][:, None]
