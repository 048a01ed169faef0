"""Cuts off what lies round the sheet in a picture: frame lines, a scanner's bed, the bars of a letterbox."""

import numpy as np

from batch_infer.decoding.pixels.downscale import shrink
from batch_infer.normalization.image_ops import Grey, Mask, has_few_pixels, histogram_of, otsu

COARSE_SIDE = 256  # px; bands are searched in a picture of at most this size
WHOLE = 0.95  # of its outermost line: a band is of one class
OVER = 0.9  # of a line: the band has ended where less is of its class
GONE = 0.25  # of a line: and right behind its end hardly anything is, for a band's edge is straight
EVEN = 0.1  # of the range: standard deviation along the rows of a band
BLUR = 2  # px beside a band's edge that are of both
LEAST = 8  # px; what is left is at least so long
CONTRAST = 24  # levels; what is left holds more than an even sheet


def without_frame(image: Grey) -> Grey:
    """Cut off bands along the picture's sides: outer lines of one class that is the rarer one inside.

    Args:
        image: (H, W) uint8.

    Returns:
        The part inside the bands, or the same array when there are none.
    """
    if min(image.shape) < 12:
        return image
    coarse = shrink(image, COARSE_SIDE)
    light = coarse > otsu(histogram_of(coarse))[0]
    blur = 0 if has_few_pixels(image) else BLUR
    top, left = 0, 0
    bottom, right = light.shape
    for _ in range(2):  # twice: a band is as long as what other bands leave of the picture
        part = (slice(top, bottom), slice(left, right))
        top += _band(light[part], coarse[part], blur)
        part = (slice(top, bottom), slice(left, right))
        bottom -= _band(light[part][::-1], coarse[part][::-1], blur)
        part = (slice(top, bottom), slice(left, right))
        left += _band(light[part].T, coarse[part].T, blur)
        part = (slice(top, bottom), slice(left, right))
        right -= _band(light[part].T[::-1], coarse[part].T[::-1], blur)
    if (bottom - top, right - left) == light.shape:
        return image
    scale = -(-max(image.shape) // COARSE_SIDE)
    inside = image[top * scale : bottom * scale, left * scale : right * scale]
    return inside if int(inside.max()) - int(inside.min()) >= CONTRAST else image


def _band(light: Mask, levels: Grey, blur: int) -> int:
    """How many rows the band at the top of an (H, W) picture and its mask has; 0: there is none."""
    height, width = light.shape
    outer = np.count_nonzero(light[0])
    if WHOLE * width > max(outer, width - outer):
        return 0
    share = np.count_nonzero(light, axis=1) / width
    if 2 * outer <= width:
        share = 1 - share
    ended = (share < OVER).nonzero()[0]
    if not len(ended):
        return 0
    end = int(ended[0]) + blur
    if height - end < LEAST or share[end] > GONE or share[end:].mean() > 0.5:
        return 0
    # In a shadow's band there may be the digit: then its rows are not even.
    uneven = float(levels[: end - blur].std(1).max()) if end > blur else 0.0
    return 0 if uneven > EVEN * (int(levels.max()) - int(levels.min())) else end
