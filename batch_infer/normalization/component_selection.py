"""Which pieces of a thresholded picture are the digit: not specks, frames and the ends of neighbours."""

import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.components import Pieces

MIN_SIDE = 0.02  # of the longer side: a digit smaller than that is a speck
EDGE_WEIGHT = 0.05  # a mark that is cut off by the picture's edge counts this much when the digit is chosen
OWN_DEPTH = 0.3  # of the picture: what reaches in as far from an edge may be a part of a digit cut tight
OWN_LENGTHS = 1.0  # and of its own: a speck joins only what it nearly touches
NEAR = 0.35  # of the digit's longer side: how far away a stroke of the same digit may lie
STROKE_SHARE = 0.04  # of the digit's area: smaller marks beside it are specks


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
    edges = np.stack((marks.top == 0, marks.left == 0, marks.bottom == height, marks.right == width))
    touches = edges.any(0)
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
    wholeness = _wholeness(marks)
    weight = np.where(alone, marks.area * long_side * wholeness, 0)
    main = int(np.argmax(weight))
    keep[main] = True
    top, left, bottom, right = (int(edge[main]) for edge in (marks.top, marks.left, marks.bottom, marks.right))
    big = alone & ((marks.area >= STROKE_SHARE * marks.area[main]) | (long_side >= 0.15 * long_side[main]))
    # A mark that is cut off at an edge which the digit does not touch, and does not reach far, is a neighbour's end,
    # unless the two reach all four edges: then the picture was cut to them.
    own = edges[:, main : main + 1]
    foreign = (edges & ~own).any(0) & ~(edges | own).all(0) & (wholeness < OWN_DEPTH**2)
    big &= ~foreign
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
