"""Small files that keep a decoder busy for hours or fill the memory: found by counting, before the decoder sees them.

The size in pixels is not their trick (decode.py looks at that); it is the number of something a decoder is slow with.
"""

import re
from itertools import islice
from typing import Final

from batch_infer.decoding.png_checks import png_chunks
from batch_infer.errors import ImageError

# Real files have at most a few dozen. Measured with Pillow on one core, 50 megapixels where pixels matter:
MAX_SCANS: Final = 100  # of a JPEG: 97 bytes each take 36 ms, so 64 MB of them take seven hours
MAX_SEGMENTS: Final = 10_000  # of a JPEG: 4 bytes each take 130 bytes of memory
MAX_CHUNKS: Final = 100_000  # of a PNG: 12 bytes each take 120 bytes of memory
MAX_COMMENTS: Final = 1_000  # of a plain-text PBM, PGM or PPM: 3 bytes each take 50 µs

# The next marker: not a stuffed byte, not a restart within a scan, not a filling byte (ITU T.81, B.1.1).
_JPEG_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_SCAN, _END, _ALONE = 0xDA, 0xD9, {0x01, 0xD8}


def check_structure(data: bytes, name: str) -> None:
    """Refuse a file of the format `name` that has too many of something.

    Raises:
        ImageError: too_large.
    """
    if name == "JPEG" and data.count(b"\xff") - data.count(b"\xff\0") > MAX_SCANS:
        segments, scans = _jpeg_counts(data)
        _limit(scans, MAX_SCANS, "scans")
        _limit(segments, MAX_SEGMENTS, "segments")
    elif name == "PNG" and len(data) > 12 * MAX_CHUNKS:
        _limit(sum(1 for _ in islice(png_chunks(data), MAX_CHUNKS + 1)), MAX_CHUNKS, "chunks")
    elif name == "PPM" and data[1:2] in b"123":
        _limit(data.count(b"#"), MAX_COMMENTS, "comments")


def _limit(found: int, most: int, what: str) -> None:
    if found > most:
        raise ImageError("too_large", f"more than {most:,} {what}")


def _jpeg_counts(data: bytes) -> tuple[int, int]:
    """Count segments and scans, as far as it takes to see that there are too many."""
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
