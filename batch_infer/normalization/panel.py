"""A drawing area on a page, a plot or a screen: found as one solid rectangle, with the digit as a hole in it."""

import numpy as np

from batch_infer.normalization.components import Components, connected_components
from batch_infer.normalization.digit import Digit

FILLED = 0.9  # of its box: a panel covers so much, its holes included; a 0 covers an ellipse, 0.8
ASPECT = 0.5  # its shorter side by its longer one: a 1 fills its box, too
DENSE = 0.3  # of the box round the panel and what lies beside it: few digits fill so much
INK = 0.5  # of its box: what is not a hole; the strokes of a 0 with corners are less
EVEN_STROKES = 1.5  # times as wide is the widest stroke of a 0 as the thinnest
INSET = 0.04  # of the longer side: at the edge lie a frame and what is of both


def panel_box(digit: Digit) -> tuple[int, int, int, int] | None:
    """The inside (top, left, bottom, right) of a panel that was taken for the digit, None if it is no panel."""
    if digit.fill < DENSE:
        return None
    found = connected_components(digit.ink > 127)
    if not len(found.area):
        return None
    main = np.arange(len(found.area)) == found.area.argmax()
    top, left, bottom, right = found.box(main)
    height, width = bottom - top, right - left
    size = height * width
    if min(height, width) < ASPECT * max(height, width) or found.area.max() < INK * size:
        return None
    ink = np.pad(found.mask(main)[top:bottom, left:right], 1)
    background = connected_components(~ink)
    outside = background.labels == background.labels[0, 0]
    if ink.size - np.count_nonzero(outside) < FILLED * size or len(background.area) < 2:
        return None
    if _is_frame(background, ink.shape):
        return None
    inset = max(1, round(INSET * max(height, width)))
    down, across = digit.box[0] - 1 + top, digit.box[1] - 1 + left  # the ink has a rim of a pixel
    return down + inset, across + inset, down + height - inset, across + width - inset


def _is_frame(background: Components, shape: tuple[int, ...]) -> bool:
    """Tell a 0 with corners: its hole is a rectangle, too, and as far from every edge."""
    holes = background.area.copy()
    holes[background.labels[0, 0] - 1] = 0
    hole = int(holes.argmax())
    top, left, bottom, right = background.box(np.arange(len(holes)) == hole)
    strokes = top - 1, left - 1, shape[0] - 1 - bottom, shape[1] - 1 - right
    return holes[hole] >= FILLED * (bottom - top) * (right - left) and max(strokes) <= EVEN_STROKES * min(strokes)
