"""Which marks in a grey picture are the digit: an ink map without specks, frames, shadows and neighbours."""

from bisect import bisect_left
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from batch_infer.vision.lines import without_lines
from batch_infer.vision.paper import flat_paper, is_blank, lift, lift_table
from batch_infer.vision.pixels import SMALL, Grey, histogram_of, otsu
from batch_infer.vision.runs import Pieces, pieces

MIN_CONTRAST = 0.03  # of the way from paper to full ink; fainter marks than this are paper
NOISE_SIGMAS = 5.0  # a mark must stand out of the paper's noise by this much
TWO_CLASSES = 0.8  # of the variance explained by two levels; grain alone has 0.64: what is above Otsu's level is ink
INK_SHARE = 0.3  # of full ink: what is at least that dark belongs to a mark
MIN_SIDE = 0.02  # of the longer side: a digit smaller than that is a speck
EDGE_WEIGHT = 0.05  # a mark that is cut off by the picture's edge counts this much when the digit is chosen
OWN_LENGTHS = 1.0  # and of its own: a speck joins only what it nearly touches
NEAR = 0.35  # of the digit's longer side: how far away a stroke of the same digit may lie
NOISE_PIECES = 20  # that many marks and none of them the main one: noise
MAIN_SHARE = 0.15  # of all marks' area: what a digit's largest piece has at least among specks and squares
STROKE_SHARE = 0.04  # of the digit's area: smaller marks beside it are specks
LEVELS = np.arange(256, dtype=np.float32)


class Ink(NamedTuple):
    """The digit found: `map` (h, w) float32 0 … 1 and where its `box` (top, left, bottom, right) lies in px."""

    map: NDArray[np.float32]
    box: tuple[int, int, int, int]


class Levels(NamedTuple):
    """Levels 0 … 255 of a picture freed from its paper: its grain's standard deviation is `noise`."""

    paper: float
    noise: float
    threshold: float
    ink: float


def levels(lifted: Grey, noise: float | None = None) -> Levels | None:
    """Find the paper's level, the threshold and the ink's level in a picture freed from its paper.

    Args:
        lifted: (H, W) uint8 from `paper.lift`.
        noise: the grain's standard deviation, if the paper is known to be at 0; None: both are measured here.

    Returns:
        The levels; None where nothing stands out of the paper.
    """
    histogram = histogram_of(lifted)
    up_to: list[int] = histogram.cumsum().tolist()  # how many pixels have at most this level
    paper, highest = 0, 255.0
    if noise is None:
        split, explained = otsu(histogram)
        half = (up_to[split] + 1) // 2
        paper = bisect_left(up_to, half)
        # The median deviation: the noise without the strokes' soft edges.
        deviation = 0
        while up_to[min(paper + deviation, split)] - (up_to[paper - deviation - 1] if deviation < paper else 0) < half:
            deviation += 1
        noise = 1.4826 * deviation
        if explained > TWO_CLASSES:
            highest = max(float(split), paper + 255 * MIN_CONTRAST)
    noise = max(noise, 0.5)
    floor = min(max(paper + NOISE_SIGMAS * noise, paper + 255 * MIN_CONTRAST), highest)
    ink = 0
    for _ in range(2):
        below = up_to[min(int(floor), 255)]
        if below == up_to[-1]:
            return None
        ink = bisect_left(up_to, below + 0.75 * (up_to[-1] - below))
        floor = max(floor, paper + INK_SHARE * (ink - paper))
    return Levels(float(paper), noise, floor, float(ink))


def choose(marks: Pieces) -> NDArray[np.bool_]:
    """Pick the pieces that make up the digit.

    Args:
        marks: the pieces of the thresholded picture.

    Returns:
        (n,) bool, all False when nothing is large enough to be a digit.
    """
    height, width = marks.whole.shape
    side = max(height, width)
    if len(marks.area) == 1:
        box = max(int(marks.bottom[0] - marks.top[0]), int(marks.right[0] - marks.left[0]))
        return np.array([box >= max(3, MIN_SIDE * side) and marks.area[0] >= 4])
    tall, wide = marks.bottom - marks.top, marks.right - marks.left
    long_side, short_side = np.maximum(tall, wide), np.minimum(tall, wide)
    touches = (marks.top == 0) | (marks.left == 0) | (marks.bottom == height) | (marks.right == width)
    number = len(marks.area)
    keep = np.zeros(number, dtype=np.bool_)
    possible = (long_side >= max(3, MIN_SIDE * side)) & (marks.area >= 4)
    if not possible.any():
        return keep
    span = np.where(tall > wide, np.int64(height), np.int64(width))
    # A straight thin mark along an edge is a frame, a ruled line or the sheet's own border.
    line = touches & (short_side <= max(1, 0.08 * side)) & (long_side >= 0.5 * span)
    if (possible & ~touches & (long_side >= 0.1 * side)).any():
        line |= touches & (short_side <= 0.16 * side) & (long_side >= 0.5 * span)
    line |= _frames(marks)
    alone = possible & ~line
    if not alone.any():
        alone = possible
    weight = np.where(alone, marks.area * long_side * _wholeness(marks), 0)
    main = int(np.argmax(weight))
    keep[main] = True
    top, left, bottom, right = (int(edge[main]) for edge in (marks.top, marks.left, marks.bottom, marks.right))
    big = alone & ((marks.area >= STROKE_SHARE * marks.area[main]) | (long_side >= 0.15 * long_side[main]))
    if not touches[main]:
        big &= ~touches
    # Strokes join one after the other: each makes the digit larger and may bring the next within reach.
    while True:
        reach = np.minimum(NEAR * max(bottom - top, right - left), OWN_LENGTHS * long_side)
        gap = np.maximum(
            np.maximum(marks.top - bottom, top - marks.bottom), np.maximum(marks.left - right, left - marks.right)
        )
        joins = big & ~keep & (gap <= reach)
        if not joins.any():
            break
        keep |= joins
        top, left = int(marks.top[keep].min()), int(marks.left[keep].min())
        bottom, right = int(marks.bottom[keep].max()), int(marks.right[keep].max())
    inside = (marks.top >= top) & (marks.bottom <= bottom) & (marks.left >= left) & (marks.right <= right)
    keep |= inside & ~line
    return keep


