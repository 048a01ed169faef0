"""The paper of a picture, told by its border alone: small and clean ones have paper all round, and need no more."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.image_ops import SMALL, Grey, histogram_of, otsu, smooth

Floats = NDArray[np.float32]

TWO_LEVELS = 0.93  # of the variance explained by two levels: ink and paper without shade
INK_ON_BORDER = 0.35  # of the border: the strokes of a tight crop end there
FLAT = 0.06  # of the range: paper that varies less needs no map of its light
SPREAD = 0.2  # of the range: nine tenths of the paper's grain lie so close together
MIN_ROOM = 32.0  # levels; deepest shadow in which ink is still scaled up
TAIL = 0.05  # of the border's pixels: further out are a few odd ones
TAIL_SIGMAS = 1.645  # 5 % of normal numbers lie so many standard deviations below the middle


class Sheet(NamedTuple):
    """A picture with light ink on paper of one level.

    Attributes:
        light: (H, W) uint8.
        paper: the paper's level.
        noise: its grain's standard deviation, in levels.
    """

    light: Grey
    paper: float
    noise: float


def plain_sheet(image: Grey) -> Sheet | None:
    """Tell ink from paper, and the paper's level, where the border leaves no doubt.

    That is: at least two thirds of the border, the four corners and most of the picture lie on the same side of the
    middle between darkest and lightest; and the border is even, or lies on a smooth slope of light. In larger
    pictures more can hide: there the whole border must be even paper, and ink and paper must explain all greys.
    An inverted picture gets the same answer.

    Args:
        image: (H, W) uint8 with at least two levels, either polarity.

    Returns:
        The sheet, with light ink; None where in doubt.
    """
    low, high = int(image.min()), int(image.max())
    border = _border(image)
    ordered = border.copy()
    ordered.sort()
    few = int(INK_ON_BORDER * len(ordered))
    if 2 * int(ordered[few]) > low + high:
        image, border, ordered = 255 - image, 255 - border, 255 - ordered[::-1]
        low, high = 255 - high, 255 - low
    middle = (low + high + 1) // 2
    if ordered[-1 - few] >= middle or max(image[0, 0], image[0, -1], image[-1, 0], image[-1, -1]) >= middle:
        return None
    if 2 * np.count_nonzero(image < middle) <= image.size:
        return None
    sheet, clear = _even(image, ordered, high), ordered[-1] < middle
    if max(image.shape) <= SMALL:
        return _levelled(image, border, high) if sheet is None and clear else sheet
    if sheet is None or not clear or otsu(histogram_of(image))[1] < TWO_LEVELS:
        return None
    return sheet._replace(light=smooth(image))


def even_sheet(light: Grey) -> Sheet | None:
    """Take the paper's level from the border of an (H, W) uint8 picture with light ink.

    None unless the darker half of the border, which no ink reaches, is all alike.
    """
    return _even(light, np.sort(_border(light)), int(light.max()))


def _even(light: Grey, ordered: Grey, high: int) -> Sheet | None:
    low, middle = int(ordered[int(TAIL * len(ordered))]), int(ordered[len(ordered) // 2])
    return Sheet(light, float(middle), (middle - low) / TAIL_SIGMAS) if middle - low <= FLAT * (high - low) else None


def _levelled(light: Grey, border: Grey, high: int) -> Sheet | None:
    """Take a slope of light away from an (H, W) picture with light ink, up to `high`, and paper all round.

    The paper's brightness is a surface of second order, fitted to the border (n,) by least squares. Ink takes a share
    of the light that it gets, so the picture is divided by that.

    Returns:
        The sheet, with paper at 0; None where the border does not lie on such a surface.
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
    white = (255 - light) / paper
    np.minimum(white, np.float32(255), out=white)
    np.subtract(np.float32(255), white, out=white)
    return Sheet(white.astype(np.uint8), 0.0, spread / (2 * TAIL_SIGMAS) * 255 / max(middle, MIN_ROOM))


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
