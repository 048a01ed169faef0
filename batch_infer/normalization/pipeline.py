"""Any grey picture of one digit → MNIST's format: 28 × 28, light ink on black, 20 px long, centred by mass.

The order of the steps stands here. They work on a small copy, the *overview*, whatever the picture's size:

    picture ── overview ──┬── plain background ────────┬── digit ── (panel) ── (closer) ── resample
                          ├── halftone, averaged ──────┤
                          ├── page, cut out ───────────┤
                          ├── frame, cut off ──────────┤
                          └── polarity ── background ──┘

    digit = threshold → components → lines → selection → ink map

Each branch is taken where the one above it finds no digit. A panel (a drawing area that looks like one solid mark) is
cut out and searched from the start. A digit that is small in the overview is found again, by the same steps, in a cut
of the full picture. Whether there are other digits is told from the overview.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from batch_infer.decoding.pixels.bit_depth import check_grey, to_8_bit
from batch_infer.decoding.pixels.downscale import DETAIL_SIDE, shrink
from batch_infer.decoding.pixels.low_levels import stretch_low
from batch_infer.errors import ImageError
from batch_infer.normalization.background.frame_removal import without_frame
from batch_infer.normalization.background.halftone import without_halftone
from batch_infer.normalization.background.page import page_of
from batch_infer.normalization.background.plain_background import plain_background
from batch_infer.normalization.background.polarity import has_dark_ink
from batch_infer.normalization.background.shade import MIN_RANGE
from batch_infer.normalization.digit import Digit, Trace, find_digit
from batch_infer.normalization.foreground import find_on_uneven
from batch_infer.normalization.image_ops import Grey, extremes, has_few_pixels
from batch_infer.normalization.mnist_format import mnist_format_mask
from batch_infer.normalization.panel import panel_box
from batch_infer.normalization.resample import SIDE, resample
from batch_infer.normalization.several import OtherDigits, has_twin, other_digits
from batch_infer.normalization.thresholding import plain_levels

OVERVIEW_SIDE = 128  # px; the digit is searched in a picture of at most about this side squared
CLOSE_SIDE = 40  # px; a digit found smaller than this, twice what is needed, is looked at again in the full picture
MARGIN = 8  # px of the overview round such a digit: paper, but hardly the lines of its box
SOLID = 0.45  # of its box: few digits fill so much of it
SEVERAL_DIGITS = "more than one digit stands in the picture: cut it into pictures of one digit each"
PANELS = 2  # a canvas in a window, at most
_POLARITIES = np.array([0, 255], np.uint8).reshape(2, 1, 1)  # XOR leaves or inverts


class Normalized(NamedTuple):
    """What `examine` sees in a picture.

    Attributes:
        image: (28, 28) uint8, light ink on black: the digit; None where none is seen (a blank sheet, noise alone).
        others: whether there are other digits.
    """

    image: NDArray[np.uint8] | None
    others: OtherDigits = OtherDigits.NONE


def normalize(picture: NDArray[np.generic], *, trace: Trace | None = None) -> NDArray[np.uint8] | None:
    """Bring a picture of one digit into MNIST's format.

    Args:
        picture: (H, W) bool, integer or float; any size, either polarity. Levels of 0 … 8 at most are stretched.
        trace: is called with the name of each step and its picture, (H, W) uint8 or bool, in the order taken.

    Returns:
        (28, 28) uint8, light ink on black; None where no digit is seen (a blank sheet, noise alone).

    Raises:
        ValueError: no (H, W) array of real numbers, no pixel in it, NaN or infinity, or a digit's 784 pixels in a line
            (1×784 or 784×1).
        ImageError: with the code `several_digits`: certainly more than one digit stands in the picture.
    """
    seen = examine(picture, trace=trace)
    if seen.others is OtherDigits.CERTAIN:
        raise ImageError("several_digits", SEVERAL_DIGITS)
    return seen.image


def examine(picture: NDArray[np.generic], *, trace: Trace | None = None) -> Normalized:
    """Bring a picture of a digit into MNIST's format, and tell whether there are other digits.

    Arguments, and what is raised for pictures that are none, are those of `normalize`.
    """
    image = shrink(stretch_low(to_8_bit(check_grey(picture))), DETAIL_SIDE)
    if trace:
        trace("picture", image)
    low, high = extremes(image)
    if high - low < MIN_RANGE:
        return Normalized(None)
    if image.shape == (SIDE, SIDE) and (low == 0 or high == 255):
        candidates = image ^ _POLARITIES
        formatted = candidates[mnist_format_mask(candidates)]
        if len(formatted):
            return Normalized(formatted[0])
    if 2 * cv2.sumElems(image)[0] > 255 * image.size:
        image = ~image  # a picture and its negative go the same way, bit for bit
    located = _locate(image, trace, PANELS)
    if located is None:
        return Normalized(None)
    digit, others = located
    if trace:
        trace("ink", digit.ink)
    result = resample(digit.ink)
    if trace:
        trace("result", result)
    return Normalized(result, others)


class _Found(NamedTuple):
    """A digit found in an overview of a picture, and the way to find it."""

    digit: Digit
    image: Grey
    overview: Grey
    find: Callable[[Grey], Digit | None]

    def cut(self, top: int, left: int, bottom: int, right: int) -> Grey:
        """The part of the picture in a box (in px of the overview)."""
        # Each axis has its own scale: a strip is reduced by no more rows than it has.
        down = self.image.shape[0] / self.overview.shape[0]
        across = self.image.shape[1] / self.overview.shape[1]
        return self.image[
            int(max(top, 0) * down) : int(bottom * down), int(max(left, 0) * across) : int(right * across)
        ]


def _locate(image: Grey, trace: Trace | None, panels: int) -> tuple[Digit, OtherDigits] | None:
    """Find the digit in a picture of either polarity, and within `panels` panels that lie in each other at most.

    Returns:
        The digit, and whether there are others; None when there is none.
    """
    found = _search(image, trace)
    if found is None:
        return None
    box = panel_box(found.digit) if panels else None
    if box is not None:
        inside = _locate(found.cut(*box), trace, panels - 1)
        if inside is not None:
            return (inside[0], OtherDigits.CERTAIN) if has_twin(found.digit.selection) else inside
    return _closer(found, trace), other_digits(found.digit.selection)


def _search(image: Grey, trace: Trace | None) -> _Found | None:
    """Find the digit in an overview, the plainest way first."""
    overview = _overview(image, "overview", trace)
    digit = _find_on_plain(overview, trace=trace)
    smooth = image if digit is not None else without_halftone(image)
    if smooth is not image:
        image, overview = smooth, _overview(smooth, "halftone", trace)
        digit = _find_on_plain(overview, trace=trace)
    if digit is None or digit.fill > SOLID:  # a sheet on a plain desk looks like a solid mark
        page = page_of(image, overview)
        if page is not image:
            if trace:
                trace("page", page)
            return _search(page, trace)
    if digit is None:
        inside = without_frame(image)
        if inside is not image:
            image, overview = inside, _overview(inside, "frame", trace)
            digit = _find_on_plain(overview, trace=trace)
    if digit is not None:
        return _Found(digit, image, overview, partial(_find_on_plain, trace=trace))
    return _find_on_shaded(image, overview, trace)


def _find_on_shaded(image: Grey, overview: Grey, trace: Trace | None) -> _Found | None:
    """Find the digit where the border does not tell the background."""
    light = image
    if has_dark_ink(overview):
        light = 255 - image
        overview = _overview(light, "polarity", trace)
    elif trace:
        trace("polarity", overview)
    found = find_on_uneven(overview, either=True, trace=trace)
    if found is None:
        return None
    if found.dark_ink:
        light, overview = 255 - light, 255 - overview

    def find(cut: Grey) -> Digit | None:
        again = find_on_uneven(cut, either=False, trace=trace)
        return None if again is None else again.digit

    return _Found(found.digit, light, overview, find)


def _overview(image: Grey, name: str, trace: Trace | None) -> Grey:
    """Average a picture down to about `OVERVIEW_SIDE` squared; a strip stays as long as its area allows."""
    factor = math.ceil(math.sqrt(image.size) / OVERVIEW_SIDE)
    overview = shrink(image, -(-max(image.shape) // factor))
    if trace:
        trace(name, overview)
    return overview


def _find_on_plain(image: Grey, *, trace: Trace | None) -> Digit | None:
    plain = plain_background(image)
    if plain is None:
        return None
    if trace:
        trace("plain", plain.light)
    levels = plain_levels(plain)
    return None if levels is None else find_digit(plain.light, levels, trace)


def _closer(found: _Found, trace: Trace | None) -> Digit:
    """Find a digit that is small in the overview again, in a cut of the picture that was reduced to that."""
    top, left, bottom, right = found.digit.box
    long_side = max(bottom - top, right - left)
    if long_side >= CLOSE_SIDE or has_few_pixels(found.image):
        return found.digit
    cut = found.cut(top - MARGIN, left - MARGIN, bottom + MARGIN, right + MARGIN)
    if found.overview.shape == found.image.shape and 2 * cut.size > found.image.size:
        return found.digit  # nearly all of it was seen from as near
    return found.find(_overview(cut, "closer", trace)) or found.digit
