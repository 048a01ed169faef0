"""Which marks in a grey picture are the digit: an ink map without specks, frames, shadows and neighbours."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.background import BLANK_RANGE, calmed, is_blank, lift
from batch_infer.normalization.component_selection import STROKE_SHARE, choose
from batch_infer.normalization.components import Pieces, pieces
from batch_infer.normalization.image_ops import SMALL, Grey, histogram_of, otsu, ranged
from batch_infer.normalization.lines.removal import may_be_ruled, rulings
from batch_infer.normalization.plain_background import Sheet, even_sheet
from batch_infer.normalization.thresholding import Levels, levels, sheet_levels

EVEN_WINDOW = 0.5  # of the longer side: wider than any stroke, narrower than most shadows
UNEVEN_WINDOWS = (0.25, 0.1)  # narrower, as strokes must be: tried both, for thick ones and for blotches of light
SQUARE = 5  # px; the side of the square round a point of an outline in which its sharpness is told
SHARPER = 1.25  # times as sharp must the outline of what the narrower window finds be
ABOVE_GRAIN = 2.0  # times as sharp as the faint sheet is all over must a mark be
NOISE_PIECES = 20  # that many marks and none of them the main one: noise
MAIN_SHARE = 0.15  # of all marks' area: what a digit's largest piece has at least among specks and squares
FULL_RANK = 0.7  # of the digit's pixels by level: full ink
REST = 0.05  # of the longer side: a mark of that length is left where lines are taken out
FLATTEST = 0.25  # of its width: a digit is at least that high


class Ink(NamedTuple):
    """The digit found.

    Attributes:
        map: (h, w) float32, 0 … 1 (full ink), cut to the digit, with a rim of a pixel of paper.
        box: where it lies: top, left, bottom, right in px.
        sharpness: the mean range of levels near its outline, 1 for that of the picture's sharpest place; 0 where it
            was not asked.
    """

    map: NDArray[np.float32]
    box: tuple[int, int, int, int]
    sharpness: float = 0.0


def ink_on(sheet: Sheet) -> Ink | None:
    """Find the digit in a picture whose paper is known; None when there is none."""
    found = sheet_levels(sheet)
    return None if found is None else _digit(sheet.light, found)


def find_ink(image: Grey, *, uneven: bool) -> Ink | None:
    """Find the digit in a picture with light ink, whatever its paper.

    Args:
        image: (H, W) uint8, ink lighter than paper.
        uneven: whether the light is uneven.

    Returns:
        The digit; None when there is none.
    """
    if max(image.shape) <= SMALL and (sheet := even_sheet(image)) is not None:
        return ink_on(sheet)
    if is_blank(image):
        return None
    calm = calmed(image, uneven=uneven)
    return _sharper_ink(calm) if uneven else _lifted_ink(calm, EVEN_WINDOW)


def _sharper_ink(calm: Grey) -> Ink | None:
    """Find the digit under uneven light: a wide window is for thick strokes, a narrow one for blotches of light.

    A stroke has sharp outlines, light has not. What is no sharper than the faint sheet is all over is grain.
    """
    ranges = ranged(calm, SQUARE)
    sharpest = max(float(ranges.max()), 1.0)
    best = None
    for share in UNEVEN_WINDOWS:
        ink = _lifted_ink(calm, share)
        if ink is None:
            continue
        ink = ink._replace(sharpness=_sharpness(ranges, ink) / sharpest)
        if best is None or ink.sharpness > SHARPER * best.sharpness:
            best = ink
        if SHARPER * best.sharpness >= 1:  # nothing can be so much sharper
            break
    faint = int(calm.max()) - int(calm.min()) < BLANK_RANGE
    if best is None or (faint and best.sharpness * sharpest < ABOVE_GRAIN * float(np.median(ranges))):
        return None
    return best


def _lifted_ink(calm: Grey, share: float) -> Ink | None:
    lifted = lift(calm, share)
    found = levels(lifted)
    return None if found is None else _digit(lifted, found)


def _sharpness(ranges: Grey, ink: Ink) -> float:
    """How sharp a digit's outline is: the mean range of levels near it, in levels."""
    top, left, bottom, right = ink.box
    own = ink.map[1:-1, 1:-1] > 0.5
    outline = _grown(own, 1)[1:-1, 1:-1] ^ own
    return float(ranges[top:bottom, left:right][outline].mean()) if outline.any() else 0.0


