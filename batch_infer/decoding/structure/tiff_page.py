"""One page of a TIFF → a TIFF of its own, with no more than its pixels need: what a decoder then sees was checked.

Decoders read every tag of a directory, wherever its bytes lie: a few thousand that share some megabytes fill the
memory. They also believe the sizes of strips and tiles.
"""

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from batch_infer.decoding.pixels.orientation import UPRIGHT
from batch_infer.decoding.structure.limits import check_count, check_size
from batch_infer.decoding.structure.tiff import Directory, Order, reader
from batch_infer.errors import ImageError

MAX_STRIPS: Final = 100_000  # or tiles of a page; of 50 megapixels in tiles of 64 px there are 12,000
_MAX_TABLES: Final = 1 << 20  # bytes, of JPEG's
_MAX_BITS: Final = 64 * 8  # of a pixel
_OLD_JPEG: Final = 6
COMPRESSIONS: Final = {  # those that are decoded; others take any amount of memory, or are hardly used
    1: "none", 2: "CCITT RLE", 3: "CCITT G3", 4: "CCITT G4", 5: "LZW", 7: "JPEG", 8: "Deflate",
    32_773: "PackBits", 32_946: "Deflate", 50_000: "Zstandard",
}  # fmt: skip
_UNCOMPRESSED: Final = 1

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_OFFSETS, _ORIENTATION, _SAMPLES, _ROWS, _SIZES, _PLANES = 273, 274, 277, 278, 279, 284
_COLOUR_MAP, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_SIZES, _TABLES = 320, 322, 323, 324, 325, 347
# What else decides about pixels, and how many values it may have: fax options, predictor, inks, extra samples, sample
# format, YCbCr's subsampling.
_SMALL: Final = {_PHOTOMETRIC: 1, _FILL_ORDER: 1, 292: 1, 293: 1, 317: 1, 332: 1, 338: 8, 339: 8, 530: 2}
_SHORT, _LONG, _UNDEFINED = 3, 4, 7


class TiffPage(NamedTuple):
    """A page whose structure was checked.

    Attributes:
        data: a TIFF of this page alone.
        width, height: in px.
        orientation: 1 … 8; the page's own file says nothing of it.
        lossy: whether its compression changes levels.
    """

    data: bytes
    width: int
    height: int
    orientation: int
    lossy: bool


