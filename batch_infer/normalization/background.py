"""What is paper and what is ink in a grey picture: polarity, uneven light, noise floor."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from batch_infer.decoding.downscale import shrink
from batch_infer.normalization.components import pieces
from batch_infer.normalization.image_ops import SMALL, Grey, histogram_of, opened, otsu, product, smooth
from batch_infer.normalization.plain_background import MIN_ROOM, TWO_LEVELS

Floats = NDArray[np.float32]

SMOOTH_LIGHT = 0.06  # of the range: how far most of the paper may lie from the fitted surface
POLARITY_SIDE = 48  # px; polarity is a coarse question, and small pictures answer it fast
MIN_RANGE = 12  # levels between darkest and lightest, light aside: less is a blank sheet and its grain
BLANK_SIDE = 2 * SMALL  # px; in larger pictures marks are told from grain by their number and size
BLANK_RANGE = 96  # levels; no lamp and no grain alone span more over a sheet
OUTSTANDING = 0.8  # standard deviations of the grain by which a mark must stand out of its largest grain
RING = 0.1  # of the shorter side: a thin frame line must not outvote the paper inside it
LEVELS = np.arange(256, dtype=np.float32)
SCALE_UP = np.float32(255) / np.maximum(255 - LEVELS, np.float32(MIN_ROOM))  # by which ink over paper of a level counts


class Look(NamedTuple):
    """What a coarse look at a picture tells: is the ink darker than the paper, is the light uneven."""

    dark_ink: bool
    uneven: bool


def look(image: Grey) -> Look:
    """Tell ink from paper by a coarse copy of the picture.

    Votes: which of the two Otsu classes holds most of the border, which holds most of the corners, and which is less
    of one piece (ink hangs together, paper is cut up by it: that decides tight crops). Where the light is uneven the
    two classes are light and shade rather than paper and ink; there the skewness of the grey levels, freed from the
    slope of the light, stands in for the corners: ink is the few that lie far from the many.
    The weights come from logistic fits on some 60 kinds of changed MNIST training digits and half of Semeion, rounded.
    Nothing depends on which class is called light: an inverted picture gets the opposite answer.

    Args:
        image: (H, W) uint8 with at least two levels.

    Returns:
        The look; even votes count as dark ink on light paper.
    """
    large = max(image.shape) > SMALL
    small = shrink(image, POLARITY_SIDE) if large else image
    level, explained = otsu(histogram_of(small))
    light = small > level
    ring = max(1, round(RING * min(small.shape)))
    inner = light[ring:-ring, ring:-ring]
    count = np.count_nonzero(light)
    border = 2 * (count - np.count_nonzero(inner)) / (light.size - inner.size) - 1
    crisp = explained >= TWO_LEVELS
    corners = (light[:ring, :ring], light[:ring, -ring:], light[-ring:, :ring], light[-ring:, -ring:])
    corner = sum(map(np.count_nonzero, corners)) / (2 * ring * ring) - 1
    vote, unity = 3.3 * border + 3.6 * corner, 2.6
    if not crisp and (large or abs(vote) < unity):
        vote, unity = 2.6 * border + 2.9 * _dark_tail(small, flatten=large), 1.8
    if abs(vote) < unity:  # the last vote weighs at most that much
        # What is most likely the ink is looked at first: if it is of one piece, the paper cannot be more so.
        ink, paper = (~light, light) if vote >= 0 else (light, ~light)
        share = _largest_share(ink)
        if share < 1:
            gain = unity * (share - _largest_share(paper))
            vote += gain if vote >= 0 else -gain
    return Look(bool(vote >= 0), large and not crisp)


def _dark_tail(small: Grey, *, flatten: bool) -> float:
    """Skewness of the grey levels, turned round: positive where the outliers are dark. At most 4 either way."""
    values = _flattened(small) if flatten else small.ravel().astype(np.float64)
    values -= values.mean()
    squares = values * values
    spread = float(squares.mean())
    skewness = float(squares @ values) / len(values) / max(spread, 1e-6) ** 1.5
    return min(max(-skewness, -4.0), 4.0)


def _odd(share: float, shape: tuple[int, ...]) -> int:
    """A window of about `share` of the longer side: odd, at least 3 px."""
    return max(3, 2 * int(share * max(shape) / 2) + 1)


def _flattened(small: Grey) -> NDArray[np.float64]:
    """What is left (H * W,) of a picture when the second-order surface that fits it best is taken away."""
    values = small.ravel().astype(np.float64)
    points = _surface(*small.shape).reshape(6, -1)
    factors = np.linalg.solve(product(points, points.T) + 1e-6 * np.eye(6), product(points, values[:, None]))
    rest: NDArray[np.float64] = values - product(factors.T, points)[0]
    return rest


def is_blank(image: Grey) -> bool:
    """Tell whether there is nothing but paper, lit from one side, and its grain in an (H, W) uint8 picture.

    The grain is measured between neighbours, by the calmer half of them: strokes' edges do not count.
    """
    if min(image.shape) < 2 or max(image.shape) > BLANK_SIDE or int(image.max()) - int(image.min()) > BLANK_RANGE:
        return False
    rest = _flattened(image)
    low, high = float(rest.min()), float(rest.max())
    if high - low < MIN_RANGE:
        return True
    levels = image.astype(np.int16)
    grain = min(_grain(levels[1:] - levels[:-1]), _grain(levels[:, 1:] - levels[:, :-1]))
    # The largest of n normal numbers is about sqrt(2 log n).
    most = (2 * np.log(image.size)) ** 0.5 + OUTSTANDING
    return max(high, -low) <= most * grain


def _grain(steps: NDArray[np.int16]) -> float:
    """The standard deviation of what neighbours differ by in `steps`, by their smaller half: edges do not count."""
    sizes = np.abs(steps).ravel()
    half = len(sizes) // 2
    sizes.partition(half)
    # The smaller half of |a - b| has a mean of 0.467 standard deviations of a, if a and b are normal.
    return max(float(sizes[: half + 1].mean()) / 0.467, 0.5)


def _largest_share(mask: NDArray[np.bool_]) -> float:
    """The part of a mask's pixels that its largest piece holds, 0 … 1."""
    area = pieces(mask).area
    return float(area.max() / area.sum()) if len(area) else 0.0


