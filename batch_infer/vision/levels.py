"""Where paper ends and ink begins: thresholds from the histogram of a picture freed from its paper."""

from bisect import bisect_left
from typing import NamedTuple

from batch_infer.vision.pixels import Grey, histogram_of, otsu

MIN_CONTRAST = 0.03  # of the way from paper to full ink; fainter marks than this are paper
NOISE_SIGMAS = 5.0  # a mark must stand out of the paper's noise by this much
TWO_CLASSES = 0.8  # of the variance explained by two levels; grain alone has 0.64: what is above Otsu's level is ink
INK_SHARE = 0.3  # of full ink: what is at least that dark belongs to a mark


class Levels(NamedTuple):
    """Levels 0 … 255 of a picture freed from its paper: its grain's standard deviation is `noise`."""

    paper: float
    noise: float
    threshold: float
    ink: float


def levels(lifted: Grey, noise: float | None = None) -> Levels | None:
    """Find the paper's level, the threshold and the ink's level in a picture freed from its paper.

    Args:
        lifted: (H, W) uint8 from `paper.lift`.
        noise: the grain's standard deviation, if the paper is known to be at 0; None: both are measured here.

    Returns:
        The levels; None where nothing stands out of the paper.
    """
    histogram = histogram_of(lifted)
    up_to: list[int] = histogram.cumsum().tolist()  # how many pixels have at most this level
    paper, highest = 0, 255.0
    if noise is None:
        split, explained = otsu(histogram)
        half = (up_to[split] + 1) // 2
        paper = bisect_left(up_to, half)
        # The median deviation: the noise without the strokes' soft edges.
        deviation = 0
        while up_to[min(paper + deviation, split)] - (up_to[paper - deviation - 1] if deviation < paper else 0) < half:
            deviation += 1
        noise = 1.4826 * deviation
        if explained > TWO_CLASSES:
            highest = max(float(split), paper + 255 * MIN_CONTRAST)
    noise = max(noise, 0.5)
    floor = min(max(paper + NOISE_SIGMAS * noise, paper + 255 * MIN_CONTRAST), highest)
    ink = 0
    for _ in range(2):
        below = up_to[min(int(floor), 255)]
        if below == up_to[-1]:
            return None
        ink = bisect_left(up_to, below + 0.75 * (up_to[-1] - below))
        floor = max(floor, paper + INK_SHARE * (ink - paper))
    return Levels(float(paper), noise, floor, float(ink))
