"""Any grey picture of one digit -> MNIST's form: 28 x 28, light ink on black, 20 px long, centred by mass."""

import numpy as np
from numpy.typing import NDArray

from batch_infer.formed import is_mnist_formed
from batch_infer.vision.frame import unframed
from batch_infer.vision.ink import Ink, find_ink, ink_on
from batch_infer.vision.paper import MIN_RANGE, look
from batch_infer.vision.pixels import SMALL, shrink
from batch_infer.vision.place import SIDE, place
from batch_infer.vision.scale import grey_picture, to_bytes
from batch_infer.vision.sheet import plain_sheet

DETAIL_SIDE = 1024  # px; larger pictures are averaged down to that before anything else
WORK_SIDE = 320  # px; marks are searched in a picture of at most this size
CLOSE_SIDE = 100  # px; a digit found smaller than this is looked at again in the full picture


def normalize(picture: NDArray[np.generic]) -> NDArray[np.uint8] | None:
    """Bring a picture of one digit into MNIST's form.

    Args:
        picture: (H, W) bool, integer or float; any size, either polarity.

    Returns:
        (28, 28) uint8, light ink on black; None where no digit is seen (a blank sheet, noise alone).

    Raises:
        ValueError: no (H, W) array of real numbers, no pixel in it, or NaN or infinity.
    """
    image = shrink(to_bytes(grey_picture(picture)), DETAIL_SIDE)
    if int(image.max()) - int(image.min()) < MIN_RANGE:
        return None
    if image.shape == (SIDE, SIDE):
        for candidate in (image, 255 - image):
            if is_mnist_formed(candidate):
                return candidate
    ink = _find(image)
    return None if ink is None else place(ink.map)


def _find(image: NDArray[np.uint8]) -> Ink | None:
    """Find the digit in a picture of either polarity: the short way where the border tells it all, or the long one."""
    small = max(image.shape) <= SMALL
    if small and (sheet := plain_sheet(image)) is not None:
        return ink_on(sheet)
    inside = unframed(image)
    if small and inside is not image and (sheet := plain_sheet(inside)) is not None:
        return ink_on(sheet)
    seen = look(inside)
    light = 255 - inside if seen.dark_ink else inside
    work = shrink(light, WORK_SIDE)
    ink = find_ink(work, uneven=seen.uneven)
    return ink if ink is None or work is light else _closer(ink, light, work.shape[0], uneven=seen.uneven)


def _closer(ink: Ink, light: NDArray[np.uint8], height: int, *, uneven: bool) -> Ink:
    """Look closer at a digit that turned out small in a picture reduced to `height` px."""
    top, left, bottom, right = ink.box
    long_side = max(bottom - top, right - left)
    if long_side >= CLOSE_SIDE:
        return ink
    margin = long_side // 2
    scale = light.shape[0] / height
    cut = light[
        int(max(top - margin, 0) * scale) : int((bottom + margin) * scale),
        int(max(left - margin, 0) * scale) : int((right + margin) * scale),
    ]
    return find_ink(shrink(cut, WORK_SIDE), uneven=uneven) or ink
