"""Pictures averaged down in whole blocks, to no more pixels than a digit needs."""

from typing import Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

DETAIL_SIDE: Final = 1024  # px; larger pictures are first averaged down to this


def shrink(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Average whole blocks so that the longer side is at most `side`.

    Args:
        image: (H, W) uint8.
        side: the longest side wanted, in px.

    Returns:
        (H', W') uint8; the same array if it is small enough. Inverting before or after gives the same picture
        (halves are rounded towards the middle of the scale), except for a mean of 127.5.
    """
    height, width = image.shape
    factor = -(-max(height, width) // side)
    if factor <= 1:
        return image
    down, across = min(factor, height), min(factor, width)
    height, width = height // down * down, width // across * across
    area = down * across
    kind: DTypeLike = np.uint16 if area <= 256 else np.uint32  # 255.5 times the area must fit
    # Rows first, slice by slice: many times faster than summing within rows.
    rows = image[:height:down].astype(kind)
    for row in range(1, down):
        rows += image[row:height:down]
    total = rows[:, :width:across].copy()
    for column in range(1, across):
        total += rows[:, column:width:across]
    # Half is added below the middle and half less one above: so 255 - x gives 255 - result, for every x.
    below = total < 255 * area / 2 if area % 2 == 0 else None
    total += (area - 1) // 2
    if below is not None:
        total += below
    total //= area
    return total.astype(np.uint8)