def calmed(image: Grey, *, uneven: bool) -> Grey:
    """Take a sensor's grain away from an (H, W) uint8 picture with light ink, and the slope of uneven light."""
    calm = smooth(image) if min(image.shape) > SMALL else image
    return _level(calm) if uneven else calm


def lift(calm: Grey, share: float) -> Grey:
    """Take the paper away from a picture with light ink: what is left is how much of the way to white the ink goes.

    The paper is a morphological opening: whatever is lighter than its surroundings and narrower than the window is
    ink, so shadows, gradients and stains wider than that go with the paper. Dividing by the paper's distance to
    white makes ink in the shade as strong as ink in the light (dark ink takes a share of the light it gets).

    Args:
        calm: (H, W) uint8, from `calmed`.
        share: the window, as a share of the longer side; strokes must stay narrower.

    Returns:
        (H, W) uint8, about 0 for paper, 255 for what is white.
    """
    paper = opened(calm, _odd(share, calm.shape))
    lifted = SCALE_UP.take(paper)
    lifted *= calm - paper
    lifted += np.float32(0.5)
    return np.minimum(lifted, np.float32(255), out=lifted).astype(np.uint8)


def _level(image: Grey) -> Grey:
    """Take a lamp's slope and a lens's dark corners away: subtract a surface of second order fitted to the paper.

    Least squares, reweighted so that ink does not count (Cauchy weights); the opening alone would leave the upper
    end of a slope standing along the picture's edge.

    Args:
        image: (H, W) uint8, light ink.

    Returns:
        (H, W) uint8 with the same mean paper.
    """
    small = shrink(image, POLARITY_SIDE)
    points = _surface(*small.shape).reshape(6, -1)
    values = small.ravel().astype(np.float64)
    weights = np.ones_like(values)
    for _ in range(4):
        weighted = points * weights
        factors = np.linalg.solve(product(weighted, points.T) + 1e-6 * np.eye(6), product(weighted, values[:, None]))
        rest = values - product(factors.T, points)[0]
        scale = 2 * float(np.median(np.abs(rest))) + 1
        # Light outliers are ink: they count least.
        weights = 1 / (1 + (np.where(rest > 0, 2 * rest, rest) / scale) ** 2)
    if np.quantile(np.abs(rest), 0.75) > SMOOTH_LIGHT * float(np.ptp(small)):
        return image  # a shadow's edge: a smooth surface would only bend it into ridges
    slope = np.einsum("k,kij->ij", factors[1:, 0].astype(np.float32), _surface(*image.shape)[1:].astype(np.float32))
    flat = image - slope
    low = min(float(flat.min()), 0.0)
    result: Grey = np.clip(flat - low, 0, 255).astype(np.uint8)
    return result


def _surface(height: int, width: int) -> NDArray[np.float64]:
    """The six terms of a second-order surface on -1 ... 1, as (6, height, width)."""
    y = np.linspace(-1, 1, height)[:, None]
    x = np.linspace(-1, 1, width)[None, :]
    terms = (np.ones((1, 1)), x, y, x * x, x * y, y * y)
    return np.stack([np.broadcast_to(term, (height, width)) for term in terms])
