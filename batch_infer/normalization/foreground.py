"""Finds the digit where the background is not plain: shade and stains are taken away, noise is no digit."""

from typing import NamedTuple

import numpy as np

from batch_infer.normalization.background.plain_background import even_background
from batch_infer.normalization.background.shade import denoise, is_blank, subtract_background, subtract_slope
from batch_infer.normalization.digit import Digit, Trace, find_digit
from batch_infer.normalization.image_ops import Grey, gradient, has_few_pixels
from batch_infer.normalization.thresholding import foreground_levels, plain_levels

WINDOWS = 0.25, 0.15  # of the longer side: for thick strokes, and for thin ones among blotches of light
WINDOW_OF_FEW = 0.5  # wider than any stroke
SQUARE = 5  # px; the side of the square round a point of an outline in which its sharpness is told
RANK = 0.25  # of the outline by sharpness: a stroke is sharp all round, a blotch only where a stroke crosses it
SHARPER = 1.25  # times as sharp must what the narrower window finds be
MISTAKEN = 1.6  # times that must what is darker than the background be
ABOVE_NOISE = 4.0  # times as sharp as the sheet is all over must ink be


class Found(NamedTuple):
    """A digit, and whether its ink is darker than the background after all."""

    digit: Digit
    dark_ink: bool


def find_on_uneven(light: Grey, *, either: bool, trace: Trace | None = None) -> Found | None:
    """Find the digit in a picture with light ink, whatever its background.

    Args:
        light: (H, W) uint8, ink lighter than background.
        either: whether the ink may be darker than the background after all.
        trace: is called with the name and the picture of each step.

    Returns:
        The digit; None when there is none.
    """
    even = even_background(light)
    if even is not None:
        levels = plain_levels(even)
        digit = None if levels is None else find_digit(even.light, levels, trace)
        return None if digit is None else Found(digit, dark_ink=False)
    if is_blank(light):
        return None
    if has_few_pixels(light):
        digit = _find(light, WINDOW_OF_FEW, trace)
        return None if digit is None else Found(digit, dark_ink=False)
    smooth = subtract_slope(denoise(light))
    if trace:
        trace("slope", smooth)
    ranges = gradient(smooth, SQUARE)
    sharpest, best = float(ranges.max()), None
    enough = ABOVE_NOISE * _ranked(ranges.ravel())
    for dark_ink in (False, True)[: 1 + either]:
        image = 255 - smooth if dark_ink else smooth
        for window in WINDOWS:
            digit = _find(image, window, trace)
            if digit is not None:
                top, left, bottom, right = digit.box
                sharpness = _ranked(ranges[top:bottom, left:right][digit.outline()])
                if sharpness >= enough:
                    best, enough = Found(digit, dark_ink), SHARPER * sharpness
            if enough > sharpest:  # nothing can be so much sharper
                return best
        enough *= MISTAKEN
    return best


def _find(light: Grey, window: float, trace: Trace | None) -> Digit | None:
    foreground = subtract_background(light, window)
    if trace:
        trace("background", foreground)
    levels = foreground_levels(foreground)
    return None if levels is None else find_digit(foreground, levels, trace)


def _ranked(values: Grey) -> float:
    """What a share of `RANK` of the values (n,) is not above; 0 where there are none."""
    rank = int(RANK * len(values))
    return float(np.partition(values, rank)[rank]) if len(values) else 0.0
