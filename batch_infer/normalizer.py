"""Any grey picture of one digit -> MNIST's form: 28 x 28, light ink on black, 20 px long, centred by mass."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from batch_infer.vision.ink import Ink, find_ink
from batch_infer.vision.paper import look, unframed
from batch_infer.vision.pixels import shrink
from batch_infer.vision.scale import to_bytes

SIDE = 28
BOX = 20  # px; the longer side of a digit in MNIST
CENTRE = 14.5  # px from the edge; MNIST's centres of mass lie within half a pixel of pixel 14's middle
FINE = 4  # sub-pixels per pixel while strokes are measured and placed
WORK_SIDE = 320  # px; marks are searched in a picture of at most this size
CLOSE_SIDE = 100  # px; a digit found smaller than this is looked at again in the full picture
FULL_PIXELS = 12  # that many pixels of the result are white: MNIST's strokes are saturated inside
MIN_RANGE = 12  # levels between darkest and lightest: less is a blank sheet and its grain
THIN, THICK = 1.9, 3.6  # px of 20; strokes outside are brought to the nearer of the next two
THIN_GOAL, THICK_GOAL = 2.2, 3.2


def normalize(picture: NDArray[np.generic]) -> NDArray[np.uint8] | None:
    """Bring a picture of one digit into MNIST's form.

    Args:
        picture: (H, W) uint8, uint16 or float; any size, either polarity.

    Returns:
        (28, 28) uint8, light ink on black; None where no digit is seen (a blank sheet, noise alone).
    """
    image = to_bytes(picture)
    if int(image.max()) - int(image.min()) < MIN_RANGE:
        return None
    if image.shape == (SIDE, SIDE):
        for candidate in (image, 255 - image):
            if is_mnist_formed(candidate):
                return candidate
    image = unframed(image)
    seen = look(image)
    ink = _find(255 - image if seen.dark_ink else image, uneven=seen.uneven)
    return None if ink is None else place(ink.map)


def _find(light: NDArray[np.uint8], *, uneven: bool) -> Ink | None:
    """Find the digit in a reduced picture; look closer when it turns out small there."""
    work = shrink(light, WORK_SIDE)
    ink = find_ink(work, uneven=uneven)
    if ink is None or work is light:
        return ink
    top, left, bottom, right = ink.box
    long_side = max(bottom - top, right - left)
    if long_side >= CLOSE_SIDE:
        return ink
    margin = long_side // 2
    scale = light.shape[0] / work.shape[0]
    cut = light[
        int(max(top - margin, 0) * scale) : int((bottom + margin) * scale),
        int(max(left - margin, 0) * scale) : int((right + margin) * scale),
    ]
    return find_ink(shrink(cut, WORK_SIDE), uneven=uneven) or ink


def is_mnist_formed(image: NDArray[np.uint8]) -> bool:
    """Tell whether a picture already has MNIST's form, so that it must pass bit for bit.

    That is: 28 x 28; at least half of all pixels and nine tenths of the border exactly 0 (the paper is gone); a
    brightest pixel of at least 192; lit pixels (above 32) 16 to 24 px along the longer side; their centre of mass
    within 1.5 px of (14, 14). Every one of MNIST's 60,000 training images fulfils it with room to spare (border 94 %
    black, brightest 254, 18 to 20 px, 0.52 px off). The container and its mode do not matter, only the grey values.

    Args:
        image: (H, W) uint8.
    """
    if image.shape != (SIDE, SIDE):
        return False
    lit_border = sum(np.count_nonzero(line) for line in (image[0], image[-1], image[1:-1, 0], image[1:-1, -1]))
    if lit_border > 10 or 2 * np.count_nonzero(image) > image.size or int(image.max()) < 192:
        return False
    rows, columns = np.flatnonzero(image.max(1) > 32), np.flatnonzero(image.max(0) > 32)
    longest = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    total = float(image.sum())
    position = np.arange(SIDE)
    y, x = float(image.sum(1) @ position) / total, float(image.sum(0) @ position) / total
    return bool(16 <= longest <= 24 and abs(y - 14) <= 1.5 and abs(x - 14) <= 1.5)


def stroke_width(ink: NDArray[np.float32]) -> float:
    """Mean stroke width in px: twice the area over the outline's length (a stroke has two sides).

    The outline is the sum of steps along both axes over 4 / pi, their mean ratio for edges of any direction.
    """
    padded = np.zeros((ink.shape[0] + 2, ink.shape[1] + 2), dtype=np.float32)
    padded[1:-1, 1:-1] = ink
    outline = float(np.abs(padded[1:] - padded[:-1]).sum()) + float(np.abs(padded[:, 1:] - padded[:, :-1]).sum())
    return 2 * float(ink.sum()) / max(outline * (np.pi / 4), 1e-6)


def place(ink: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Scale an ink map into 20 x 20, even out its stroke width, and centre it by mass in 28 x 28.

    Args:
        ink: (h, w) float32, 0 … 1, cut to the digit (up to a few px of margin).

    Returns:
        (28, 28) uint8.
    """
    top, bottom = _extent(ink.max(1))
    left, right = _extent(ink.max(0))
    long_side = max(bottom - top, right - left)
    scale = BOX / long_side
    width = stroke_width(ink) * scale
    change = 0
    if width < THIN:
        change = round((THIN_GOAL - width) / 2 * FINE)
    elif width > THICK:
        change = -round(min((width - THICK_GOAL) / 2, width / 4) * FINE)
    scale = (BOX * FINE - 2 * change) / long_side
    high, wide = max(1, round((bottom - top) * scale)), max(1, round((right - left) * scale))
    fine = Image.fromarray(ink).resize((wide, high), Image.Resampling.BILINEAR, box=(left, top, right, bottom))
    canvas = np.zeros((high + 2 * abs(change), wide + 2 * abs(change)), dtype=np.float32)
    canvas[abs(change) : abs(change) + high, abs(change) : abs(change) + wide] = np.asarray(fine)
    if change:
        canvas = _thicken(canvas, change)
    sheet = _centred(canvas)
    coarse = sheet.reshape(SIDE, FINE, SIDE * FINE).sum(1).reshape(SIDE * SIDE, FINE).sum(1)
    peak = float(np.partition(coarse, -FULL_PIXELS)[-FULL_PIXELS])
    full: NDArray[np.uint8] = np.minimum(coarse * (255 / max(peak, 1e-3)) + 0.5, 255).astype(np.uint8)
    return full.reshape(SIDE, SIDE)