def _digit(lifted: Grey, found: Levels) -> Ink | None:
    """Find the digit among the marks of a picture whose paper is of one level."""
    chosen = _chosen(lifted, int(found.threshold))
    small = max(lifted.shape) <= SMALL
    if not small or may_be_ruled(chosen.marks.whole):
        chosen = _unruled(chosen, found)
    if not chosen.is_digit():
        return None
    if not small and chosen.meets_edge():
        # Ruled and squared paper hangs on the digit where the threshold is low; full ink alone may stand free.
        split, _ = otsu(histogram_of(chosen.lifted[chosen.marks.mask(chosen.keep)]))
        higher = max(split + 1.0, found.paper + 0.5 * (found.ink - found.paper))
        strong = _chosen(chosen.lifted, int(higher))
        if strong.keep.any() and not strong.meets_edge():
            chosen, found = strong, found._replace(threshold=higher)
    return _soft(chosen, found, reach=1 if small else 2)


class Chosen(NamedTuple):
    """The pieces `marks` of a picture `lifted` (H, W) uint8, and which of them, `keep` (n,) bool, are the digit."""

    lifted: Grey
    marks: Pieces
    keep: NDArray[np.bool_]

    def is_left(self) -> bool:
        """Tell a digit that may be left where lines were taken out from a speck, and from a flat bar."""
        if not self.keep.any():
            return False
        top, left, bottom, right = self.marks.box(self.keep)
        tall, wide = bottom - top, right - left
        return max(tall, wide) >= REST * max(self.lifted.shape) and tall >= FLATTEST * wide

    def is_digit(self) -> bool:
        """Tell ink from grain: that is a multitude of marks, and even the largest one kept is a small part of them."""
        area, keep = self.marks.area, self.keep
        if len(area) < NOISE_PIECES:
            return bool(keep.any())
        return bool(keep.any() and area[keep].max() >= MAIN_SHARE * area.sum())

    def meets_edge(self) -> bool:
        """Tell whether the digit touches the picture's edge."""
        top, left, bottom, right = self.marks.box(self.keep)
        height, width = self.lifted.shape
        return top == 0 or left == 0 or bottom == height or right == width


def _chosen(lifted: Grey, threshold: int) -> Chosen:
    marks = pieces(lifted > threshold)
    return Chosen(lifted, marks, choose(marks))


def _unruled(chosen: Chosen, found: Levels) -> Chosen:
    """Take ruled lines out, if a digit is left then: else they were its strokes, as those of an upright 1."""
    # Lines may be fainter than the ink: found at the ink's threshold, they would be in pieces.
    faint = int(found.paper + max(0.5 * (found.threshold - found.paper), 2.5 * found.noise))
    for lines in rulings(chosen.lifted > faint):
        rest = _chosen(lines.erased_from(chosen.lifted), int(found.threshold))
        if not rest.is_left():
            continue
        # Without the line, parts of a digit may look like neighbours' ends: they count here.
        large = rest.marks.area >= STROKE_SHARE * rest.marks.area[rest.keep].max()
        if not lines.may_be_stroke(chosen.lifted, rest.marks.box(large), found.ink):
            chosen = rest
    return chosen


def _soft(chosen: Chosen, found: Levels, *, reach: int) -> Ink:
    """Cut the digit out of the picture, with soft edges up to `reach` px outside its pieces."""
    lifted, marks, keep = chosen
    top, left, bottom, right = marks.box(keep)
    top, left = max(top - reach, 0), max(left - reach, 0)
    bottom, right = min(bottom + reach, lifted.shape[0]), min(right + reach, lifted.shape[1])
    part = (slice(top, bottom), slice(left, right))
    own, shown = marks.mask(keep)[part], lifted[part]
    core = shown[own]
    rank = int(FULL_RANK * (len(core) - 1))
    core.partition(rank)
    full = int(core[rank])
    # Above the grain; never into marks that were left out.
    edge = found.threshold - found.paper
    low = round(found.paper + min(max((0.15 if reach == 1 else 0.5) * edge, 3 * found.noise), edge))
    level = np.full((bottom - top + 2, right - left + 2), low, dtype=np.uint8)
    np.minimum(shown, full, out=level[1:-1, 1:-1])
    np.maximum(level, low, out=level)
    level -= low
    level *= _grown(own, reach)
    return Ink(level * np.float32(1 / max(full - low, 1)), (top, left, bottom, right))


def _grown(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Dilate an (h, w) mask by `reach` (1 or 2) px in a diamond → (h + 2, w + 2): a pixel is added on every side."""
    height, width = mask.shape
    stride = width + 2
    grown = np.zeros((height + 2) * stride, dtype=np.bool_)
    grown.reshape(height + 2, stride)[1:-1, 1:-1] = mask
    # Row follows row in memory: what leaves one at its end enters the next one's rim, not its picture.
    for _ in range(reach):
        source, grown = grown, grown.copy()
        for places in (1, stride):
            grown[places:] |= source[:-places]
            grown[:-places] |= source[places:]
    return grown.reshape(height + 2, stride)
