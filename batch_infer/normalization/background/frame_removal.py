"""Cuts off what lies round the sheet in a picture: frame lines, a scanner's bed, the bars of a letterbox."""

import numpy as np

from batch_infer.normalization.image_ops import Grey, Mask, has_few_pixels, histogram_of, otsu

WHOLE = 0.95  # of its outermost line: a band is of one class
OVER = 0.9  # of a line: the band has ended where less is of its class
GONE = 0.25  # of a line: and right behind its end hardly anything is, for a band's edge is straight


def without_frame(image: Grey) -> Grey:
    """Cut off bands along the picture's sides: outer lines of one class that is the rarer one inside.

    Args:
        image: (H, W) uint8.

    Returns:
        The part inside the bands, or the same array when there are none.
    """
    if min(image.shape) < 12 or not has_few_pixels(image):
        return image
    light = image > otsu(histogram_of(image))[0]
    top, left = 0, 0
    bottom, right = light.shape
    for _ in range(2):  # twice: a band is as long as what other bands leave of the picture
        before = top, left, bottom, right
        top += _band(light[top:bottom, left:right])
        bottom -= _band(light[top:bottom, left:right][::-1])
        left += _band(light[top:bottom, left:right].T)
        right -= _band(light[top:bottom, left:right].T[::-1])
        if (top, left, bottom, right) == before:
            break
    if (bottom - top, right - left) == light.shape:
        return image
    return image[top:bottom, left:right]


def _band(light: Mask) -> int:
    """How many rows the band at the top of an (H, W) mask has; 0: there is none."""
    width = light.shape[1]
    outer = np.count_nonzero(light[0])
    if WHOLE * width > max(outer, width - outer):
        return 0
    share = np.count_nonzero(light, axis=1) / width
    if 2 * outer <= width:
        share = 1 - share
    ended = (share < OVER).nonzero()[0]
    if not len(ended):
        return 0
    end = int(ended[0])
    return 0 if share[end] > GONE or share[end:].mean() > 0.5 else end
