"""Where the background ends and ink begins: thresholds from the grey levels of a picture with light ink."""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from batch_infer.normalization.background.plain_background import MIN_ROOM, PlainBackground
from batch_infer.normalization.image_ops import Grey, histogram_of, otsu

WHITE = 255.0
MIN_CONTRAST = 0.03  # of the way from the background to white; fainter components than this are background
NOISE_SIGMAS = 5.0  # ink must stand out of the background's noise by this much
MIN_NOISE = 0.5  # levels; of rounding alone
TWO_CLASSES = 0.8  # of the variance explained by two levels; noise alone has 0.64: what is above Otsu's level is ink
INK_SHARE = 0.3  # of full ink: what is at least that strong belongs to a stroke


class Levels(NamedTuple):
    """Levels 0 … 255 of a picture with light ink; `noise` is the standard deviation of its background."""

    background: float
    noise: float
    threshold: float
    ink: float


def foreground_levels(foreground: Grey) -> Levels | None:
    """Find the background's level, the threshold and the ink's level where the background was subtracted.

    Args:
        foreground: (H, W) uint8 from `background.subtract_background`.

    Returns:
        The levels; None where nothing stands out of the background.
    """
    histogram = histogram_of(foreground)
    up_to: list[int] = histogram.cumsum().tolist()
    split, explained = otsu(histogram)
    half = (up_to[split] + 1) // 2
    background = bisect_left(up_to, half)
    # The median deviation: the noise without the strokes' soft edges.
    deviation = 0
    while (
        up_to[min(background + deviation, split)] - (up_to[background - deviation - 1] if deviation < background else 0)
        < half
    ):
        deviation += 1
    highest = max(float(split), background + WHITE * MIN_CONTRAST) if explained > TWO_CLASSES else WHITE
    return _levels(foreground, float(background), 1.4826 * deviation, WHITE, highest)


def plain_levels(plain: PlainBackground) -> Levels | None:
    """Find the threshold and the ink's level over a background whose level and noise are known; None as above."""
    return _levels(plain.light, plain.level, plain.noise, max(WHITE - plain.level, MIN_ROOM), WHITE)


def _levels(foreground: Grey, background: float, noise: float, room: float, highest: float) -> Levels | None:
    """Find the levels of an (H, W) uint8 picture.

    Args:
        foreground: the picture.
        background: the background's level.
        noise: the standard deviation of it.
        room: from background to white, in levels.
        highest: up to where the noise may push the threshold.
    """
    noise = max(noise, MIN_NOISE)
    floor = min(background + max(NOISE_SIGMAS * noise, MIN_CONTRAST * room), highest)
    above = foreground[foreground > int(floor)]
    if not len(above):
        return None
    above.sort(kind="stable")  # for bytes the fastest
    ink = _upper_quartile(above)
    floor = max(floor, background + INK_SHARE * (ink - background))
    ink = _upper_quartile(above[bisect_right(above.tobytes(), int(floor)) :])
    return Levels(background, noise, max(floor, background + INK_SHARE * (ink - background)), float(ink))


def _upper_quartile(ordered: Grey) -> int:
    """The level that a quarter of some ordered ones (n,), at least one, is above, at most."""
    return ordered.item((3 * len(ordered) - 1) // 4)
