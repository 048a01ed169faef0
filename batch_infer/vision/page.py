"""A sheet, note or card that lies on a desk: found by its straight, sharp outline, and cut out."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from batch_infer.vision.pixels import SMALL, Grey, histogram_of, otsu, shrink
from batch_infer.vision.runs import pieces
from batch_infer.vision.sheet import TWO_LEVELS

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

COARSE_SIDE = 128  # px; the outline is searched in a picture of at most this size
LEAST_SIDE = 16  # px of that; a strip shows no outline
LEAST = 0.05  # of the picture: a sheet that one writes on and photographs
DESK = 0.02  # of the picture: less desk than that does no harm
PLAIN = 6  # ends of runs in a row, on the average: a desk, a sheet, two strokes on it
MAIN = 0.6  # of its class: the sheet is the one large thing that is so light (or dark)
LEAST_MARKS, MOST_MARKS = 0.003, 0.25  # of the sheet: what is written on it
MARK_SIDE = 0.06  # of the sheet's length: a mark is that long
COMPACT = 0.2  # of its length squared: a sheet whose ink is seen only by its own levels covers so much; no stroke does
CLEAR = 0.5  # of the variance on such a sheet is between ink and paper
OPEN = 0.5  # of the sheet: paper that no stroke encloses
FAINT = 16  # levels between ink and paper
STRAY = 0.25  # of the desk: so much may be of the sheet's class
CORNERS = 6  # four, and two where the picture's edge cuts some off
INTACT = 0.9  # of the outline with so few corners has paper inside and none outside
REACH = 1.5  # px to both sides of the outline: there a sharp edge is complete
JUMP = 0.4  # of the difference of two classes: what the edges between them have of it within three pixels, most of them
SHARP = 0.55  # of the step from sheet to desk: what the outline has of it within that reach; a shadow is softer
CONTRAST = 24  # levels of that step at least
THROUGH = 0.2  # of the step: what lies beyond an edge differs by more from the desk if a stroke goes on there
LEAST_STEP = 0.3  # of the range: folds and faint shadows are weak beside the ink
INSET = 2.0  # px of the outline that are of both


Point = tuple[float, float]


class Page(NamedTuple):
    """A sheet in an (H, W) picture.

    Attributes:
        own: (H, W) bool, its paper.
        top: its first row.
        left, right: (n,) float64, its convex outline in each of its n rows.
        corners: (k, 2) float64, row (from `top`) and column of the few corners that keep most of the outline: down
            its left side and up its right one.
    """

    own: Mask
    top: int
    left: Doubles
    right: Doubles
    corners: Doubles


def page_of(image: Grey) -> Grey:
    """Cut out the sheet that lies on a desk.

    It may be turned, seen at a slant, and reach beyond the picture at some of its sides. What of the desk is left in
    the corners of the cut becomes paper.

    Args:
        image: (H, W) uint8, either polarity.

    Returns:
        (h, w) uint8; the same array when no such sheet is seen. An inverted picture gives the inverted result.
    """
    if max(image.shape) <= SMALL:
        return image
    coarse = shrink(image, COARSE_SIDE)
    if min(coarse.shape) < LEAST_SIDE:
        return image
    histogram = histogram_of(coarse)
    level, explained = otsu(histogram)
    page = _page(coarse, level)
    if page is None and explained < TWO_LEVELS:
        # A shadow's edge may be the strongest one: the sheet's is then within one of the two classes.
        below, above = histogram.copy(), histogram.copy()
        below[level + 1 :] = above[: level + 1] = 0
        page = _page(coarse, otsu(below)[0]) or _page(coarse, otsu(above)[0])
    return image if page is None else _cut(image, coarse, page)


def _page(coarse: Grey, level: int) -> Page | None:
    """Find the larger sheet (the likelier one) among the two classes that a level parts a picture into."""
    light = coarse > level
    if not _is_crisp(coarse, light):
        return None
    found = [
        sheet
        for mask in (light, ~light)
        if (page := _outlined(mask)) is not None and (sheet := _sheet(coarse, mask, page)) is not None
    ]
    return max(found, key=lambda page: float((page.right - page.left).sum()), default=None)


def _is_crisp(coarse: Grey, light: Mask) -> bool:
    """Tell by the whole edge of a mask (H, W), strokes and all, that the picture's levels jump there: a quick look."""
    across = light[:, 1:] != light[:, :-1]
    rows, columns = across.nonzero()
    if not 0 < len(rows) <= PLAIN * len(light):
        return len(rows) == 0  # grain, squares or texture; and many pieces take long
    levels = coarse.astype(np.int16)
    beside = levels[rows, np.minimum(columns + 2, light.shape[1] - 1)] - levels[rows, np.maximum(columns - 1, 0)]
    down, over = (light[1:] != light[:-1]).nonzero()
    below = levels[np.minimum(down + 2, len(light) - 1), over] - levels[np.maximum(down - 1, 0), over]
    jump = np.abs(np.concatenate([beside, below]))
    return bool(np.median(jump) >= JUMP * (coarse[light].mean() - coarse[~light].mean()))


