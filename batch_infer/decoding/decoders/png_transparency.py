"""The transparent colour of a PNG without alpha channel, compared at the depth of its pixels (PNG, 11.3.1.1)."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from batch_infer.decoding.structure.png import COLOUR, Png

_STRIP = 1 << 20  # pixels compared at a time


def alpha_of(png: Png) -> Image.Image | None:
    """The alpha channel (mode L) of a truecolour PNG with 16 bits per sample and a transparent colour; None for others.

    Pillow keeps the upper 8 bits of such samples. Read as if their bytes were swapped, it keeps the lower ones.
    """
    if png.transparent is None or (png.colour, png.bits) != (COLOUR, 16):
        return None
    alpha = np.zeros((png.height, png.width), np.uint8)
    for layout, shift in (("RGB;16B", 8), ("RGB;16L", 0)):
        with PngImageFile(io.BytesIO(png.data)) as image:
            image.tile = [tile._replace(args=layout) for tile in image.tile]
            image.load()
            _mark_others(alpha, image, [sample >> shift & 255 for sample in png.transparent])
    return Image.fromarray(alpha)


def _mark_others(alpha: NDArray[np.uint8], image: Image.Image, colour: list[int]) -> None:
    """Set `alpha` (H, W) to 255 where an image of mode RGB has a different colour."""
    rows = max(1, _STRIP // image.width)
    wanted = np.array(colour, np.uint8)
    for top in range(0, image.height, rows):
        strip = np.asarray(image.crop((0, top, image.width, min(image.height, top + rows))))
        alpha[top : top + rows] |= (strip != wanted).any(axis=2) * np.uint8(255)


def pillow_value(png: Png) -> int | tuple[int, ...] | None:
    """What Pillow's `transparency` of the loaded image must be: Pillow scales grey samples of 1, 2 and 4 bits to 8."""
    if png.transparent is None or (png.colour, png.bits) == (COLOUR, 16):
        return None
    if png.colour == COLOUR:
        return png.transparent
    return png.transparent[0] * (255 // ((1 << png.bits) - 1) if png.bits < 8 else 1)
