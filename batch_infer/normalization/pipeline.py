"""Any grey picture of one digit -> MNIST's format: 28 x 28, light ink on black, 20 px long, centred by mass."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from batch_infer.decoding.bit_depth import check_grey, to_8_bit
from batch_infer.decoding.downscale import DETAIL_SIDE, shrink
from batch_infer.decoding.low_levels import stretch_low
from batch_infer.normalization.background import MIN_RANGE, look
from batch_infer.normalization.foreground import Ink, find_ink, ink_on
from batch_infer.normalization.frame_removal import unframed
from batch_infer.normalization.image_ops import SMALL, Grey
from batch_infer.normalization.mnist_format import mnist_format_mask
from batch_infer.normalization.page.detection import page_of
from batch_infer.normalization.plain_background import plain_sheet
from batch_infer.normalization.resample import SIDE, place

WORK_SIDE = 320  # px; marks are searched in a picture of at most this size
MISTAKEN = 2.0  # times as sharp must the outline of what the other polarity finds be
SOLID = 0.45  # of its box: few digits fill so much of it
CLOSE_SIDE = 100  # px; a digit found smaller than this is looked at again in the full picture
_POLARITIES = np.array([0, 255], np.uint8).reshape(2, 1, 1)  # XOR leaves or inverts


def normalize(picture: NDArray[np.generic]) -> NDArray[np.uint8] | None:
    """Bring a picture of one digit into MNIST's format.

    Args:
        picture: (H, W) bool, integer or float; any size, either polarity. Levels of 0 … 8 at most are stretched.

    Returns:
        (28, 28) uint8, light ink on black; None where no digit is seen (a blank sheet, noise alone).

    Raises:
        ValueError: no (H, W) array of real numbers, no pixel in it, NaN or infinity, or a digit's 784 pixels in a line
            (1×784 or 784×1).
    """
    image = shrink(stretch_low(to_8_bit(check_grey(picture))), DETAIL_SIDE)
    if int(image.max()) - int(image.min()) < MIN_RANGE:
        return None
    if image.shape == (SIDE, SIDE):
        candidates = image ^ _POLARITIES
        formatted = candidates[mnist_format_mask(candidates)]
        if len(formatted):
            return formatted[0]
    ink = _find(image)
    return None if ink is None else place(ink.map)


def _find(image: Grey) -> Ink | None:
    """Find the digit in a picture of either polarity: the short way where the border tells it all, or the long one."""
    work = shrink(image, WORK_SIDE)
    ink = _on_plain_sheet(work)
    # A sheet on a plain desk looks like a solid mark. (Small pictures show no desk, and their time is short.)
    if max(work.shape) > SMALL and (ink is None or float(ink.map.mean()) > SOLID):
        page = page_of(image)
        if page is not image:
            image, work = page, shrink(page, WORK_SIDE)
            ink = _on_plain_sheet(work)
    if ink is not None:
        return _closer(ink, image, work, _on_plain_sheet)
    inside = unframed(image)
    if inside is not image and max(image.shape) <= SMALL and (ink := _on_plain_sheet(inside)) is not None:
        return ink
    seen = look(inside)
    light = 255 - inside if seen.dark_ink else inside
    work = shrink(light, WORK_SIDE)
    find = partial(find_ink, uneven=seen.uneven)
    ink = find(work)
    if seen.uneven and (ink is None or MISTAKEN * ink.sharpness < 1):
        # The look may have taken light for paper and shade for ink; strokes are sharper than either.
        other = find(255 - work)
        if other is not None and (ink is None or other.sharpness > MISTAKEN * ink.sharpness):
            ink, light, work = other, 255 - light, 255 - work
    return None if ink is None else _closer(ink, light, work, find)


def _on_plain_sheet(image: Grey) -> Ink | None:
    sheet = plain_sheet(image)
    return None if sheet is None else ink_on(sheet)


def _closer(ink: Ink, image: Grey, work: Grey, find: Callable[[Grey], Ink | None]) -> Ink:
    """Find a digit that turned out small in `work` again, in the picture that was reduced to that."""
    top, left, bottom, right = ink.box
    long_side = max(bottom - top, right - left)
    if work.shape == image.shape or long_side >= CLOSE_SIDE:
        return ink
    margin = long_side // 2
    # Each axis has its own scale: a strip is reduced by no more rows than it has, and what is left over of the division
    # by whole blocks weighs more in the shorter side. Where the margin takes up the difference the rows' scale serves
    # for both, as it always did: ordinary pictures keep their results, bit for bit.
    down, across = image.shape[0] / work.shape[0], image.shape[1] / work.shape[1]
    if abs(down - across) * right < margin / 2:
        across = down
    cut = image[
        int(max(top - margin, 0) * down) : int((bottom + margin) * down),
        int(max(left - margin, 0) * across) : int((right + margin) * across),
    ]
    return find(shrink(cut, WORK_SIDE)) or ink
