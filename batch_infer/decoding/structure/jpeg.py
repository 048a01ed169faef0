"""The segments of a JPEG up to its first scan: checked for exactly one frame header, and stripped of metadata.

Pillow and libjpeg each read these segments, and differ in which of two sizes counts and in what may lie between
segments. Both are given a file with the one frame header, the tables and the two markers that say how colours are
stored.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from batch_infer.decoding.pixels.orientation import Metadata
from batch_infer.errors import ImageError

MAX_TABLES: Final = 1 << 20  # bytes; of all that is kept before the first scan. Real files have a few thousand
_EOI, _SOS, _APP0, _APP1, _APP14, _DNL, _COM = 0xD9, 0xDA, 0xE0, 0xE1, 0xEE, 0xDC, 0xFE
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 … SOF15 (ITU T.81, table B.1)
_SEQUENTIAL: Final = frozenset({0xC0, 0xC1})  # with Huffman codes
_TABLES: Final = frozenset({0xC4, 0xCC, 0xDB, 0xDD})  # DHT, DAC, DQT, DRI
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM, RST0 … RST7
_KNOWN: Final = _FRAMES | _TABLES | frozenset({*range(0xE0, 0xF0), _DNL, _COM, _SOS})
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"


class Jpeg(NamedTuple):
    """A JPEG whose segments were checked.

    Attributes:
        data: the same picture without metadata.
        width, height: in px, from its one frame header.
        metadata: where the orientation may be.
        one_scan: whether its first scan is the only one, so that it can be decoded row by row.
    """

    data: bytes
    width: int
    height: int
    metadata: Metadata
    one_scan: bool


def read_jpeg(data: bytes) -> Jpeg:
    """Check the segments of a JPEG before its pixels (ITU T.81, annex B), and keep those that the pixels need.

    Raises:
        ImageError: not_an_image where there are several frame headers, or none; truncated; unreadable; too_large where
            the tables are.
    """
    kept = [data[:2]]
    size: tuple[int, int] | None = None
    exif = xmp = b""
    tables = 0
    sequential, channels = False, b""
    for kind, start, end in _segments(data):
        if kind == _SOS:
            if size is None:
                raise ImageError("not_an_image", "JPEG: its pixels come before a frame header (SOF)")
            kept.append(data[start - 4 :])
            one_scan = sequential and data[start : start + 1] == channels
            return Jpeg(b"".join(kept), *size, Metadata(exif, xmp), one_scan)
        if kind in _FRAMES:
            if size is not None:
                raise ImageError("not_an_image", "JPEG: it has more than one frame header (SOF)")
            size = _size(data[start:end])
            sequential, channels = kind in _SEQUENTIAL, data[start + 5 : start + 6]
        # The first of each counts. The orientation is near the beginning of the metadata: a second segment, which
        # continues after 64 KB, cannot hold it.
        if kind == _APP1:
            exif = exif or _content(data, start, end, b"Exif\0\0")
            xmp = xmp or _content(data, start, end, _XMP)
        elif _makes_pixels(kind, data, start):
            tables += end - start
            if tables > MAX_TABLES:
                raise ImageError("too_large", f"JPEG: more than {MAX_TABLES:,} bytes of tables")
            kept.append(data[start - 4 : end])
    raise ImageError("truncated", "JPEG: it ends before its pixels")


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Walk over the segments: the second byte of the marker, and where the content begins and ends."""
    position = 2
    while (position := data.find(b"\xff", position)) >= 0:  # bytes between segments are skipped, as in libjpeg
        while data[position : position + 1] == b"\xff":
            position += 1
        kind = data[position] if position < len(data) else 0
        position += 1
        if kind == 0 or kind in _WITHOUT_LENGTH:
            continue
        if kind not in _KNOWN:
            what = "it ends before its pixels" if kind == _EOI else f"a marker FF {kind:02X} comes before its pixels"
            raise ImageError("unreadable", f"JPEG: {what}")
        start, end = position + 2, position + int.from_bytes(data[position : position + 2], "big")
        if end > len(data) or start > len(data):
            return
        if end < start:
            raise ImageError("unreadable", f"JPEG: its segment FF {kind:02X} has no length")
        yield kind, start, end
        position = end


def _size(frame: bytes) -> tuple[int, int]:
    return int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")


def _content(data: bytes, start: int, end: int, mark: bytes) -> bytes:
    return data[start:end] if data.startswith(mark, start, end) else b""


def _makes_pixels(kind: int, data: bytes, start: int) -> bool:
    """Whether a segment is a frame header, a table, or JFIF's or Adobe's marker: these say how colours are stored."""
    if kind in {_APP0, _APP14}:
        return data.startswith(b"JFIF\0" if kind == _APP0 else b"Adobe", start)
    return kind in _FRAMES or kind in _TABLES
