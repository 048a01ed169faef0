"""The background of a picture, told by its border alone: most pictures have background all round, and need no more."""

from functools import lru_cache
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.image_ops import Grey, extremes, has_few_pixels, histogram_of, otsu

Floats = NDArray[np.float32]

CLEAR = 0.7  # of the variance explained by two levels: no stain or shadow inside
INK_ON_BORDER = 0.35  # of the border: the strokes of a tight crop end there
FLAT = 0.06  # of the range: a background that varies less needs no map of its light
SPREAD = 0.2  # of the range: nine tenths of the background's noise lie so close together
MIN_ROOM = 32.0  # levels; deepest shadow in which ink is still scaled up
TAIL = 0.05  # of the border's pixels: further out are a few odd ones
TAIL_SIGMAS = 1.645  # 5 % of normal numbers lie so many standard deviations below the middle


class PlainBackground(NamedTuple):
    """A picture with light ink on a background of one level.

    Attributes:
        light: (H, W) uint8.
        level: the background's level.
        noise: its standard deviation, in levels.
    """

    light: Grey
    level: float
    noise: float


def plain_background(image: Grey) -> PlainBackground | None:
    """Tell ink from background, and the background's level, where the border leaves no doubt.

    That is: at least two thirds of the border, the four corners and most of the picture lie on the same side of the
    middle between darkest and lightest; and the border is even, or lies on a smooth slope of light. Where there is
    room for stains, ink and background must explain most of the greys. An inverted picture gets the same answer.

    Args:
        image: (H, W) uint8 with at least two levels, either polarity.

    Returns:
        The background, light ink on it; None where in doubt.
    """
    low, high = extremes(image)
    border = _border(image)
    ordered = border.copy()
    ordered.sort(kind="stable")  # for bytes the fastest
    few = int(INK_ON_BORDER * len(ordered))
    if 2 * int(ordered[few]) > low + high:
        image, border, ordered = 255 - image, 255 - border, 255 - ordered[::-1]
        low, high = 255 - high, 255 - low
    middle = (low + high + 1) // 2
    if ordered[-1 - few] >= middle or max(image[0, 0], image[0, -1], image[-1, 0], image[-1, -1]) >= middle:
        return None
    if 2 * np.count_nonzero(image < middle) <= image.size:
        return None
    if not has_few_pixels(image) and otsu(histogram_of(image))[1] < CLEAR:
        return None
    even = _even(image, ordered, high)
    return _levelled(image, border, high) if even is None and ordered[-1] < middle else even


def even_background(light: Grey) -> PlainBackground | None:
    """Take the background's level from the border of an (H, W) uint8 picture with light ink.

    None unless the darker half of the border, which no ink reaches, is all alike.
    """
    return _even(light, np.sort(_border(light)), int(light.max()))


def _even(light: Grey, ordered: Grey, high: int) -> PlainBackground | None:
    low, middle = int(ordered[int(TAIL * len(ordered))]), int(ordered[len(ordered) // 2])
    if middle - low > FLAT * (high - low):
        return None
    return PlainBackground(light, float(middle), (middle - low) / TAIL_SIGMAS)


def _levelled(light: Grey, border: Grey, high: int) -> PlainBackground | None:
    """Take a slope of light away from an (H, W) picture with light ink, up to `high`, and background all round.

    Its brightness is a surface of second order, fitted to the border (n,) by least squares. Ink takes a share
    of the light that it gets, so the picture is divided by that.

    Returns:
        The background, at level 0; None where the border does not lie on such a surface.
    """
    fit = _fit(*light.shape)
    bright = (255 - border).astype(np.float32)
    factors = fit.solver @ bright
    rest = bright - factors @ fit.terms
    rest.sort()
    tail = int(TAIL * len(rest))
    spread, middle = float(rest[-1 - tail] - rest[tail]), float(factors[0])
    if spread > SPREAD * (middle - (255 - high)):
        return None
    factors *= np.float32(1 / 255)
    across, down = factors[1:3] @ fit.across, factors[3:] @ fit.down
    down += factors[0]
    paper = down[:, None] + across
    np.maximum(paper, np.float32(MIN_ROOM / 255), out=paper)
    level = 255 - cast("Grey", cv2.divide(255 - light, paper, dtype=cv2.CV_8U))
    noise = spread / (2 * TAIL_SIGMAS) * 255 / max(middle, MIN_ROOM)
    return PlainBackground(level, 0.0, noise)


def _border(image: NDArray[Any]) -> NDArray[Any]:
    """The outermost pixels (n,) of an (H, W) picture."""
    return np.concatenate((image[0], image[-1], image[1:-1, 0], image[1:-1, -1]))


class _Fit(NamedTuple):
    """Least squares of 1, x, x², y, y² on the border of pictures of one size.

    `solver` (5, n) gives the factors, `terms` (5, n) are the terms on the border, `across` (2, W) and `down` (2, H)
    those of x and y along the axes.
    """

    solver: Floats
    terms: Floats
    across: Floats
    down: Floats


@lru_cache(maxsize=256)
def _fit(height: int, width: int) -> _Fit:
    y, x = np.linspace(-1, 1, height), np.linspace(-1, 1, width)
    whole = np.broadcast_arrays(np.ones((1, 1)), x[None], x[None] ** 2, y[:, None], y[:, None] ** 2)
    terms = np.stack([_border(term) for term in whole])
    return _Fit(
        np.linalg.pinv(terms).T.astype(np.float32),
        terms.astype(np.float32),
        np.stack([x, x * x]).astype(np.float32),
        np.stack([y, y * y]).astype(np.float32),
    )