def _outlined(mask: Mask) -> Page | None:
    """Outline the largest piece of an (H, W) mask if it may be a sheet: nearly all of its class, solid, with a desk."""
    count = np.count_nonzero(mask)
    if not LEAST * mask.size <= count <= (1 - DESK) * mask.size:
        return None
    if mask[0].all() and mask[-1].all() and mask[:, 0].all() and mask[:, -1].all():
        return None  # paper all round
    found = pieces(mask)
    main = int(found.area.argmax())
    area = int(found.area[main])
    if area < max(LEAST * mask.size, MAIN * count):
        return None
    runs = found.piece_of_run == main
    row, start = np.divmod(found.run_start[runs], mask.shape[1] + 1)
    end = start + found.run_end[runs] - found.run_start[runs]
    new = (row[1:] != row[:-1]).nonzero()[0]
    first, last = _convex(start[np.append(0, new + 1)]), _convex(-end[np.append(new, len(end) - 1)])
    rows = np.arange(len(new) + 1)
    left, right = np.interp(rows, *zip(*first, strict=True)), -np.interp(rows, *zip(*last, strict=True))
    hull = float((right - left).sum())
    if area < OPEN * hull or hull > (1 - DESK) * mask.size:
        return None
    corners = [(y + 0.5, x) for y, x in first] + [(y + 0.5, -x) for y, x in reversed(last)]
    return Page(found.mask(np.arange(len(found.area)) == main), int(row[0]), left, right, _fewer(corners))


def _convex(values: NDArray[np.int64]) -> list[Point]:
    """The corners of the largest convex function that is nowhere above `values` (n,): Andrew's monotone chain."""
    bent = values[2:] + values[:-2] > 2 * values[1:-1]  # no other can be a corner
    rows = [0, *(bent.nonzero()[0] + 1).tolist(), len(values) - 1]
    knots: list[Point] = []
    for x, y in zip(rows, values[rows].tolist(), strict=True):
        while len(knots) > 1:
            (x0, y0), (x1, y1) = knots[-2:]
            if (y1 - y0) * (x - x1) < (y - y1) * (x1 - x0):
                break
            knots.pop()
        knots.append((x, y))
    return knots


def _sheet(coarse: Grey, mask: Mask, page: Page) -> Page | None:
    """Tell a sheet from a shadow, a fold, a round stroke and the paper between strokes, by its outline.

    Returns:
        The page without the ink on it; None if it is no sheet.
    """
    inside = _inside(page, mask.shape, 0)
    desk = mask[~inside]
    if np.count_nonzero(desk) > STRAY * len(desk):
        return None
    inner, outer, seen = _along(page, mask.shape)
    on_paper, on_desk = mask[inner], ~mask[outer]
    if np.count_nonzero(on_paper) < INTACT * len(seen):
        return None
    if not seen.any() or np.count_nonzero((on_paper & on_desk)[seen]) < INTACT * np.count_nonzero(seen):
        return None
    beyond = coarse[outer][seen].astype(np.int16)
    rise = coarse[inner][seen] - beyond
    step = abs(float(np.median(coarse[page.own])) - float(np.median(coarse[~inside])))
    if step < max(CONTRAST, LEAST_STEP * float(np.ptp(coarse))) or abs(float(np.median(rise))) < SHARP * step:
        return None
    ink = _ink(coarse, mask, page)
    if ink is None:
        return None
    # Where a stroke meets the edge of a sheet, there is desk beyond it; it goes on through the edge of a shadow.
    meets = ink[inner][seen]
    through = meets & (np.abs(beyond - np.median(beyond)) > THROUGH * step)
    return None if 2 * np.count_nonzero(through) > np.count_nonzero(meets) else page._replace(own=page.own & ~ink)


def _ink(coarse: Grey, mask: Mask, page: Page) -> Mask | None:
    """The (H, W) mask of what is like the ink on a page; None if there is none: then the page is itself a mark."""
    inside = _inside(page, mask.shape, INSET)
    area = np.count_nonzero(inside)
    longest = max(len(page.left), float((page.right - page.left).max()))
    if _is_writing(inside & ~mask, area, longest):
        return ~mask
    # The ink may lie beyond the paper as seen from the desk: dark on a grey note on a white desk.
    if area < COMPACT * longest * longest:
        return None  # a thick stroke of uneven ink
    levels = coarse[inside]
    level, explained = otsu(histogram_of(levels))
    light = levels > level
    if explained < CLEAR or levels[light].mean() - levels[~light].mean() < FAINT:
        return None
    ink: Mask = (coarse > level) == (2 * np.count_nonzero(light) < area)
    return ink if _is_writing(inside & ink, area, longest) else None


def _is_writing(marks: Mask, area: int, longest: float) -> bool:
    """Tell marks (H, W) from grain and stains, on a sheet of some area and length."""
    if not LEAST_MARKS * area <= np.count_nonzero(marks) <= MOST_MARKS * area:
        return False
    found = pieces(marks)
    return bool(np.maximum(found.bottom - found.top, found.right - found.left).max() >= MARK_SIDE * longest)


