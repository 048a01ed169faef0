"""Which marks in a grey picture are the digit: an ink map without specks, frames, shadows and neighbours."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from batch_infer.vision.choice import choose
from batch_infer.vision.levels import Levels, levels
from batch_infer.vision.lines import without_columns, without_rows
from batch_infer.vision.paper import flat_paper, is_blank, lift, lift_table
from batch_infer.vision.pixels import SMALL, Grey, histogram_of, otsu
from batch_infer.vision.runs import Pieces, pieces

NOISE_PIECES = 20  # that many marks and none of them the main one: noise
MAIN_SHARE = 0.15  # of all marks' area: what a digit's largest piece has at least among specks and squares
REST = 0.05  # of the longer side: a mark of that length is left where lines are taken out
LEVELS = np.arange(256, dtype=np.float32)


class Ink(NamedTuple):
    """The digit found: `map` (h, w) float32 0 … 1 and where its `box` (top, left, bottom, right) lies in px."""

    map: NDArray[np.float32]
    box: tuple[int, int, int, int]


def find_ink(image: Grey, *, uneven: bool) -> Ink | None:
    """Find the digit in a picture with light ink.

    Args:
        image: (H, W) uint8, ink lighter than paper.
        uneven: whether the light is uneven.

    Returns:
        The digit's soft ink map (1 = full ink), cut to its box with a margin of a pixel; None when there is none.
    """
    small = max(image.shape) <= SMALL
    flat = flat_paper(image) if small else None
    if flat is None:
        if is_blank(image):
            return None
        lifted = lift(image, uneven=uneven)
        found = levels(lifted)
    else:
        table, noise = lift_table(*flat)
        lifted = table.take(image)
        found = levels(lifted, noise)
    if found is None:
        return None
    chosen = _chosen(lifted, int(found.threshold))
    if not small:
        chosen = _unruled(chosen, found)
    if not chosen.keep.any() or chosen.is_noise():
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

    def long_side(self) -> int:
        """The longer side in px of the box round the digit; 0 if there is none."""
        if not self.keep.any():
            return 0
        top, left, bottom, right = self.marks.box(self.keep)
        return max(bottom - top, right - left)

    def is_noise(self) -> bool:
        """Tell grain from ink: a multitude of marks, and even the largest one kept is a small part of them."""
        area = self.marks.area
        return len(area) >= NOISE_PIECES and bool(area[self.keep].max() < MAIN_SHARE * area.sum())

    def meets_edge(self) -> bool:
        """Tell whether the digit touches the picture's edge."""
        top, left, bottom, right = self.marks.box(self.keep)
        height, width = self.lifted.shape
        return top == 0 or left == 0 or bottom == height or right == width


def _chosen(lifted: Grey, threshold: int) -> Chosen:
    marks = pieces(lifted > threshold)
    return Chosen(lifted, marks, choose(marks))


def _unruled(chosen: Chosen, found: Levels) -> Chosen:
    """Take ruled lines out, if a digit is left then: else the line was an upright 1."""
    # Lines may be fainter than the ink: found at the ink's threshold, they would be in pieces.
    faint = int(found.paper + max(0.5 * (found.threshold - found.paper), 2.5 * found.noise))
    for erase in (without_rows, without_columns):
        erased = erase(chosen.lifted, faint)
        if erased is not chosen.lifted:
            rest = _chosen(erased, int(found.threshold))
            if rest.long_side() >= REST * max(erased.shape):
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
    rank = int(0.7 * (len(core) - 1))
    core.partition(rank)
    # Above the grain; never into marks that were left out.
    edge = found.threshold - found.paper
    low = found.paper + min(max((0.15 if reach == 1 else 0.5) * edge, 3 * found.noise), edge)
    soft = _ramp(low, float(core[rank])).take(shown)
    soft *= _grow(own, reach)
    return Ink(soft, (top, left, bottom, right))


def _ramp(low: float, full: float) -> NDArray[np.float32]:
    """A table (256,) that takes levels to ink: 0 up to `low`, 1 from `full` on, straight between."""
    table = LEVELS - np.float32(low)
    table *= np.float32(1 / max(full - low, 1e-3))
    np.maximum(table, np.float32(0), out=table)
    return np.minimum(table, np.float32(1), out=table)


def _grow(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Dilate an (h, w) mask by `reach` px in a diamond."""
    for _ in range(reach):
        grown = mask.copy()
        grown[1:] |= mask[:-1]
        grown[:-1] |= mask[1:]
        grown[:, 1:] |= mask[:, :-1]
        grown[:, :-1] |= mask[:, 1:]
        mask = grown
    return mask
