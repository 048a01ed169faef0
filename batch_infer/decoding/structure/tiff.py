"""The pages of a TIFF: its chain of directories, followed without trusting any of them (TIFF 6.0, section 2; BigTIFF).

The chain is walked both when a folder is listed, to know how many rows a file has, and when a page is decoded. What
cannot be followed further is one last page that has an error: whatever stood behind it is not lost in silence.
"""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from batch_infer.errors import ImageError

Read = Callable[[int, int], bytes]  # (offset, size) → the bytes there; fewer at the end of the file
Order = Literal["little", "big"]

MAX_PAGES: Final = 100
_MAX_DIRECTORIES: Final = 1_000  # thumbnails and masks among them
_MAX_TAGS: Final = 1_000  # of a directory; real ones have 10 to 60
_ORDERS: Final[dict[bytes, Order]] = {b"II": "little", b"MM": "big"}
_SUBFILE, _PHOTOMETRIC, _DNG_VERSION = 254, 262, 50_706
_THUMBNAIL_OR_MASK: Final = 0b101  # bits of NewSubfileType
_COLOUR_FILTER_ARRAY: Final = 32_803
_NUMBER_TYPES: Final = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8}  # BYTE, SHORT, LONG, IFD, LONG8, IFD8: bytes of each
_UNITS: Final = {2: 1, 6: 1, 7: 1, 8: 2, 9: 4, 11: 4, 5: 8, 10: 8, 12: 8, 17: 8, **_NUMBER_TYPES}  # bytes, of any type


class Entry(NamedTuple):
    """One tag of a directory: type and number of its values, and where they are in the file."""

    kind: int
    amount: int
    place: int

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return self.amount * _UNITS.get(self.kind, 0)


class Directory(NamedTuple):
    """One directory: its tags, in the byte order of the file."""

    order: Order
    entries: dict[int, Entry]

    def numbers(self, read: Read, tag: int, most: int) -> list[int]:
        """The values of a tag as whole numbers, at most `most` of them; none if it is missing or of another type."""
        entry = self.entries.get(tag)
        size = 0 if entry is None else _NUMBER_TYPES.get(entry.kind, 0)
        if entry is None or not size:
            return []
        data = read(entry.place, min(entry.amount, most) * size)
        return [int.from_bytes(data[at : at + size], self.order) for at in range(0, len(data) - size + 1, size)]


def find_pages(read: Read) -> list[Directory | ImageError]:
    """Find the pages of a TIFF: its directories without thumbnails and masks; an error for one that cannot be found.

    Args:
        read: reads the file.

    Returns:
        At least one; more than MAX_PAGES if there are too many, and then not all.
    """
    head = read(0, 16)
    order = _ORDERS.get(head[:2], "little")
    big = int.from_bytes(head[2:4], order) == 43
    width = 8 if big else 4  # bytes of an offset
    following = int.from_bytes(head[8:16] if big else head[4:8], order)
    pages: list[Directory | ImageError] = []
    other: Directory | None = None  # the first thumbnail or mask
    seen: set[int] = set()
    while (following or not seen) and len(pages) <= MAX_PAGES:
        if following in seen:
            pages.append(ImageError("unreadable", "TIFF: its pages run in a circle"))
            break
        if len(seen) >= _MAX_DIRECTORIES:
            pages.append(ImageError("too_large", f"TIFF: more than {_MAX_DIRECTORIES:,} directories"))
            break
        seen.add(following)
        try:
            directory, following = _read_directory(read, following, order, width)
        except ImageError as error:
            pages.append(error)
            break
        kind = directory.numbers(read, _SUBFILE, 1)
        if kind and kind[0] & _THUMBNAIL_OR_MASK:
            other = other or directory
        else:
            pages.append(directory)
    return pages or [page for page in (other,) if page is not None]


def reader(data: bytes) -> Read:
    """Read from a file that is in memory."""
    return lambda offset, size: data[offset : offset + size]


def check_is_picture(directory: Directory, read: Read) -> None:
    """Refuse what has the structure of a TIFF and is a camera's raw data.

    Raises:
        ImageError: not_an_image.
    """
    if _DNG_VERSION in directory.entries or directory.numbers(read, _PHOTOMETRIC, 1) == [_COLOUR_FILTER_ARRAY]:
        raise ImageError("not_an_image", "camera raw (DNG); develop it and save it as PNG or JPEG")


def _read_directory(read: Read, offset: int, order: Order, width: int) -> tuple[Directory, int]:
    """Read the directory at an offset → it, and the offset of the next one (0: none).

    Raises:
        ImageError: truncated, too_large.
    """
    count_size, entry_size = (8, 20) if width == 8 else (2, 12)
    start = read(offset, count_size)
    count = int.from_bytes(start, order)
    if offset < 8 or len(start) < count_size:
        raise ImageError("truncated", "TIFF: a page begins behind the end of the file")
    if count > _MAX_TAGS:
        raise ImageError("too_large", f"TIFF: a page with more than {_MAX_TAGS:,} tags")
    first = offset + count_size
    table = read(first, count * entry_size + width)
    if len(table) < count * entry_size:
        raise ImageError("truncated", "TIFF: a page begins before the end of the file, and goes on behind it")
    entries: dict[int, Entry] = {}
    for number in range(count):
        at = number * entry_size
        tag, kind = (int.from_bytes(table[place : place + 2], order) for place in (at, at + 2))
        amount = int.from_bytes(table[at + 4 : at + 4 + width], order)
        entry = Entry(kind, amount, first + at + 4 + width)
        if entry.size > width:
            place = int.from_bytes(table[at + 4 + width : at + entry_size], order)
            entry = entry._replace(place=place)
        entries.setdefault(tag, entry)
    # A file without the last offset ends here: some writers leave it out.
    return Directory(order, entries), int.from_bytes(table[count * entry_size :], order)
