"""The background of a picture, told by its border alone: most pictures have background all round, and need no more."""

from functools import lru_cache
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.background.surface import Floats, powers, surface
from batch_infer.normalization.image_ops import Grey, extremes, has_few_pixels, histogram_of, otsu

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
        image, border, ordered = ~image, ~border, ~ordered[::-1]
        low, high = 255 - high, 255 - low
    middle = (low + high + 1) // 2
    lightest = int(ordered[-1])
    if lightest >= middle and (
        ordered[-1 - few] >= middle
        or max(image.item(0, 0), image.item(0, -1), image.item(-1, 0), image.item(-1, -1)) >= middle
    ):
        return None
    if 2 * np.count_nonzero(image < middle) <= image.size:
        return None
    plain = _even(image, ordered, high)
    if plain is None and lightest < middle:
        plain = _levelled(image, border, high)
    return plain if plain is None or has_few_pixels(image) or _is_clear(plain.light) else None


def _is_clear(light: Grey) -> bool:
    """Tell whether two levels explain most of the variance of an (H, W) uint8 picture."""
    # Any split bounds what the best one explains from below: most pictures need no histogram.
    ink = light > extremes(light)[1] // 2
    count, size = np.count_nonzero(ink), light.size
    total, squares = cv2.sumElems(light)[0], cv2.norm(light, cv2.NORM_L2SQR)
    apart = count * (cv2.mean(light, ink.view(np.uint8))[0] * size - total)
    if apart * apart > CLEAR * count * (size - count) * (squares * size - total * total):
        return True
    return otsu(histogram_of(light))[1] >= CLEAR


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
    solver, terms = _fit(*light.shape)
    bright = (~border).astype(np.float32)
    factors = np.dot(solver, bright)
    bright -= np.dot(factors, terms)
    bright.sort()
    tail = int(TAIL * len(bright))
    spread = float(bright[-1 - tail] - bright[tail])
    middle, across, across2, down, down2 = factors.tolist()
    if spread > SPREAD * (middle - (255 - high)):
        return None
    paper = surface(np.array(((middle, across, across2), (down, 0, 0), (down2, 0, 0)), np.float32), *light.shape)
    if middle - abs(across) - abs(across2) - abs(down) - abs(down2) < MIN_ROOM:
        np.maximum(paper, np.float32(MIN_ROOM), out=paper)
    level = ~cast("Grey", cv2.divide(~light, paper, scale=255, dtype=cv2.CV_8U))
    return PlainBackground(level, 0.0, spread / (2 * TAIL_SIGMAS) * 255 / max(middle, MIN_ROOM))


def _border(image: NDArray[Any]) -> NDArray[Any]:
    """The outermost pixels (n,) of an (H, W) picture."""
    return np.concatenate((image[0], image[-1], image[1:-1, 0], image[1:-1, -1]))


@lru_cache(maxsize=256)
def _fit(height: int, width: int) -> tuple[Floats, Floats]:
    """Least squares of 1, x, x², y, y² on the border (n,) of pictures of one size.

    Returns:
        The solver (5, n), which gives the factors, and the terms (5, n).
    """
    _, y, y2 = np.broadcast_to(powers(height)[:, :, None], (3, height, width))
    one, x, x2 = np.broadcast_to(powers(width)[:, None], (3, height, width))
    terms = np.stack([_border(term) for term in (one, x, x2, y, y2)])
    return np.linalg.pinv(terms.astype(np.float64)).T.astype(np.float32), terms
