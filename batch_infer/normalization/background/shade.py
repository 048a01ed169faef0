"""Takes away the background of a picture with light ink, where it is not of one level: noise, slope, shade."""

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.background.plain_background import MIN_ROOM
from batch_infer.normalization.background.surface import without_surface
from batch_infer.normalization.image_ops import Grey, blurred, extremes, has_few_pixels, median, opened

SMOOTH_LIGHT = 0.06  # of the range: how far most of the background may lie from the fitted surface
MIN_RANGE = 12  # levels between darkest and lightest, light aside: less is a blank sheet and its noise
BLANK_RANGE = 96  # levels; no lamp and no noise alone span more over a sheet
OUTSTANDING = 0.8  # standard deviations of the noise by which ink must stand out of its largest value


def is_blank(image: Grey) -> bool:
    """Tell whether there is nothing but background, lit from one side, and its noise in an (H, W) uint8 picture.

    The noise is measured between neighbours, by the smaller half of the differences: strokes' edges do not count.
    """
    low, high = extremes(image)
    if min(image.shape) < 2 or high - low > BLANK_RANGE:
        return False
    rest = without_surface(image)
    below, above = float(rest.min()), float(rest.max())
    if above - below < MIN_RANGE:
        return True
    levels = image.astype(np.int16)
    noise = min(_noise(levels[1:] - levels[:-1]), _noise(levels[:, 1:] - levels[:, :-1]))
    # The largest of n normal numbers is about sqrt(2 log n).
    most = (2 * np.log(image.size)) ** 0.5 + OUTSTANDING
    return max(above, -below) <= most * noise


def _noise(steps: NDArray[np.int16]) -> float:
    """The standard deviation of the levels whose neighbours differ by `steps`."""
    sizes = np.abs(steps).ravel()
    half = len(sizes) // 2
    sizes.partition(half)
    # The smaller half of |a - b| has a mean of 0.467 standard deviations of a, if a and b are normal.
    return max(float(sizes[: half + 1].mean()) / 0.467, 0.5)


def denoise(image: Grey) -> Grey:
    """Take away a sensor's noise from an (H, W) uint8 picture, unless its strokes are too thin for that."""
    return image if has_few_pixels(image) else blurred(image)


def subtract_background(image: Grey, share: float) -> Grey:
    """Subtract the background of a picture with light ink: what is left is how much of the way to white the ink goes.

    The background is a morphological opening: whatever is lighter than its surroundings and narrower than the window
    is ink, so shadows, gradients and stains wider than that go with the background (the white top-hat). Dividing by
    the background's distance to white makes ink in the shade as strong as ink in the light (dark ink takes a share of
    the light that it gets).

    Args:
        image: (H, W) uint8.
        share: the window, as a share of the longer side; strokes must stay narrower.

    Returns:
        (H, W) uint8, about 0 for the background, 255 for what is white.
    """
    window = max(3, 2 * int(share * max(image.shape) / 2) + 1)
    background = opened(image, window, window)
    room = np.maximum(~background, np.uint8(MIN_ROOM))
    return cast("Grey", cv2.divide(image - background, room, scale=255))


def subtract_slope(image: Grey) -> Grey:
    """Take a lamp's slope and a lens's dark corners away from an (H, W) uint8 picture, unless its light is not smooth.

    The opening alone would leave the upper end of a slope standing along the picture's edge.
    """
    rest = without_surface(image)
    low, high = extremes(image)
    if median(np.abs(rest[::2, ::2]).ravel()) > SMOOTH_LIGHT * (high - low):
        return image  # a shadow's edge: a smooth surface would only bend it into ridges
    return cast("Grey", cv2.convertScaleAbs(rest, beta=-float(rest.min())))