Places = tuple[NDArray[np.int64], NDArray[np.int64]]


def _along(page: Page, shape: tuple[int, ...]) -> tuple[Places, Places, Mask]:
    """Places just inside and just outside of the outline with few corners, about a pixel apart.

    Returns:
        Two pairs of rows and columns (n,), and whether the outer one lies in the picture, (n,) bool.
    """
    corners = page.corners + (page.top, 0)
    along = np.roll(corners, -1, 0) - corners
    length = np.maximum(np.hypot(*along.T), 1e-9)
    count = np.ceil(length).astype(np.int64)
    which = np.repeat(np.arange(len(corners)), count)
    way = (np.arange(len(which)) - which.searchsorted(which) + 0.5) / count[which]
    points = corners[which] + way[:, None] * along[which]
    normal = (along[:, ::-1] * (REACH, -REACH) / length[:, None])[which]
    most = np.array(shape) - 1
    inner = np.floor(points - normal).astype(np.int64).clip(0, most)
    outer = np.floor(points + normal).astype(np.int64)
    seen = ((outer >= 0) & (outer <= most)).all(1)
    outer = outer.clip(0, most)
    return (inner[:, 0], inner[:, 1]), (outer[:, 0], outer[:, 1]), seen


def _fewer(corners: list[Point]) -> Doubles:
    """Drop those corners of a convex outline that cost the least area, until `CORNERS` are left: (n, 2)."""

    def cost(index: int) -> float:
        (y0, x0), (y1, x1), (y2, x2) = corners[index - 1], corners[index], corners[(index + 1) % len(corners)]
        return abs((y1 - y0) * (x2 - x1) - (y2 - y1) * (x1 - x0))

    while len(corners) > CORNERS:
        del corners[min(range(len(corners)), key=cost)]
    return np.array(corners)


def _inside(page: Page, shape: tuple[int, ...], inset: float) -> Mask:
    """The (H, W) mask of what lies within the outline, at least `inset` px from its ends in each row and column."""
    inside = np.zeros(shape, dtype=np.bool_)
    column = np.arange(shape[1]) + 0.5
    rows = slice(page.top, page.top + len(page.left))
    inside[rows] = (column > page.left[:, None] + inset) & (column < page.right[:, None] - inset)
    reach = int(inset)
    if reach:
        core = inside.copy()
        core[reach:] &= inside[:-reach]
        core[:-reach] &= inside[reach:]
        core[:reach] = core[-reach:] = False
        return core
    return inside


def _cut(image: Grey, coarse: Grey, page: Page) -> Grey:
    """Cut a page found in `coarse` out of the picture (H, W) uint8 that was reduced to it; beside it lies paper."""
    height, width = coarse.shape
    scale = (image.shape[0] // height, image.shape[1] // width)
    rows = len(page.left)
    row = (np.arange(rows * scale[0]) + 0.5) / scale[0] - 0.5
    index = np.arange(rows)
    # The outline is convex: within INSET rows, it reaches furthest in at their ends.
    left = np.maximum(*(np.interp(row + by, index, page.left) for by in (-INSET, INSET)))
    right = np.minimum(*(np.interp(row + by, index, page.right) for by in (-INSET, INSET)))
    left = np.where(left < 1, 0, left + INSET)  # the picture's edge is none of the sheet's
    right = np.where(right > width - 1, width, right - INSET)
    kept = left + 1 < right
    if page.top > 0:
        kept &= row >= INSET
    if page.top + rows < height:
        kept &= row <= rows - 1 - INSET
    if not kept.any():
        return image
    below = np.flatnonzero(kept) + page.top * scale[0]
    left, right = left[kept] * scale[1], right[kept] * scale[1]
    column = np.arange(int(left.min()), int(right.max()))
    cut = image[below, column[0] : column[-1] + 1]
    before, behind = _paper(coarse, page)
    which = np.round(row[kept]).astype(np.int64)
    cut = np.where(column < left[:, None], before[which][:, None], cut)
    return np.where(column >= right[:, None], behind[which][:, None], cut)


def _paper(coarse: Grey, page: Page) -> tuple[Grey, Grey]:
    """The levels of the paper next to the left and the right end of each of a page's n rows, (n,) uint8 each."""
    rows = slice(page.top, page.top + len(page.left))
    own = page.own[rows]
    calm = own.copy()  # without the rims of strokes and of the sheet
    calm[:, 1:] &= own[:, :-1]
    calm[:, :-1] &= own[:, 1:]
    calm[1:] &= own[:-1]
    calm[:-1] &= own[1:]
    good = calm.any(1).nonzero()[0]
    if not len(good):
        good, calm = np.arange(len(own)), own
    # A row without any takes the one above.
    use = good[np.maximum(good.searchsorted(np.arange(len(own)), side="right") - 1, 0)]
    first = calm[use].argmax(1)
    last = own.shape[1] - 1 - calm[use, ::-1].argmax(1)
    return coarse[rows][use, first], coarse[rows][use, last]