def _wholeness(marks: Pieces) -> NDArray[np.float64]:
    """How little each piece looks like a neighbour's end cut off by the picture's edge, `EDGE_WEIGHT` … 1.

    Such an end does not reach far into the picture; a digit in a tight crop reaches from edge to edge.
    """
    height, width = marks.whole.shape
    vertical, horizontal = (marks.bottom - marks.top) / height, (marks.right - marks.left) / width
    depth = np.where((marks.top == 0) | (marks.bottom == height), vertical, 1.0)
    depth = np.minimum(depth, np.where((marks.left == 0) | (marks.right == width), horizontal, 1.0))
    return np.maximum(depth * depth, EDGE_WEIGHT)


def _frames(marks: Pieces) -> NDArray[np.bool_]:
    """Mark pieces that surround another sizeable piece and are hollow: the box of a form."""
    height, width = marks.whole.shape
    tall, wide = marks.bottom - marks.top, marks.right - marks.left
    result = np.zeros(len(marks.area), dtype=np.bool_)
    for index in np.flatnonzero((tall >= 0.5 * height) & (wide >= 0.5 * width)).tolist():
        within = (
            (marks.top > marks.top[index])
            & (marks.left > marks.left[index])
            & (marks.bottom < marks.bottom[index])
            & (marks.right < marks.right[index])
            & (np.maximum(tall, wide) >= 0.25 * min(tall[index], wide[index]))
        )
        if not within.any():
            continue
        own = np.zeros_like(result)
        own[index] = True
        mask = marks.mask(own)
        down, across = max(1, round(0.12 * tall[index])), max(1, round(0.12 * wide[index]))
        core = mask[
            marks.top[index] + down : marks.bottom[index] - down,
            marks.left[index] + across : marks.right[index] - across,
        ]
        result[index] = core.sum() < 0.02 * mask.sum()
    return result


def find_ink(image: Grey, *, uneven: bool) -> Ink | None:
    """Find the digit in a picture with light ink.

    Args:
        image: (H, W) uint8, ink lighter than paper.
        uneven: whether the light is uneven.

    Returns:
        The digit's soft ink map (1 = full ink), cut to its box with a margin of a pixel; None when there is none.
    """
    flat = flat_paper(image) if max(image.shape) <= SMALL else None
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
    paper, noise, threshold, ink = found
    if max(image.shape) > SMALL:
        lifted = without_lines(lifted, int(threshold))
    marks = pieces(lifted > int(threshold))
    keep = choose(marks)
    if not keep.any() or _is_noise(marks, keep):
        return None
    if max(image.shape) > SMALL and _meets_edge(marks, keep):
        # Ruled and squared paper hangs on the digit where the threshold is low; full ink alone may stand free.
        split, _ = otsu(histogram_of(lifted[marks.mask(keep)]))
        higher = max(split + 1.0, paper + 0.5 * (ink - paper))
        strong = pieces(lifted > int(higher))
        alone = choose(strong)
        if alone.any() and not _meets_edge(strong, alone):
            marks, keep, threshold = strong, alone, higher
    # Soft edges lie outside the mask: grow it, but never into marks that were left out.
    reach = 2 if max(image.shape) > SMALL else 1
    top, left, bottom, right = marks.box(keep)
    top, left = max(top - reach, 0), max(left - reach, 0)
    bottom, right = min(bottom + reach, image.shape[0]), min(right + reach, image.shape[1])
    part = (slice(top, bottom), slice(left, right))
    own, shown = marks.mask(keep)[part], lifted[part]
    core = shown[own]
    rank = int(0.7 * (len(core) - 1))
    core.partition(rank)
    low = paper + min(max((0.15 if reach == 1 else 0.5) * (threshold - paper), 3 * noise), threshold - paper)
    soft = _ramp(low, float(core[rank])).take(shown)
    soft *= _grow(own, reach)
    return Ink(soft, (top, left, bottom, right))


def _ramp(low: float, full: float) -> NDArray[np.float32]:
    """A table (256,) that takes levels to ink: 0 up to `low`, 1 from `full` on, straight between."""
    table = LEVELS - np.float32(low)
    table *= np.float32(1 / max(full - low, 1e-3))
    np.maximum(table, np.float32(0), out=table)
    return np.minimum(table, np.float32(1), out=table)


def _is_noise(marks: Pieces, keep: NDArray[np.bool_]) -> bool:
    """Tell grain from ink: a multitude of marks, and even the largest one kept is a small part of them."""
    return len(marks.area) >= NOISE_PIECES and bool(marks.area[keep].max() < MAIN_SHARE * marks.area.sum())


def _meets_edge(marks: Pieces, keep: NDArray[np.bool_]) -> bool:
    """Tell whether the kept pieces touch the picture's edge."""
    top, left, bottom, right = marks.box(keep)
    height, width = marks.whole.shape
    return top == 0 or left == 0 or bottom == height or right == width


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
