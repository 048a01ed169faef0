"""The metadata of HEIC and AVIF files, made unknown: what is left are pixels (ISO 14496-12, and 23008-12 for items).

Decoders hand EXIF on, whatever its size, and Pillow reads its every entry. How a picture is turned is said by
properties of the picture (`irot`, `imir`), which count, and not by EXIF, which need not agree.
"""

from collections.abc import Iterator
from typing import Final

_METADATA: Final = frozenset({b"Exif", b"mime"})  # types of items; the second is XMP's
_UNKNOWN: Final = b"skip"
_MAX_ITEMS: Final = 100_000


def hide_metadata(data: bytes) -> bytes:
    """Rename the items of a file that are EXIF or XMP → the same file otherwise; itself where it has none."""
    places = []
    for start, end in _find(data, 0, len(data), b"meta"):
        for items, items_end in _find(data, start + 4, end, b"iinf"):
            count_size = 2 if data[items : items + 1] == b"\0" else 4
            for item, item_end in _find(data, items + 4 + count_size, items_end, b"infe"):
                place = item + (10 if data[item : item + 1] == b"\3" else 8)
                if place + 4 <= item_end and data[place : place + 4] in _METADATA:
                    places.append(place)
    if not places:
        return data
    changed = bytearray(data)
    for place in places:
        changed[place : place + 4] = _UNKNOWN
    return bytes(changed)


def boxes_end(data: bytes) -> bool:
    """Whether the outermost boxes of a file end where it ends, or before: if not, it was cut off."""
    ends = [end for _, _, end in _boxes(data, 0, len(data))]
    return bool(ends) and ends[-1] <= len(data)


def _find(data: bytes, start: int, end: int, kind: bytes) -> Iterator[tuple[int, int]]:
    """Find where the content of each box of a kind begins and ends, among those side by side in a part of a file."""
    return ((content, min(box_end, end)) for found, content, box_end in _boxes(data, start, end) if found == kind)


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Walk over the boxes side by side in a part of a file: the kind of each, where its content begins, and its end."""
    for _ in range(_MAX_ITEMS):
        if start + 8 > end:
            return
        size, head = int.from_bytes(data[start : start + 4], "big"), 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        elif size == 0:
            size = end - start
        if size < head:
            return
        yield data[start + 4 : start + 8], start + head, start + size
        start += size
