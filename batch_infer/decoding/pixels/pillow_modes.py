"""A picture that Pillow has loaded, of any of its modes → one grey channel of 8 bits, averaged down if it is large."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from batch_infer.decoding.pixels.bit_depth import to_8_bit
from batch_infer.decoding.pixels.downscale import DETAIL_SIDE, shrink
from batch_infer.decoding.pixels.grayscale import to_grey
from batch_infer.decoding.pixels.low_levels import stretch_low
from batch_infer.errors import ImageError

_JPEG: Final = {"JPEG", "MPO"}  # Pillow's names


def loaded_to_grey(image: Image.Image) -> NDArray[np.uint8]:
    """Reduce a loaded picture of any mode to (H, W) uint8, averaged down if it is large."""
    if image.mode in {"I", "F"}:  # signed or of 32 bits, or a floating-point number: only a TIFF's
        return deep_to_grey(np.asarray(image))
    if image.mode == "LAB":
        return reduce_grey(np.asarray(image.getchannel(0)))
    if image.mode.startswith("I"):
        return deep_to_grey(np.asarray(image).astype(np.uint16), image.info.get("transparency"))
    if image.mode == "1" and "transparency" not in image.info:
        return shrink(np.asarray(image).astype(np.uint8) * np.uint8(255), DETAIL_SIDE)
    if image.mode == "L" and "transparency" not in image.info:
        grey = np.asarray(image)
        return shrink(grey, DETAIL_SIDE) if image.format in _JPEG else reduce_grey(grey)
    factor = -(-max(image.size) // DETAIL_SIDE)
    transparent = image.mode in {"PA", "LA", "La", "RGBA", "RGBa"} or "transparency" in image.info
    return to_grey(_convert_and_downscale(image, "RGBA" if transparent else "RGB", factor))


def reduce_grey(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Average a large picture down; one of a few levels next to black is stretched first, they would drown."""
    return shrink(stretch_low(grey), DETAIL_SIDE) if max(grey.shape) > DETAIL_SIDE else grey


def _convert_and_downscale(image: Image.Image, mode: str, factor: int) -> Image.Image:
    """Convert a picture and average it down, strip by strip: a converted copy of 50 megapixels takes 200 MB."""
    if factor == 1:
        return image.convert(mode) if image.mode != mode else image
    width, height = image.size
    small = Image.new(mode, (-(-width // factor), -(-height // factor)))
    for top in range(0, height, 64 * factor):
        strip = image.crop((0, top, width, min(height, top + 64 * factor)))
        small.paste((strip.convert(mode) if strip.mode != mode else strip).reduce(factor), (0, top // factor))
    return small


def deep_to_grey(values: NDArray[Any], transparent: int | None = None) -> NDArray[np.uint8]:
    """Reduce grey values (H, W) uint16 or float32, one of which may mean transparent, to (H', W') uint8."""
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ImageError("non_finite", "NaN or infinity among the pixels")
    factor = -(-max(values.shape) // DETAIL_SIDE)
    if factor > 1:
        # Averaging would need a wider type than the pixels'; every k-th pixel is enough for so fine a picture.
        values = values[::factor, ::factor]
    visible = np.ones(values.shape, np.bool_) if transparent is None else values != transparent
    if visible.all() or not visible.any():
        return to_8_bit(values)
    grey = to_8_bit(np.where(visible, values, values[visible][0]))
    alpha = visible * np.uint8(255)
    return to_grey(Image.merge("LA", (Image.fromarray(grey), Image.fromarray(alpha))))
