"""Where the parts of a file begin, and where sizes, lengths and depths stand in it, by its format."""

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Final, NamedTuple

PNG: Final = b"\x89PNG\r\n\x1a\n"
JPEG: Final = b"\xff\xd8"
GIF: Final = b"GIF8"
BMP: Final = b"BM"
RIFF: Final = b"RIFF"
GZIP: Final = b"\x1f\x8b"
IDX: Final = b"\0\0"
_MARKER: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)  # of a JPEG, outside of its pixels


class Place(NamedTuple):
    """A number in a file: where, and how many bytes it has."""

    at: int
    width: int


def places(*numbers: int) -> tuple[Place, ...]:
    """Make places of `at, width, at, width, …`."""
    return tuple(map(Place, numbers[::2], numbers[1::2]))


# In the file as a whole, from its beginning; from its end; at the beginning of each part but the first.
FIXED: Final = {
    PNG: places(16, 4, 20, 4, 24, 1, 25, 1, 26, 1, 27, 1, 28, 1),
    GIF: places(6, 2, 8, 2, 10, 1),
    BMP: places(2, 4, 10, 4, 14, 4, 18, 4, 22, 4, 26, 2, 28, 2, 30, 4, 34, 4, 46, 4, 50, 4),
    RIFF: places(4, 4, 21, 4, 24, 3, 26, 2, 27, 3, 28, 2),
    GZIP: places(2, 1, 3, 1),
    IDX: places(2, 1, 3, 1, 4, 4, 8, 4, 12, 4),
}
# Of these, width and height of the picture; and whether numbers begin with the highest byte.
SIZES: Final = {
    PNG: (places(16, 4, 20, 4), "big"),
    GIF: (places(6, 2, 8, 2), "little"),
    BMP: (places(18, 4, 22, 4), "little"),
    RIFF: (places(24, 3, 27, 3), "little"),
}
AT_END: Final = {GZIP: places(-8, 4, -4, 4)}
LENGTHS: Final = {PNG: places(0, 4), JPEG: places(2, 2), RIFF: places(4, 4)}
# In the parts that describe a picture.
_FRAMES: Final = (b"\xff\xc0", b"\xff\xc1", b"\xff\xc2")
INSIDE: Final = {
    JPEG: (_FRAMES, places(4, 1, 5, 2, 7, 2, 9, 1, 11, 1)),
    GIF: ((b",",), places(1, 2, 3, 2, 5, 2, 7, 2, 9, 1)),
}
CUTS: Final = {BMP: (2, 14, 18, 26, 30, 54, -20), IDX: (4, 8, 12, 16), GZIP: (4, 8, 10, -8, -4)}


def kind_of(data: bytes) -> bytes:
    """The format by its first bytes; empty for text, as PNM and CSV are."""
    return next((start for start in (PNG, JPEG, GIF, BMP, RIFF, GZIP, IDX) if data.startswith(start)), b"")


def parts(data: bytes) -> list[bytes]:
    """Cut a file into the parts of its structure, at least one; together they are the file."""
    kind = kind_of(data)
    if kind in CHAINS:
        start, length = CHAINS[kind]
        cuts = _chain(data, start(data), length)
    elif kind:
        cuts = [at % (len(data) + 1) for at in CUTS[kind]]
    else:
        cuts = [match.end() for match in re.finditer(rb"\s+", data[:400])]
    inner = {cut for cut in cuts if 0 < cut < len(data)}
    return [data[start:end] for start, end in pairwise(sorted({0, len(data), *inner}))] or [b""]


def fields(data: bytes) -> list[Place]:
    """Where sizes, lengths and depths stand."""
    kind = kind_of(data)
    found = [*FIXED.get(kind, ()), *(Place(len(data) + at, width) for at, width in AT_END.get(kind, ()))]
    marks, inside = INSIDE.get(kind, ((), ()))
    start = 0
    for number, part in enumerate(parts(data)):
        here = LENGTHS.get(kind, ()) if number else ()
        here += inside if part.startswith(marks) else ()
        found += [Place(start + at, width) for at, width in here]
        start += len(part)
    return [place for place in found if place.at >= 0 and sum(place) <= len(data)]


def _chain(data: bytes, start: int, length: Callable[[bytes, int], int]) -> list[int]:
    cuts = []
    while start < len(data):
        cuts.append(start)
        start += max(length(data, start), 1)
    return cuts


def _chunk(data: bytes, at: int) -> int:
    return 12 + int.from_bytes(data[at : at + 4], "big")


def _riff_chunk(data: bytes, at: int) -> int:
    return 8 + (int.from_bytes(data[at + 4 : at + 8], "little") + 1) // 2 * 2


def _segment(data: bytes, at: int) -> int:
    """How long a segment of a JPEG is; pixels between it and the next one belong to it."""
    following = _MARKER.search(data, at + 2 + int.from_bytes(data[at + 2 : at + 4], "big"))
    return (following.start() if following else len(data)) - at


def _block(data: bytes, at: int) -> int:
    """How long a block of a GIF is: an extension, a picture, or the end."""
    end = at + 2
    if data[at : at + 1] == b",":
        end = at + 11 + _palette(data, at + 9)
    elif data[at : at + 1] != b"!":
        return 1
    while end < len(data) and data[end]:
        end += 1 + data[end]
    return end + 1 - at


def _palette(data: bytes, at: int) -> int:
    """How many bytes of palette the flags there announce."""
    flags = data[at] if at < len(data) else 0
    return 3 << (flags & 7) + 1 if flags & 128 else 0


# Formats whose parts follow each other: where the first one begins behind what all have, and how long one is.
CHAINS: Final[dict[bytes, tuple[Callable[[bytes], int], Callable[[bytes, int], int]]]] = {
    PNG: (lambda _: 8, _chunk),
    JPEG: (lambda _: 2, _segment),
    GIF: (lambda data: 13 + _palette(data, 10), _block),
    RIFF: (lambda _: 12, _riff_chunk),
}
