"""The general decoder: an image file of any of the formats → a grey picture, or the code that says why not."""

import contextlib
import io
import re
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

import numpy as np
from PIL import Image, ImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from batch_infer.decoding.decoders.avif import decode_avif
from batch_infer.decoding.decoders.heic import decode_heic
from batch_infer.decoding.decoders.png import Picture, decode_plain
from batch_infer.decoding.decoders.png_checks import check_rows
from batch_infer.decoding.decoders.png_transparency import alpha_of, pillow_value
from batch_infer.decoding.decoders.pnm import decode_pnm
from batch_infer.decoding.decoders.tiff import decode_tiff
from batch_infer.decoding.formats import describe_refusal, detect_format, is_truncated
from batch_infer.decoding.pixels.downscale import DETAIL_SIDE
from batch_infer.decoding.pixels.orientation import UPRIGHT, Metadata, orientation_of, undo_orientation
from batch_infer.decoding.pixels.pillow_modes import deep_to_grey, loaded_to_grey, reduce_grey
from batch_infer.decoding.structure.jpeg import read_jpeg
from batch_infer.decoding.structure.limits import MAX_PIXELS, check_size, check_structure
from batch_infer.decoding.structure.png import read_png
from batch_infer.decoding.structure.webp import canvas_size
from batch_infer.downloads import describe_download
from batch_infer.errors import ImageError

DRAFT_SIDE: Final = 512  # px; JPEG is decoded at the smallest scale that leaves both sides this long

_PLUGINS: Final[dict[str, type[ImageFile.ImageFile]]] = {
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
}


def decode_any(data: bytes, page: int | None = None) -> Picture:
    """Decode one image file.

    Only the formats of the allow-list are handed to Pillow, each to its own plugin, so no other (and no program it
    might start) ever sees the bytes. The size in the header is checked before any pixel is decoded, and a file
    that declares two sizes is refused. Only the first of several frames is used. EXIF rotation is applied.

    Args:
        data: content of the file.
        page: which page of a TIFF, from 0; None for the only one.

    Raises:
        ImageError: empty, not_an_image, too_large, truncated, unreadable or non_finite.
    """
    if not data:
        raise ImageError("empty", "0 bytes")
    name = detect_format(data)
    if name is None or (name != "TIFF" and name not in _DECODERS):
        raise ImageError("not_an_image", describe_download(data) or describe_refusal(name))
    try:
        check_structure(data, name)
        return decode_tiff(data, page) if name == "TIFF" else _DECODERS[name](data)
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        pixels = int(next(iter(re.findall(r"[0-9]+", str(error))), "0"))  # Pillow's words begin with their number
        raise ImageError("too_large", f"{pixels:,} pixels; expected at most {MAX_PIXELS:,}") from error
    except MemoryError as error:
        raise ImageError("too_large", "not enough memory to decode it") from error
    except Exception as error:  # Pillow's plugins raise anything: ValueError, SyntaxError, struct.error, …
        if "out of memory" in str(error):  # raised by Pillow's own decoders
            raise ImageError("too_large", "not enough memory to decode it") from error
        reason = "its header cannot be read" if isinstance(error, SyntaxError) else str(error)
        detail = f"{name}: {' '.join(reason.split())[:120]}"
        raise ImageError("truncated" if is_truncated(data, name, error) else "unreadable", detail) from error


def _decode_plainly(data: bytes, name: str) -> Picture:
    """Decode a BMP, GIF or WebP."""
    metadata = Metadata()
    if name == "WEBP" and (size := canvas_size(data)):
        check_size(*size, name)
    with _opened(data, name) as image:
        single = image.mode in {"L", "1"} and "transparency" not in image.info
        image.load()
        grey = loaded_to_grey(image)
        if name == "WEBP":
            metadata = Metadata(image.info.get("exif", b""), image.info.get("xmp", b""))
    orientation = orientation_of(metadata)
    lossy = name == "WEBP" and b"VP8L" not in data  # the chunk of lossless pixels
    return Picture(undo_orientation(grey, orientation), one_channel=single and orientation == UPRIGHT, lossy=lossy)


def _decode_jpeg(data: bytes) -> Picture:
    jpeg = read_jpeg(data)
    scale = _draft_scale(jpeg.width, jpeg.height)
    if jpeg.one_scan:  # decoded row by row: only what comes out takes memory
        check_size(jpeg.width, jpeg.height, "JPEG", scale)
    else:
        check_size(jpeg.width, jpeg.height, "JPEG")
    orientation = orientation_of(jpeg.metadata)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with JpegImageFile(io.BytesIO(jpeg.data)) as image:  # not Image.open: its limit counts all pixels
            if image.size != (jpeg.width, jpeg.height):
                raise ImageError("unreadable", "JPEG: its size cannot be read")
            single = image.mode == "L"
            if scale > 1:
                image.draft(image.mode, (DRAFT_SIDE, DRAFT_SIDE))
            image.load()
            grey = loaded_to_grey(image)
    upright = orientation == UPRIGHT
    return Picture(undo_orientation(grey, orientation), one_channel=single and upright, lossy=True)


def _draft_scale(width: int, height: int) -> int:
    """The scale at which Pillow decodes a large JPEG when it is asked for DRAFT_SIDE: 1, 2, 4 or 8."""
    if max(width, height) <= DETAIL_SIDE:
        return 1
    most = min(width, height) // DRAFT_SIDE
    return next((scale for scale in (8, 4, 2) if scale <= most), 1)


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
        grey = loaded_to_grey(image)
    return Picture(undo_orientation(grey, orientation), one_channel=single and orientation == UPRIGHT)


def _decode_pnm(data: bytes) -> Picture:
    values = decode_pnm(data)
    if values.ndim == 3:
        return Picture(loaded_to_grey(Image.fromarray(values)), one_channel=False)
    if values.dtype == np.uint8:
        return Picture(reduce_grey(values), one_channel=True)
    return Picture(deep_to_grey(values), one_channel=False)


@contextlib.contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    """Open a file with Pillow's plugin for one format, if the picture is not too large; warnings are suppressed.

    Not with Image.open: its limit counts other pixels, and does not say how many.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with _PLUGINS[name](io.BytesIO(data)) as image:
            check_size(*image.size, name)  # checked again: this is the size that memory is allocated for
            yield image


_DECODERS: Final[dict[str, Callable[[bytes], Picture]]] = {
    "PNG": _decode_png,
    "JPEG": _decode_jpeg,
    "PPM": _decode_pnm,
    "AVIF": decode_avif,
    "HEIC": decode_heic,
    **{name: partial(_decode_plainly, name=name) for name in ("BMP", "GIF", "WEBP")},
}
