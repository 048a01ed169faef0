"""Which components of a thresholded picture are the digit: not specks, frames and the ends of neighbours."""

import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.components import Components
from batch_infer.normalization.image_ops import Mask

MIN_SIDE = 0.02  # of the longer side: a digit smaller than that is a speck
EDGE_WEIGHT = 0.05  # a mark that is cut off by the picture's edge counts this much when the digit is chosen
OWN_DEPTH = 0.3  # of the picture: what reaches in as far from an edge may be a part of a digit cut tight
OWN_LENGTHS = 0.4  # and of its own: specks and print join only what they nearly touch
NEAR = 0.35  # of the digit's longer side: how far away a stroke of the same digit may lie
STROKE_SHARE = 0.04  # of the digit's area: smaller marks beside it are specks
_ALL, _NONE = np.ones(1, np.bool_), np.zeros(1, np.bool_)  # of one


def select_digit(found: Components) -> Mask:
    """Select the components that make up the digit.

    Args:
        found: the components of the thresholded picture.

    Returns:
        (n,) bool, all False when nothing is large enough to be a digit.
    """
    height, width = found.foreground.shape
    side = max(height, width)
    if len(found.area) == 1:
        top, left, bottom, right = found.extent
        return _ALL if max(bottom - top, right - left) >= max(3, MIN_SIDE * side) and found.area.item() >= 4 else _NONE
    tall, wide = found.bottom - found.top, found.right - found.left
    long_side, short_side = np.maximum(tall, wide), np.minimum(tall, wide)
    edges = found.top == 0, found.left == 0, found.bottom == height, found.right == width
    touches = edges[0] | edges[1] | edges[2] | edges[3]
    number = len(found.area)
    keep = np.zeros(number, dtype=np.bool_)
    possible = (long_side >= max(3, MIN_SIDE * side)) & (found.area >= 4)
    if not possible.any():
        return keep
    span = np.where(tall > wide, np.int64(height), np.int64(width))
    # A straight thin mark along an edge is a frame, a ruled line or the sheet's own border.
    line = touches & (short_side <= max(1, 0.08 * side)) & (long_side >= 0.5 * span)
    if (possible & ~touches & (long_side >= 0.1 * side)).any():
        line |= touches & (short_side <= 0.16 * side) & (long_side >= 0.5 * span)
    frame = frames(found)
    line |= frame
    alone = possible & ~line
    if not alone.any():
        alone = possible
    truncation = _truncation(found)
    weight = np.where(alone, found.area * long_side * truncation, 0)
    main = int(np.argmax(weight))
    keep[main] = True
    top, left, bottom, right = (int(edge[main]) for edge in (found.top, found.left, found.bottom, found.right))
    # A mark that is cut off at an edge which the digit does not touch, and does not reach far, is a neighbour's end,
    # unless the two reach all four edges: then the picture was cut to them, and a bar along an edge may be a stroke.
    elsewhere, everywhere = np.zeros_like(keep), np.ones_like(keep)
    for edge in edges:
        if not edge[main]:
            elsewhere |= edge
            everywhere &= edge
    through = (edges[0] & edges[2]) | (edges[1] & edges[3])
    big = alone | (possible & everywhere & ~through & ~frame)
    big &= (found.area >= STROKE_SHARE * found.area[main]) | (long_side >= 0.15 * long_side[main])
    big &= ~elsewhere | everywhere | (truncation >= OWN_DEPTH**2)
    # Strokes join one after the other: each makes the digit larger and may bring the next within reach.
    while True:
        reach = np.minimum(NEAR * max(bottom - top, right - left), OWN_LENGTHS * long_side)
        gap = np.maximum(
            np.maximum(found.top - bottom, top - found.bottom), np.maximum(found.left - right, left - found.right)
        )
        joins = big & ~keep & (gap <= reach)
        if not joins.any():
            break
        keep |= joins
        top, left = int(found.top[keep].min()), int(found.left[keep].min())
        bottom, right = int(found.bottom[keep].max()), int(found.right[keep].max())
    inside = (found.top >= top) & (found.bottom <= bottom) & (found.left >= left) & (found.right <= right)
    keep |= inside & ~line
    return keep


def _truncation(found: Components) -> NDArray[np.float64]:
    """How little each component looks like a neighbour's end cut off by the picture's edge, `EDGE_WEIGHT` … 1.

    Such an end does not reach far into the picture; a digit in a tight crop reaches from edge to edge.
    """
    height, width = found.foreground.shape
    vertical, horizontal = (found.bottom - found.top) / height, (found.right - found.left) / width
    depth = np.where((found.top == 0) | (found.bottom == height), vertical, 1.0)
    depth = np.minimum(depth, np.where((found.left == 0) | (found.right == width), horizontal, 1.0))
    return np.maximum(depth * depth, EDGE_WEIGHT)


def frames(found: Components) -> Mask:
    """Find components that surround another sizeable one and are hollow: the box of a form."""
    height, width = found.foreground.shape
    tall, wide = found.bottom - found.top, found.right - found.left
    result = np.zeros(len(found.area), dtype=np.bool_)
    for index in np.flatnonzero((tall >= 0.25 * height) & (wide >= 0.25 * width)).tolist():
        within = (
            (found.top > found.top[index])
            & (found.left > found.left[index])
            & (found.bottom < found.bottom[index])
            & (found.right < found.right[index])
            & (np.maximum(tall, wide) >= 0.25 * min(tall[index], wide[index]))
        )
        if not within.any():
            continue
        own = np.zeros_like(result)
        own[index] = True
        mask = found.mask(own)
        down, across = max(1, round(0.12 * tall[index])), max(1, round(0.12 * wide[index]))
        core = mask[
            found.top[index] + down : found.bottom[index] - down,
            found.left[index] + across : found.right[index] - across,
        ]
        result[index] = core.sum() < 0.02 * mask.sum()
    return result
