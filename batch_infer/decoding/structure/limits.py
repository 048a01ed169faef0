"""Limits against small files that would keep a decoder busy for hours or fill the memory, checked before decoding.

Such files declare a huge size in pixels, or repeat something that a decoder is slow with.
"""

import re
from itertools import islice
from typing import Final

from batch_infer.decoding.structure.png import png_chunks
from batch_infer.errors import ImageError

MAX_PIXELS: Final = 50_000_000  # 4 bytes each in Pillow: 200 MB; the largest common phone cameras have 50 million
MAX_WEBP_PIXELS: Final = 16_000_000  # its decoder holds four copies of 4 bytes a pixel

# Real files have at most a few dozen. Measured with Pillow on one core, 50 megapixels where pixels matter:
MAX_SCANS: Final = 100  # of a JPEG: 97 bytes each take 36 ms, so 64 MB of them take seven hours
MAX_SEGMENTS: Final = 10_000  # of a JPEG: 4 bytes each take 130 bytes of memory
MAX_CHUNKS: Final = 100_000  # of a PNG or WebP: 12 or 8 bytes each take 120 bytes of memory
MAX_COMMENTS: Final = 1_000  # of a plain-text PBM, PGM or PPM: 3 bytes each take 50 µs
MAX_BLOCKS: Final = 100_000  # of a GIF before its picture: 3 bytes each take 0.5 µs and 40 bytes of memory
MAX_RUNS_BYTES: Final = 8 << 20  # of a run-length BMP: 2 bytes each take 0.3 µs

# The next marker: not a stuffed byte, not a restart within a scan, not a fill byte (ITU T.81, B.1.1).
_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_SCAN, _END, _ALONE = 0xDA, 0xD9, {0x01, 0xD8}


def check_structure(data: bytes, name: str) -> None:
    """Refuse a file of the format `name` that has too many of something.

    Raises:
        ImageError: too_large.
    """
    if name == "JPEG" and data.count(b"\xff") - data.count(b"\xff\0") > MAX_SCANS:
        segments, scans = _jpeg_counts(data)
        check_count(scans, MAX_SCANS, "scans")
        check_count(segments, MAX_SEGMENTS, "segments")
    elif name == "PNG" and len(data) > 12 * MAX_CHUNKS:
        check_count(sum(1 for _ in islice(png_chunks(data), MAX_CHUNKS + 1)), MAX_CHUNKS, "chunks")
    elif name == "WEBP" and len(data) > 8 * MAX_CHUNKS:
        check_count(_riff_chunks(data), MAX_CHUNKS, "chunks")
    elif name == "PPM" and data[1:2] in b"123":
        check_count(data.count(b"#"), MAX_COMMENTS, "comments")
    elif name == "GIF":
        check_count(_gif_blocks(data), MAX_BLOCKS, "blocks before its picture")
    elif name == "BMP" and data[14:18] != b"\x0c\0\0\0" and data[30:34] in {b"\1\0\0\0", b"\2\0\0\0"}:
        check_count(len(data), MAX_RUNS_BYTES, "bytes of run-length data")


def check_size(width: int, height: int, name: str, scale: int = 1) -> None:
    """Refuse a picture with more pixels than the format's decoder has memory for, or with none.

    Args:
        width: in px.
        height: in px.
        name: the format.
        scale: how many times smaller it is decoded; the limit counts what is decoded.

    Raises:
        ImageError: too_large, unreadable.
    """
    limit = MAX_WEBP_PIXELS if name == "WEBP" else MAX_PIXELS
    pixels = -(-width // scale) * -(-height // scale)
    if pixels > limit:
        decoded = "" if scale == 1 else f" at 1/{scale} of their size"
        raise ImageError("too_large", f"{width}×{height} pixels ({pixels:,}{decoded}); expected at most {limit:,}")
    if width < 1 or height < 1:
        raise ImageError("unreadable", f"{width}×{height} pixels")


def check_count(found: int, most: int, what: str) -> None:
    """Refuse a file that has more than `most` of something.

    Raises:
        ImageError: too_large.
    """
    if found > most:
        raise ImageError("too_large", f"more than {most:,} {what}")


def _jpeg_counts(data: bytes) -> tuple[int, int]:
    """Count segments and scans, as far as needed to see that there are too many."""
    position, segments, scans = 2, 0, 0
    while segments <= MAX_SEGMENTS and (match := _JPEG_MARKER.search(data, position)):
        position = match.end()
        kind = data[position - 1]
        if kind == _END:
            break
        segments += 1
        scans += kind == _SCAN
        if kind not in _ALONE:
            position += int.from_bytes(data[position : position + 2], "big")
    return segments, scans


def _gif_blocks(data: bytes) -> int:
    """Count the blocks of comments and other extensions before a GIF's picture, as far as needed."""
    position = 13 + (3 << (data[10] & 7) + 1 if len(data) > 10 and data[10] & 0x80 else 0)
    blocks = 0
    while data[position : position + 1] not in {b",", b";", b""} and blocks <= MAX_BLOCKS:
        blocks += 1
        if data[position] != 0x21:  # a byte that begins neither an extension nor the picture is skipped
            position += 1
            continue
        position += 2
        while blocks <= MAX_BLOCKS and position < len(data) and data[position]:
            position += 1 + data[position]
            blocks += 1
        position += 1
    return blocks


def _riff_chunks(data: bytes) -> int:
    """Count the chunks of a WebP, as far as needed."""
    position, chunks = 12, 0
    while position + 8 <= len(data) and chunks <= MAX_CHUNKS:
        size = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + size + (size & 1)
        chunks += 1
    return chunks
