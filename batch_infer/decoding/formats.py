"""Which format a file has, by its first bytes: those that are decoded, and known ones that are not."""

from typing import Final

from batch_infer.decoding.structure.boxes import boxes_end
from batch_infer.first_bytes import GZIP, ZIP

# Photos among the files of boxes (ISO 14496-12), by the brands in their first box.
_BRANDS: Final = {
    "AVIF": frozenset({b"avif", b"avis"}),
    "HEIC": frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}),
    "camera raw (CR3)": frozenset({b"crx "}),
}
_MAX_BRANDS: Final = 64
TIFF_STARTS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two: BigTIFF
FORMATS: Final = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "BMP": (b"BM",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "TIFF": TIFF_STARTS,
    "PPM": tuple(
        b"P" + kind + end for kind in (b"1", b"2", b"3", b"4", b"5", b"6", b"f") for end in (b"\n", b" ", b"\r", b"\t")
    ),
}
UNSUPPORTED: Final = {  # recognized only to name them in the log
    "PostScript": (b"%!PS", b"\xc5\xd0\xd3\xc6"),
    "PDF": (b"%PDF",),
    "PSD": (b"8BPS",),
    "JPEG 2000": (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"),
    "JPEG XL": (b"\xff\x0a", b"\0\0\0\x0cJXL "),
    "JPEG XR": (b"II\xbc",),
    "camera raw": (b"FUJIFILMCCD-RAW", b"FOVb", b"IIRO", b"IIRS", b"IIU\0", b"MMOR"),
    "ICO": (b"\0\0\1\0",),
    "ZIP": (ZIP,),
    "gzip": (GZIP,),
    "HTML": (b"<!DOCTYPE", b"<html"),
    "SVG": (b"<svg", b"<?xml"),
}
_EXPECTED: Final = "expected PNG, JPEG, TIFF, BMP, GIF, WebP, AVIF, HEIC or PBM/PGM/PPM"
# What to do with pictures in formats that are not decoded.
_INSTEAD: Final = {
    **dict.fromkeys(("JPEG 2000", "JPEG XL", "JPEG XR", "PSD"), "which is not read; save it as PNG or JPEG"),
    **dict.fromkeys(("camera raw", "camera raw (CR3)"), "which is not read; develop it, and save it as PNG or JPEG"),
    **dict.fromkeys(("PDF", "PostScript", "SVG"), "which is not read; draw its pages as PNG"),
    "video (MP4)": "which is not read; save the picture in it as PNG or JPEG",
}
# How a complete file of the format ends; only checked when decoding failed.
_END_MARKERS: Final = {"PNG": b"IEND", "JPEG": b"\xff\xd9", "GIF": b"\x3b"}


def detect_format(data: bytes) -> str | None:
    """Detect a file's format by its first bytes, never by its name; None for an unknown one."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _format_of_boxes(data)
    for table in (FORMATS, UNSUPPORTED):
        for name, starts in table.items():
            if data.startswith(starts):
                return name
    return None


def describe_refusal(name: str | None) -> str:
    """Say what a file is that is not decoded, and what to do."""
    if name in _INSTEAD:
        return f"{name}, {_INSTEAD[name]}"
    return f"{name or 'unknown format'}; {_EXPECTED}"


def _format_of_boxes(data: bytes) -> str:
    """Tell photos from videos by the main brand, or else by the compatible ones (`mif1` is any picture)."""
    end = min(int.from_bytes(data[:4], "big"), 16 + 4 * _MAX_BRANDS)
    brands = [data[8:12], *(data[place : place + 4] for place in range(16, end - 3, 4))]
    for brand in brands:
        for name, known in _BRANDS.items():
            if brand in known:
                return name
    return "HEIC" if brands[0] in {b"mif1", b"msf1", b"miaf"} else "video (MP4)"


def is_truncated(data: bytes, name: str, error: Exception) -> bool:
    """Whether a file that could not be decoded is truncated, as opposed to damaged in another way."""
    message = str(error).lower()
    if isinstance(error, EOFError) or any(word in message for word in ("truncated", "eof", "not enough image data")):
        return True
    if name == "WEBP":
        return len(data) < int.from_bytes(data[4:8], "little") + 8
    if name in {"AVIF", "HEIC"}:
        return not boxes_end(data)
    if name == "BMP":
        return len(data) < int.from_bytes(data[2:6], "little")
    return name in _END_MARKERS and _END_MARKERS[name] not in data[-64:]