def read_page(data: bytes, directory: Directory) -> TiffPage:
    """Cut one page out of a TIFF.

    Args:
        data: the whole file.
        directory: the page's.

    Raises:
        ImageError: truncated; too_large; unreadable.
    """
    read = reader(data)

    def number(tag: int, default: int) -> int:
        return next(iter(directory.numbers(read, tag, 1)), default)

    width, height = number(_WIDTH, 0), number(_HEIGHT, 0)
    check_size(width, height, "TIFF")
    compression = number(_COMPRESSION, _UNCOMPRESSED)
    if compression not in COMPRESSIONS:
        name = "old-style JPEG" if compression == _OLD_JPEG else f"number {compression}"
        raise ImageError("unreadable", f"TIFF: its compression ({name}) is not read; save it with LZW or as PNG")
    samples = number(_SAMPLES, 1)
    bits = directory.numbers(read, _BITS, max(1, min(samples, 8))) or [1]
    depth = samples * max(bits)
    if not 1 <= depth <= _MAX_BITS or samples > 8:
        raise ImageError("unreadable", f"TIFF: {samples} channels of {max(bits)} bits a pixel")
    planes = samples if number(_PLANES, 1) == 2 else 1
    tags: dict[int, list[int]] = {
        _WIDTH: [width],
        _HEIGHT: [height],
        _BITS: bits,
        _COMPRESSION: [compression],
        _SAMPLES: [samples],
        _PLANES: [2 if planes > 1 else 1],
        **{tag: directory.numbers(read, tag, most) for tag, most in _SMALL.items() if tag in directory.entries},
        _COLOUR_MAP: directory.numbers(read, _COLOUR_MAP, 3 << min(bits[0], 16)),
    }
    if _TILE_OFFSETS in directory.entries:
        across, down = number(_TILE_WIDTH, 0), number(_TILE_HEIGHT, 0)
        check_size(across, down, "TIFF")
        tags |= {_TILE_WIDTH: [across], _TILE_HEIGHT: [down]}
        needed = planes * -(-width // across) * -(-height // down)
        rows = [down] * min(needed, MAX_STRIPS)
        places, sizes = _TILE_OFFSETS, _TILE_SIZES
    else:
        across, down = width, min(max(number(_ROWS, height), 1), height)
        tags[_ROWS] = [down]
        strips = -(-height // down)
        needed = planes * strips
        rows = [min(down, height - down * (strip % strips)) for strip in range(min(needed, MAX_STRIPS))]
        places, sizes = _OFFSETS, _SIZES
    check_count(needed, MAX_STRIPS, "strips or tiles")
    row_size = -(-across * (depth if planes == 1 else max(bits)) // 8)
    raw_sizes = [row_size * count for count in rows] if compression == _UNCOMPRESSED else None
    offsets, lengths = (directory.numbers(read, tag, needed) for tag in (places, sizes))
    parts = list(_parts(data, offsets, lengths, raw_sizes))
    if len(parts) < needed:
        raise ImageError("truncated", f"TIFF: it has {len(parts):,} strips or tiles of {needed:,}")
    orientation = number(_ORIENTATION, UPRIGHT)
    tables = directory.entries.get(_TABLES) if compression == 7 else None
    jpeg_tables = b"" if tables is None else data[tables.place : tables.place + min(tables.size, _MAX_TABLES)]
    return TiffPage(
        _assembled(parts, tags, (places, sizes), jpeg_tables, directory.order),
        width,
        height,
        orientation if 1 <= orientation <= 8 else UPRIGHT,
        compression == 7,
    )


def _parts(data: bytes, offsets: list[int], sizes: list[int], raw_sizes: list[int] | None) -> Iterator[bytes]:
    """Cut out the strips or tiles.

    Args:
        data: the whole file.
        offsets: where they begin.
        sizes: bytes of each; writers forget them, or say too much of the last one.
        raw_sizes: bytes of each if they are not compressed.

    Raises:
        ImageError: truncated; unreadable where they overlap.
    """
    total = 0
    if not any(sizes):
        sizes = raw_sizes or ([len(data) - offsets[0]] if len(offsets) == 1 else [])
    for number, (offset, size) in enumerate(zip(offsets, sizes, strict=False)):
        length = size if raw_sizes is None else min(size or raw_sizes[number], raw_sizes[number])
        if length < 1 and raw_sizes is None:
            raise ImageError("unreadable", "TIFF: a strip or tile without data")
        if offset + length > len(data) or offset < 8:
            raise ImageError("truncated", "TIFF: its pixels lie behind the end of the file")
        if raw_sizes is not None and length < raw_sizes[number]:
            raise ImageError("truncated", f"TIFF: a strip has {length:,} bytes; expected {raw_sizes[number]:,}")
        total += length
        if total > len(data):
            raise ImageError("unreadable", "TIFF: its strips or tiles overlap")
        yield data[offset : offset + length]


def _assembled(
    parts: list[bytes], tags: dict[int, list[int]], places_and_sizes: tuple[int, int], tables: bytes, order: Order
) -> bytes:
    """Put together a TIFF: header, strips or tiles, values of tags, directory."""
    sign = "<" if order == "little" else ">"
    sizes = [len(part) for part in parts]
    offsets = [8 + before for before in _sums(sizes)]
    tags = {**tags, places_and_sizes[0]: offsets, places_and_sizes[1]: sizes}
    values: dict[int, tuple[int, int, bytes]] = {}
    for tag, numbers in tags.items():
        if numbers:
            kind, letter = (_SHORT, "H") if max(numbers) <= 0xFFFF else (_LONG, "I")
            content = struct.pack(f"{sign}{len(numbers)}{letter}", *(min(number, 0xFFFF_FFFF) for number in numbers))
            values[tag] = kind, len(numbers), content
    if tables:
        values[_TABLES] = _UNDEFINED, len(tables), tables
    pieces = [b"II*\0" if sign == "<" else b"MM\0*", b"", *parts]
    end = 8 + sum(sizes)
    entries = []
    for tag, (kind, count, content) in sorted(values.items()):
        cell = content.ljust(4, b"\0")
        if len(content) > 4:
            cell = struct.pack(f"{sign}I", end)
            pieces.append(content)
            end += len(content)
        entries.append(struct.pack(f"{sign}HHI", tag, kind, count) + cell)
    pieces[1] = struct.pack(f"{sign}I", end)
    return b"".join([*pieces, struct.pack(f"{sign}H", len(entries)), *entries, bytes(4)])


def _sums(sizes: list[int]) -> Iterator[int]:
    """What lies before each of several pieces."""
    before = 0
    for size in sizes:
        yield before
        before += size
