"""Checks that no rows of a PNG's pixel data are missing, which Pillow does not do."""

from collections.abc import Iterator
from typing import Any, Final

from PIL import Image

from batch_infer.decoding.structure.png import png_chunks
from batch_infer.errors import ImageError

try:
    from isal import isal_zlib as _fast

    _zlib: Any = _fast
except ImportError:  # no wheel for this platform: zlib gives the same count in three times the time
    import zlib as _zlib

_BLOCK: Final = 1 << 20  # bytes inflated at a time, then discarded
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the colour type
# First column and row, and the steps to the next ones, of each pass (PNG specification, 8.2).
_WHOLE: Final = ((0, 0, 1, 1),)
_ADAM7: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def check_rows(image: Image.Image, data: bytes) -> None:
    """Check that a PNG has all its rows: Pillow accepts compressed data that end early, if they end cleanly.

    Rows that are missing stay zeros in Pillow's picture, and among them is the last one. So only a picture with a zero
    in the last row is inflated again, to count; an interlaced one always, as its last row comes earlier.

    Args:
        image: as Pillow loaded it.
        data: a PNG whose structure was checked.

    Raises:
        ImageError: truncated.
    """
    width, height = image.size
    interlaced = data[28] != 0
    if not (interlaced or _is_zero(image.getpixel((width // 2, height - 1)))):
        return
    missing = _raw_size(width, height, data[24] * _CHANNELS.get(data[25], 0), _ADAM7 if interlaced else _WHOLE)
    inflate = _zlib.decompressobj()
    for start, end in _pixel_data(data):
        piece: bytes = data[start:end]
        while missing > 0 and (block := inflate.decompress(piece, min(missing, _BLOCK))):
            missing -= len(block)
            piece = inflate.unconsumed_tail
        if missing <= 0 or inflate.eof:
            break
    if missing > 0:
        raise ImageError("truncated", f"PNG: its pixel data end {missing:,} bytes early")


def _pixel_data(data: bytes) -> Iterator[tuple[int, int]]:
    """Find where the content of each IDAT chunk begins and ends."""
    for kind, start, end in png_chunks(data):
        if kind == b"IDAT":
            yield start, end


def _is_zero(pixel: Any) -> bool:
    return not (any(pixel) if isinstance(pixel, tuple) else pixel)


def _raw_size(width: int, height: int, bits: int, passes: tuple[tuple[int, int, int, int], ...]) -> int:
    """How many bytes the pixels have uncompressed: for each row of each pass, a filter byte and the pixels."""
    size = 0
    for left, top, right, down in passes:
        columns, rows = -((left - width) // right), -((top - height) // down)
        if columns > 0 and rows > 0:
            size += rows * (1 + -(-columns * bits // 8))
    return size