def _extent(profile: NDArray[np.float32]) -> tuple[float, float]:
    """Where a profile 0 … 1 begins and ends, a half-covered pixel counting half."""
    full = np.flatnonzero(profile > 0.15)
    if not len(full):
        return 0.0, float(len(profile))
    first, last = int(full[0]), int(full[-1])
    return first + 1 - float(profile[first]), last + float(profile[last]) if last > first else first + 1.0


def _thicken(canvas: NDArray[np.float32], change: int) -> NDArray[np.float32]:
    """Widen (or, for a negative change, narrow) strokes by `change` px on either side, with a round pen."""
    radius = abs(change)
    source = canvas if change > 0 else -canvas
    high, wide = source.shape
    padded = np.zeros((high + 2 * radius, wide + 2 * radius), dtype=np.float32)
    padded[radius:-radius, radius:-radius] = source
    result = source.copy()
    for down in range(-radius, radius + 1):
        reach = int((radius * radius - down * down + radius * 0.5) ** 0.5)
        for across in range(-reach, reach + 1):
            np.maximum(
                result,
                padded[radius + down : radius + down + high, radius + across : radius + across + wide],
                out=result,
            )
    return result if change > 0 else -result


def _centred(canvas: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put a digit on an empty fine sheet so that its centre of mass lies at MNIST's, as far as there is room."""
    size = SIDE * FINE
    sheet = np.zeros((size, size), dtype=np.float32)
    total = float(canvas.sum())
    spans = []
    for axis in (0, 1):
        length = canvas.shape[axis]
        centre = float(canvas.sum(1 - axis) @ (np.arange(length) + 0.5)) / total
        spans.append(min(max(round(CENTRE * FINE - centre), 0), max(size - length, 0)))
    high, wide = min(canvas.shape[0], size), min(canvas.shape[1], size)
    sheet[spans[0] : spans[0] + high, spans[1] : spans[1] + wide] = canvas[:high, :wide]
    return sheet
