"""Finds the digit where the background is not plain: noise, slopes and shade are taken away first."""

import numpy as np

from batch_infer.normalization.background import BLANK_RANGE, denoise, is_blank, subtract_background, subtract_slope
from batch_infer.normalization.digit import Digit, Trace, find_digit
from batch_infer.normalization.image_ops import Grey, gradient, median
from batch_infer.normalization.plain_background import even_background
from batch_infer.normalization.thresholding import foreground_levels, plain_levels

EVEN_WINDOW = 0.5  # of the longer side: wider than any stroke, narrower than most shadows
UNEVEN_WINDOWS = (0.25, 0.1)  # narrower, as strokes must be: tried both, for thick ones and for blotches of light
SQUARE = 5  # px; the side of the square round a point of an outline in which its sharpness is told
RANK = 0.25  # of the outline by sharpness: a stroke is sharp all round, a blotch only where a stroke crosses it
SHARPER = 1.25  # times as sharp must the outline of what the narrower window finds be
ABOVE_NOISE = 3.5  # times as sharp as the sheet is all over must ink be


def find_on_uneven(light: Grey, *, uneven: bool, trace: Trace | None = None) -> Digit | None:
    """Find the digit in a picture with light ink, whatever its background.

    Args:
        light: (H, W) uint8, ink lighter than background.
        uneven: whether the light is uneven.
        trace: is called with the name and the picture of each step.

    Returns:
        The digit; None when there is none.
    """
    even = even_background(light)
    if even is not None:
        levels = plain_levels(even)
        return None if levels is None else find_digit(light, levels, trace)
    if is_blank(light):
        return None
    return _sharpest(light, trace) if uneven else _find(light, EVEN_WINDOW, trace)


def _sharpest(light: Grey, trace: Trace | None) -> Digit | None:
    """Find the digit under uneven light: a wide window is for thick strokes, a narrow one for blotches of light.

    A stroke has sharp outlines, light has not. What is no sharper than the faint sheet is all over is noise.
    """
    smooth = subtract_slope(denoise(light))
    if trace:
        trace("slope", smooth)
    ranges = gradient(smooth, SQUARE)
    sharpest = max(float(ranges.max()), 1.0)
    best = None
    for window in UNEVEN_WINDOWS:
        digit = _find(smooth, window, trace)
        if digit is None:
            continue
        top, left, bottom, right = digit.box
        outline = digit.outline()
        along = np.sort(ranges[top:bottom, left:right][outline])
        sharpness = float(along[int(RANK * len(along))]) if len(along) else 0.0
        digit = digit._replace(sharpness=sharpness / sharpest)
        if best is None or digit.sharpness > SHARPER * best.sharpness:
            best = digit
        if SHARPER * best.sharpness >= 1:  # nothing can be so much sharper
            break
    faint = int(smooth.max()) - int(smooth.min()) < BLANK_RANGE
    if best is None or (best.sharpness * sharpest < ABOVE_NOISE * median(ranges.ravel())):
        return None
    return best


def _find(light: Grey, window: float, trace: Trace | None) -> Digit | None:
    foreground = subtract_background(light, window)
    if trace:
        trace("background", foreground)
    levels = foreground_levels(foreground)
    return None if levels is None else find_digit(foreground, levels, trace)
