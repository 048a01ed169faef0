"""Finds the digit where the background is not plain: shade and stains are taken away, noise is no digit."""

import numpy as np

from batch_infer.normalization.background import denoise, is_blank, subtract_background, subtract_slope
from batch_infer.normalization.digit import Digit, Trace, find_digit
from batch_infer.normalization.image_ops import Grey, gradient, has_few_pixels, median
from batch_infer.normalization.plain_background import even_background
from batch_infer.normalization.thresholding import foreground_levels, plain_levels

WINDOW, WINDOW_OF_FEW = 0.25, 0.5  # of the longer side: wider than any stroke, narrower than most shadows
SQUARE = 5  # px; the side of the square round a point of an outline in which its sharpness is told
RANK = 0.25  # of the outline by sharpness: a stroke is sharp all round, a blotch only where a stroke crosses it
ABOVE_NOISE = 3.5  # times as sharp as the sheet is all over must ink be


def find_on_uneven(light: Grey, *, trace: Trace | None = None) -> Digit | None:
    """Find the digit in a picture with light ink, whatever its background.

    Args:
        light: (H, W) uint8, ink lighter than background.
        trace: is called with the name and the picture of each step.

    Returns:
        The digit; None when there is none.
    """
    even = even_background(light)
    if even is not None:
        levels = plain_levels(even)
        return None if levels is None else find_digit(even.light, levels, trace)
    if is_blank(light):
        return None
    few = has_few_pixels(light)
    smooth = light if few else subtract_slope(denoise(light))
    if trace and smooth is not light:
        trace("slope", smooth)
    foreground = subtract_background(smooth, WINDOW_OF_FEW if few else WINDOW)
    if trace:
        trace("background", foreground)
    levels = foreground_levels(foreground)
    digit = None if levels is None else find_digit(foreground, levels, trace)
    return digit if few or digit is None or _is_sharp(digit, smooth) else None


def _is_sharp(digit: Digit, image: Grey) -> bool:
    """Tell a digit found in an (H, W) picture from its noise and its light: a stroke has sharp outlines."""
    top, left, bottom, right = digit.box
    ranges = gradient(image, SQUARE)
    along = np.sort(ranges[top:bottom, left:right][digit.outline()])
    return bool(len(along) and along[int(RANK * len(along))] >= ABOVE_NOISE * median(ranges.ravel()))
