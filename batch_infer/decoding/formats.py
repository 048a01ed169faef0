"""Which format a file has, by its first bytes: those that are decoded, and known ones that are not."""

from typing import Final

FORMATS: Final = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "BMP": (b"BM",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "PPM": tuple(
        b"P" + kind + end for kind in (b"1", b"2", b"3", b"4", b"5", b"6", b"f") for end in (b"\n", b" ", b"\r", b"\t")
    ),
}
UNSUPPORTED: Final = {  # recognized only to name them in the log
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
# How a complete file of the format ends; only checked when decoding failed.
_END_MARKERS: Final = {"PNG": b"IEND", "JPEG": b"\xff\xd9", "GIF": b"\x3b"}


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


def is_truncated(data: bytes, name: str, error: Exception) -> bool:
    """Whether a file that could not be decoded is truncated, as opposed to damaged in another way."""
    message = str(error).lower()
    if isinstance(error, EOFError) or any(word in message for word in ("truncated", "eof", "not enough image data")):
        return True
    if name == "WEBP":
        return len(data) < int.from_bytes(data[4:8], "little") + 8
    if name == "BMP":
        return len(data) < int.from_bytes(data[2:6], "little")
    return name in _END_MARKERS and _END_MARKERS[name] not in data[-64:]
