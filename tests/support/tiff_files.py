"""TIFF files made tag by tag, so that any of them can have a value that no encoder would write."""

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SHORT, LONG, UNDEFINED = 3, 4, 7
Tags = dict[int, tuple[int, Sequence[int] | bytes]]  # number: type and values


def grey_tags(image: npt.NDArray[np.uint8], place: int) -> Tags:
    """The tags of an uncompressed grey page whose pixels are at a place in the file."""
    height, width = image.shape
    return {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [8]),
        259: (SHORT, [1]),
        262: (SHORT, [1]),
        273: (LONG, [place]),
        277: (SHORT, [1]),
        278: (LONG, [height]),
        279: (LONG, [width * height]),
    }


def directory(tags: Tags, place: int, following: int, *, big: bool = False, order: str = "<") -> bytes:
    """A directory at a place in the file, with the long values behind it; `following` is where the next one is."""
    word = "Q" if big else "I"
    width = 8 if big else 4
    body, tail = b"", b""
    behind = place + (8 if big else 2) + len(tags) * (20 if big else 12) + width
    for number, (kind, values) in sorted(tags.items()):
        content = (
            values
            if isinstance(values, bytes)
            else struct.pack(f"{order}{len(values)}{'H' if kind == SHORT else 'I'}", *values)
        )
        cell = content.ljust(width, b"\0")
        if len(content) > width:
            cell = struct.pack(order + word, behind + len(tail))
            tail += content
        body += struct.pack(f"{order}HH{word}", number, kind, len(values)) + cell
    return struct.pack(order + ("Q" if big else "H"), len(tags)) + body + struct.pack(order + word, following) + tail


def tiff(
    *images: npt.NDArray[np.uint8],
    change: Tags | None = None,
    following: int = 0,
    big: bool = False,
    order: str = "<",
) -> bytes:
    """A TIFF with an uncompressed grey page for each image.

    Args:
        images: (H, W) uint8 each.
        change: tags to add to every page, or to replace; an empty list of values removes one.
        following: what the last page says of the next one.
        big: whether it is a BigTIFF.
        order: `<` or `>`.
    """
    mark = b"II" if order == "<" else b"MM"
    head = 16 if big else 8
    place = head
    pixels = []
    for image in images:
        pixels.append(place)
        place += image.size
    body = b"".join(image.tobytes() for image in images)
    pages = b""
    for number, image in enumerate(images):
        tags = {**grey_tags(image, pixels[number]), **(change or {})}
        tags = {tag: value for tag, value in tags.items() if len(value[1])}
        at = head + len(body) + len(pages)
        size = len(directory(tags, at, 0, big=big, order=order))
        last = number == len(images) - 1
        pages += directory(tags, at, following if last else at + size, big=big, order=order)
    first = head + len(body)
    start = struct.pack(f"{order}HHHQ", 43, 8, 0, first) if big else struct.pack(f"{order}HI", 42, first)
    return mark + start + body + pages
