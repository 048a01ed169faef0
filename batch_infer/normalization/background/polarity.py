"""Is the ink darker than the background?"""

import numpy as np
from numpy.typing import NDArray

from batch_infer.decoding.pixels.downscale import shrink
from batch_infer.normalization.background.surface import without_surface
from batch_infer.normalization.components import largest_component
from batch_infer.normalization.image_ops import Grey, Mask, has_few_pixels, histogram_of, otsu

COARSE_SIDE = 48  # px; polarity is a coarse question, and small pictures answer it fast
TWO_LEVELS = 0.93  # of the variance is explained by two levels: ink and background without shade
RING = 0.1  # of the shorter side: a thin frame line must not outvote the background inside it


def has_dark_ink(image: Grey) -> bool:
    """Tell ink from background by a coarse copy of a picture.

    Votes of -1 … 1: which of the two Otsu classes holds most of the border, which holds most of the corners, and, if
    these leave doubt, which is less of one component (ink hangs together, the background is cut up by it: that decides
    tight crops). Where the light is uneven the two classes are light and shade rather than background and ink; there
    the skewness of the grey levels, freed from the slope of the light, stands in for the corners: ink is the few that
    lie far from the many. Nothing depends on which class is called light: an inverted picture gets the opposite answer.

    Args:
        image: (H, W) uint8 with at least two levels.

    Returns:
        Whether the ink is darker than the background; also where votes are even.
    """
    few = has_few_pixels(image)
    coarse = image if few else shrink(image, COARSE_SIDE)
    level, explained = otsu(histogram_of(coarse))
    light = coarse > level
    ring = max(1, round(RING * min(coarse.shape)))
    inner = light[ring:-ring, ring:-ring]
    count = np.count_nonzero(light)
    border = 2 * (count - np.count_nonzero(inner)) / (light.size - inner.size) - 1
    corners = (light[:ring, :ring], light[:ring, -ring:], light[-ring:, :ring], light[-ring:, -ring:])
    vote = border + sum(map(np.count_nonzero, corners)) / (2 * ring * ring) - 1
    if explained < TWO_LEVELS and (not few or abs(vote) < 1):
        vote = border - _skewness(coarse if few else without_surface(coarse))
    if abs(vote) < 1:
        # What is most likely the ink is looked at first: if it is of one piece, the background cannot be more so.
        ink, background = (~light, light) if vote >= 0 else (light, ~light)
        share = _largest_share(ink)
        if share < 1:
            gain = share - _largest_share(background)
            vote += gain if vote >= 0 else -gain
    return bool(vote >= 0)


def _skewness(values: NDArray[np.generic]) -> float:
    """Skewness of the levels of a picture: negative where the outliers are dark."""
    away = values.ravel().astype(np.float64)
    away -= away.mean()
    squares = away * away
    return float(squares @ away) / len(away) / max(float(squares.mean()), 1e-6) ** 1.5


def _largest_share(mask: Mask) -> float:
    """The part of a mask's pixels that its largest component holds, 0 … 1."""
    count = np.count_nonzero(mask)
    return largest_component(mask)[1] / count if count else 0.0
