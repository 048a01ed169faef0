"""One image file's bytes -> a grey picture, or the code that says why not."""

import contextlib
import io
import warnings
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile

from batch_infer.decoding.bit_depth import to_8_bit
from batch_infer.decoding.downscale import DETAIL_SIDE, shrink
from batch_infer.decoding.grayscale import to_grayscale
from batch_infer.decoding.limits import check_structure
from batch_infer.decoding.png_checks import check_checksums, check_rows
from batch_infer.errors import ImageError

MAX_PIXELS: Final = 50_000_000  # 4 bytes each in Pillow: 200 MB; the largest common telephone cameras have 50 million
MAX_WEBP_PIXELS: Final = 16_000_000  # its decoder holds four copies of 4 bytes a pixel
DRAFT_SIDE: Final = 512  # px; JPEG is decoded at the smallest scale that leaves both sides this long

FORMATS: Final = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "BMP": (b"BM",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "PPM": tuple(
        b"P" + kind + end for kind in (b"1", b"2", b"3", b"4", b"5", b"6", b"f") for end in (b"\n", b" ", b"\r", b"\t")
    ),
}
UNSUPPORTED: Final = {  # known, and left out: for the log
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "PostScript": (b"%!PS", b"\xc5\xd0\xd3\xc6"),
    "PDF": (b"%PDF",),
    "PSD": (b"8BPS",),
    "JPEG 2000": (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
    "JPEG XL": (b"\xff\x0a", b"\0\0\0\x0cJXL "),
    "ICO": (b"\0\0\1\0",),
    "ZIP": (b"PK\3\4",),
    "gzip": (b"\x1f\x8b",),
    "HTML": (b"<!DOCTYPE", b"<html"),
    "SVG": (b"<svg", b"<?xml"),
}
# Where a whole file of the format ends; only looked at when decoding failed.
END_MARKERS: Final = {"PNG": b"IEND", "JPEG": b"\xff\xd9", "GIF": b"\x3b"}
ROTATION_KEYS: Final = frozenset({"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"})
ORIENTATION: Final = 0x0112  # the EXIF tag


class Picture(NamedTuple):
    """A decoded file: `grey` (H, W) uint8, and whether the file held exactly one channel of 8 bits, not rotated."""

    grey: NDArray[np.uint8]
    one_channel: bool


def detect_format(data: bytes) -> str | None:
    """Detect a file's format by its first bytes, never by its name; None for an unknown one."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return "HEIC/AVIF"
    for table in (FORMATS, UNSUPPORTED):
        for name, starts in table.items():
            if data.startswith(starts):
                return name
    return None


def decode(data: bytes) -> Picture:
    """Decode one image file.

    Only the formats of the allow-list are handed to Pillow, each by its name, so no other plugin (and no program it
    might start) ever sees the bytes. The size in the header is checked before any pixel is decoded. Of several
    frames the first counts. EXIF rotation is applied.

    Args:
        data: the file's content.

    Raises:
        ImageError: empty, not_an_image, too_large, truncated, unreadable or non_finite.
    """
    if not data:
        raise ImageError("empty", "0 bytes")
    name = detect_format(data)
    if name is None or (name not in FORMATS and name != "WEBP"):
        raise ImageError(
            "not_an_image", f"{name or 'unknown format'}; expected PNG, JPEG, BMP, GIF, WebP or PBM/PGM/PPM"
        )
    check_structure(data, name)
    if name == "PNG":
        check_checksums(data)
    if name == "PNG" and _is_small_grey_png(data):
        # Whatever is wrong with it, the careful way below finds out and names it.
        with contextlib.suppress(Exception), PngImageFile(io.BytesIO(data)) as image:
            image.load()
            check_rows(image, data)
            if ROTATION_KEYS.isdisjoint(image.info):
                return Picture(np.asarray(image), one_channel=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return _decode(data, name)
        except ImageError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
            raise ImageError("too_large", "more pixels than can be decoded") from error
        except Exception as error:  # Pillow's plugins raise anything: ValueError, SyntaxError, struct.error, …
            reason = "its header cannot be read" if isinstance(error, UnidentifiedImageError) else str(error)
            detail = f"{name}: {' '.join(reason.split())[:120]}"
            raise ImageError("truncated" if _is_truncated(data, name, error) else "unreadable", detail) from error


def _is_small_grey_png(data: bytes) -> bool:
    """Whether a PNG, by its header, is 8-bit grey and at most 255 px a side (bytes 16-25 of every PNG)."""
    return (
        data[16:19] == b"\0\0\0" == data[20:23]
        and data[24:26] == b"\x08\x00"
        and b"tRNS" not in data
        and b"acTL" not in data  # Pillow warns about broken animations
    )


def _decode(data: bytes, name: str) -> Picture:
    with Image.open(io.BytesIO(data), formats=[name]) as image:
        width, height = image.size
        limit = MAX_WEBP_PIXELS if name == "WEBP" else MAX_PIXELS
        if width * height > limit:
            raise ImageError("too_large", f"{width}×{height} pixels; expected at most {limit:,}")
        if width < 1 or height < 1:
            raise ImageError("unreadable", f"{width}×{height} pixels")
        single = image.mode in {"L", "1"} and "transparency" not in image.info
        if name == "JPEG" and max(width, height) > DETAIL_SIDE:
            image.draft(image.mode, (DRAFT_SIDE, DRAFT_SIDE))
        image.load()
        if name == "PNG":
            check_rows(image, data)
        grey = _to_grayscale(image)
        turn = 1 if ROTATION_KEYS.isdisjoint(image.info) else _exif_orientation(image)
    return Picture(_undo_orientation(grey, turn), one_channel=single and turn == 1)


def _to_grayscale(image: Image.Image) -> NDArray[np.uint8]:
    """Reduce a loaded picture of any mode to (H, W) uint8."""
    factor = -(-max(image.size) // DETAIL_SIDE)
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        if image.mode == "F" and not np.isfinite(values).all():
            raise ImageError("non_finite", "NaN or infinity among the pixels")
        if factor > 1:
            # Averaging would need wider numbers than the pixels; every k-th pixel does for so fine a picture.
            values = values[::factor, ::factor]
        return to_8_bit(values.astype(np.uint16) if image.mode != "F" else values)
    if image.mode == "1":
        return shrink(np.asarray(image).astype(np.uint8) * np.uint8(255), DETAIL_SIDE)
    if image.mode == "L" and "transparency" not in image.info:
        return shrink(np.asarray(image), DETAIL_SIDE)
    transparent = image.mode in {"PA", "LA", "RGBA"} or "transparency" in image.info
    return to_grayscale(_convert_and_downscale(image, "RGBA" if transparent else "RGB", factor))


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


def _exif_orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 … 8; 1 where the metadata cannot be read (a picture is worth more than its notes)."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _undo_orientation(grey: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation (EXIF 2.3, section 4.6.4): from 5 on rows and columns are swapped."""
    if orientation >= 5:
        grey = grey.T
        orientation = {5: 1, 6: 2, 7: 3, 8: 4}[orientation]
    if orientation in {2, 3}:
        grey = grey[:, ::-1]
    if orientation in {3, 4}:
        grey = grey[::-1]
    return np.ascontiguousarray(grey)


def _is_truncated(data: bytes, name: str, error: Exception) -> bool:
    """Whether a file stops too early, as against being damaged otherwise."""
    message = str(error).lower()
    if isinstance(error, EOFError) or any(word in message for word in ("truncated", "eof", "not enough image data")):
        return True
    if name == "WEBP":
        return len(data) < int.from_bytes(data[4:8], "little") + 8
    if name == "BMP":
        return len(data) < int.from_bytes(data[2:6], "little")
    return name in END_MARKERS and END_MARKERS[name] not in data[-64:]
