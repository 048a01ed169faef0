"""Where paper ends and ink begins: thresholds from the histogram of a picture with light ink."""

from bisect import bisect_left
from typing import NamedTuple

from batch_infer.normalization.image_ops import Grey, histogram_of, otsu
from batch_infer.normalization.plain_background import MIN_ROOM, Sheet

WHITE = 255.0
MIN_CONTRAST = 0.03  # of the way from paper to white; fainter marks than this are paper
NOISE_SIGMAS = 5.0  # a mark must stand out of the paper's noise by this much
MIN_NOISE = 0.5  # levels; of rounding alone
TWO_CLASSES = 0.8  # of the variance explained by two levels; grain alone has 0.64: what is above Otsu's level is ink
INK_SHARE = 0.3  # of full ink: what is at least that dark belongs to a mark


class Levels(NamedTuple):
    """Levels 0 … 255 of a picture with light ink: the standard deviation of its paper's grain is `noise`."""

    paper: float
    noise: float
    threshold: float
    ink: float


def levels(lifted: Grey) -> Levels | None:
    """Find the paper's level, the threshold and the ink's level in a picture freed from its paper.

    Args:
        lifted: (H, W) uint8 from `paper.lift`.

    Returns:
        The levels; None where nothing stands out of the paper.
    """
    histogram = histogram_of(lifted)
    up_to: list[int] = histogram.cumsum().tolist()
    split, explained = otsu(histogram)
    half = (up_to[split] + 1) // 2
    paper = bisect_left(up_to, half)
    # The median deviation: the noise without the strokes' soft edges.
    deviation = 0
    while up_to[min(paper + deviation, split)] - (up_to[paper - deviation - 1] if deviation < paper else 0) < half:
        deviation += 1
    highest = max(float(split), paper + WHITE * MIN_CONTRAST) if explained > TWO_CLASSES else WHITE
    return _levels(up_to, float(paper), 1.4826 * deviation, WHITE, highest)


def sheet_levels(sheet: Sheet) -> Levels | None:
    """Find the threshold and the ink's level over paper whose level and grain are known; None as in `levels`."""
    up_to: list[int] = histogram_of(sheet.light).cumsum().tolist()
    return _levels(up_to, sheet.paper, sheet.noise, max(WHITE - sheet.paper, MIN_ROOM), WHITE)


def _levels(up_to: list[int], paper: float, noise: float, room: float, highest: float) -> Levels | None:
    """Find the levels from `up_to` (256,), how many pixels have at most each level.

    Args:
        up_to: see above.
        paper: the paper's level.
        noise: the standard deviation of its grain.
        room: from paper to white, in levels.
        highest: up to where the noise may push the threshold.
    """
    noise = max(noise, MIN_NOISE)
    floor = min(paper + max(NOISE_SIGMAS * noise, MIN_CONTRAST * room), highest)
    ink = 0
    for _ in range(2):
        below = up_to[min(int(floor), 255)]
        if below == up_to[-1]:
            return None
        ink = bisect_left(up_to, below + 0.75 * (up_to[-1] - below))
        floor = max(floor, paper + INK_SHARE * (ink - paper))
    return Levels(paper, noise, floor, float(ink))
