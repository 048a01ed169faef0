"""The general decoder: an image file of any of the formats → a grey picture, or the code that says why not."""

import contextlib
import io
import warnings
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from batch_infer.decoding.bit_depth import to_8_bit
from batch_infer.decoding.downscale import DETAIL_SIDE, shrink
from batch_infer.decoding.formats import FORMATS, detect_format, is_truncated
from batch_infer.decoding.grayscale import to_grey
from batch_infer.decoding.limits import check_size, check_structure
from batch_infer.decoding.low_levels import stretch_low
from batch_infer.decoding.orientation import UPRIGHT, Metadata, orientation_of, undo_orientation
from batch_infer.decoding.png import Picture, decode_plain
from batch_infer.decoding.png_checks import check_rows
from batch_infer.decoding.png_transparency import alpha_of, pillow_value
from batch_infer.decoding.pnm.decode import decode_pnm
from batch_infer.decoding.structure.jpeg import read_jpeg
from batch_infer.decoding.structure.png import read_png
from batch_infer.decoding.structure.webp import canvas_size
from batch_infer.downloads import describe_download
from batch_infer.errors import ImageError

_JPEG: Final = {"JPEG", "MPO"}  # Pillow's names
DRAFT_SIDE: Final = 512  # px; JPEG is decoded at the smallest scale that leaves both sides this long


def decode_any(data: bytes) -> Picture:
    """Decode one image file.

    Only the formats of the allow-list are handed to Pillow, each by its name, so no other plugin (and no program it
    might start) ever sees the bytes. The size in the header is checked before any pixel is decoded, and a file
    that declares two sizes is refused. Only the first of several frames is used. EXIF rotation is applied.

    Args:
        data: content of the file.

    Raises:
        ImageError: empty, not_an_image, too_large, truncated, unreadable or non_finite.
    """
    if not data:
        raise ImageError("empty", "0 bytes")
    name = detect_format(data)
    if name is None or (name not in FORMATS and name != "WEBP"):
        what = describe_download(data)
        if what:
            raise ImageError("not_an_image", what)
        raise ImageError(
            "not_an_image", f"{name or 'unknown format'}; expected PNG, JPEG, BMP, GIF, WebP or PBM/PGM/PPM"
        )
    try:
        check_structure(data, name)
        return _decode(data, name)
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError("too_large", "more pixels than can be decoded") from error
    except MemoryError as error:
        raise ImageError("too_large", "not enough memory to decode it") from error
    except Exception as error:  # Pillow's plugins raise anything: ValueError, SyntaxError, struct.error, …
        if "out of memory" in str(error):  # raised by Pillow's own decoders
            raise ImageError("too_large", "not enough memory to decode it") from error
        reason = "its header cannot be read" if isinstance(error, UnidentifiedImageError) else str(error)
        detail = f"{name}: {' '.join(reason.split())[:120]}"
        raise ImageError("truncated" if is_truncated(data, name, error) else "unreadable", detail) from error


def _decode(data: bytes, name: str) -> Picture:
    if name == "PPM":
        return _decode_pnm(data)
    if name == "PNG":
        return _decode_png(data)
    metadata = Metadata()
    if name == "JPEG":
        data, width, height, metadata = read_jpeg(data)
        check_size(width, height, name)
    elif name == "WEBP" and (size := canvas_size(data)):
        check_size(*size, name)
    with _opened(data, name) as image:
        single = image.mode in {"L", "1"} and "transparency" not in image.info
        if name == "JPEG" and max(image.size) > DETAIL_SIDE:
            image.draft(image.mode, (DRAFT_SIDE, DRAFT_SIDE))
        image.load()
        grey = _loaded_to_grey(image)
        if name == "WEBP":
            metadata = Metadata(image.info.get("exif", b""), image.info.get("xmp", b""))
    orientation = orientation_of(metadata)
    lossy = name == "JPEG" or (name == "WEBP" and b"VP8L" not in data)  # the chunk of lossless pixels
    return Picture(undo_orientation(grey, orientation), one_channel=single and orientation == UPRIGHT, lossy=lossy)


def _decode_png(data: bytes) -> Picture:
    png = read_png(data)
    check_size(png.width, png.height, "PNG")
    orientation = orientation_of(png.metadata)
    if orientation == UPRIGHT and png.transparent is None and (plain := decode_plain(png.data)) is not None:
        return plain  # what else the file had are metadata, and those were stripped
    alpha = alpha_of(png)  # first: it takes as much memory as the picture
    with _opened(png.data, "PNG") as image:
        image.load()
        check_rows(image, png.data)
        transparent = pillow_value(png)
        if transparent is not None:
            image.info["transparency"] = transparent
        if alpha is not None:
            image.putalpha(alpha)
        single = image.mode in {"L", "1"} and "transparency" not in image.info
        grey = _loaded_to_grey(image)
    return Picture(undo_orientation(grey, orientation), one_channel=single and orientation == UPRIGHT)


def _decode_pnm(data: bytes) -> Picture:
    values = decode_pnm(data)
    if values.ndim == 3:
        return Picture(_loaded_to_grey(Image.fromarray(values)), one_channel=False)
    if values.dtype == np.uint8:
        return Picture(_reduce(values), one_channel=True)
    return Picture(_deep_to_grey(values), one_channel=False)


@contextlib.contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    """Open a file with Pillow's plugin for one format, if the picture is not too large; warnings are suppressed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(data), formats=[name]) as image:
            check_size(*image.size, name)  # checked again: this is the size that memory is allocated for
            yield image


def _loaded_to_grey(image: Image.Image) -> NDArray[np.uint8]:
    """Reduce a loaded picture of any mode to (H, W) uint8, averaged down if it is large."""
    if image.mode.startswith("I"):
        return _deep_to_grey(np.asarray(image).astype(np.uint16), image.info.get("transparency"))
    if image.mode == "1" and "transparency" not in image.info:
        return shrink(np.asarray(image).astype(np.uint8) * np.uint8(255), DETAIL_SIDE)
    if image.mode == "L" and "transparency" not in image.info:
        grey = np.asarray(image)
        return shrink(grey, DETAIL_SIDE) if image.format in _JPEG else _reduce(grey)
    factor = -(-max(image.size) // DETAIL_SIDE)
    transparent = image.mode in {"PA", "LA", "RGBA"} or "transparency" in image.info
    return to_grey(_convert_and_downscale(image, "RGBA" if transparent else "RGB", factor))


def _reduce(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
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


def _deep_to_grey(values: NDArray[Any], transparent: int | None = None) -> NDArray[np.uint8]:
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
