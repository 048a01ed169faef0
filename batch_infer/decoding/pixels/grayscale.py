"""A colour or transparent picture → the one grey channel in which ink and background differ most."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

GREY_SPREAD = 16  # levels; channels that stay this close are grey with a camera's or JPEG's tint
GREY_SHARE = 0.005  # of the pixels may differ by more
SAMPLE_SIDE = 128  # px; colours are weighed in a picture of at most this size
INK_SPREAD = 24.0  # levels; visible pixels that vary less are one flat colour, the drawing is in the alpha


def to_grey(image: Image.Image) -> NDArray[np.uint8]:
    """Turn a picture into one channel.

    Args:
        image: mode L, LA, RGB or RGBA.

    Returns:
        (H, W) uint8: the channel itself where there is only one (also stored three times), else see `project`
        and `flatten_alpha`. Polarity is not decided here.
    """
    if image.mode in {"LA", "RGBA"}:
        return flatten_alpha(image)
    if image.mode == "L":
        return np.asarray(image)
    return project(np.asarray(image))


def project(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Project an RGB picture on the colour direction along which the ink differs from its surroundings.

    The direction is the first principal component of the picture minus its own blur: lighting changes slowly and
    drops out, so blue ink on yellow paper is separated by blue against yellow even where both are equally bright.

    Args:
        pixels: (H, W, 3) uint8.

    Returns:
        (H, W) uint8.
    """
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    if np.array_equal(red, green) and np.array_equal(red, blue):
        return np.ascontiguousarray(red)
    image = Image.fromarray(pixels)
    small = image.reduce(-(-max(image.size) // SAMPLE_SIDE)) if max(image.size) > SAMPLE_SIDE else image
    sample = np.asarray(small)
    if _is_nearly_grey(sample):
        return np.asarray(image.convert("L"))
    blur = np.asarray(small.filter(ImageFilter.BoxBlur(max(small.size) / 6)))
    detail = np.subtract(sample, blur, dtype=np.float32).reshape(-1, 3)
    direction = np.linalg.eigh(detail.T @ detail)[1][:, -1]
    direction *= np.sign(direction[np.argmax(np.abs(direction))])
    weights = direction.astype(np.float32)
    values = red * weights[0]
    values += green * weights[1]
    values += blue * weights[2]
    low, high = float(values.min()), float(values.max())
    values -= np.float32(low)
    values *= np.float32(255 / max(high - low, 1e-3))
    return np.rint(values, out=values).astype(np.uint8)


def _is_nearly_grey(pixels: NDArray[np.uint8]) -> bool:
    """Tell whether the channels (H, W, 3) of nearly all pixels stay close."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    return bool(np.count_nonzero(spread > GREY_SPREAD) <= GREY_SHARE * spread.size)


def flatten_alpha(image: Image.Image) -> NDArray[np.uint8]:
    """Turn a picture with transparency into one grey channel.

    A flat colour under a varied alpha is a drawing kept in its alpha (whether black or white on transparent): the
    alpha is the ink. Otherwise the visible pixels are a picture: what is transparent gets the background's colour.

    Args:
        image: mode LA or RGBA.

    Returns:
        (H, W) uint8.
    """
    *_, alpha_band = image.split()
    alpha = np.asarray(alpha_band)
    opaque = image.convert("RGB")
    if alpha.min() == alpha.max():
        return project(np.asarray(opaque))
    grey = np.asarray(opaque.convert("L"), dtype=np.float32)
    visible = alpha >= max(int(alpha.max()) // 2, 1)
    inside = grey[visible]
    low, high = np.quantile(inside, (0.02, 0.98))
    if high - low < INK_SPREAD or visible.mean() < 0.3:
        return alpha
    paper = Image.new("RGB", image.size)
    levels = [int(np.median(np.asarray(band)[visible])) for band in opaque.split()]
    paper.paste(tuple(levels), (0, 0, *image.size))
    paper.paste(opaque, mask=alpha_band)
    return project(np.asarray(paper))
