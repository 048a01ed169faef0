"""The samples of plain-text PBM, PGM and PPM files: decimal numbers with white space and comments between them."""

import re
from typing import Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from batch_infer.errors import ImageError

_WHITE: Final = b" \t\n\v\f\r"
_COMMENT: Final = re.compile(rb"#[^\r\n]*")
_OTHER: Final = re.compile(rb"[^0-9 \t\n\v\f\r]")
_LAST_SPACE: Final = re.compile(rb"[ \t\n\v\f\r][^ \t\n\v\f\r]*\Z")
_LONGEST: Final = 10  # digits of a number, including leading zeros
_BLOCK: Final = 1 << 20  # bytes parsed at a time


def read_bits(data: bytes, begin: int, count: int) -> NDArray[np.uint8]:
    """Read the digits 0 and 1 (white space between them is optional) of a plain PBM, from `begin` on.

    Returns:
        (count,) uint8, 0 and 1.

    Raises:
        ImageError: truncated, unreadable.
    """
    _check_room(len(data) - begin, count)
    digits = _without_comments(data[begin:]).translate(None, _WHITE)[:count]
    if digits.translate(None, b"01"):
        raise ImageError("unreadable", "PPM: its pixels are not 0 and 1 alone")
    _check_room(len(digits), count)
    return np.frombuffer(digits, np.uint8) - np.uint8(48)


def read_numbers(data: bytes, begin: int, count: int, largest: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read the decimal numbers of a plain PGM or PPM, from `begin` on; what follows them is ignored.

    Returns:
        (count,) uint8 or, for a `largest` above 255, uint16.

    Raises:
        ImageError: truncated; unreadable where something else, or a number above `largest`, stands among them.
    """
    _check_room(len(data) - begin, 2 * count - 1)  # a digit and a space each
    text = _without_comments(data[begin:])
    kind: DTypeLike = np.uint8 if largest <= 255 else np.uint16
    numbers = np.empty(count, kind)
    done = position = 0
    while done < count and position < len(text):
        block = text[position : position + _BLOCK]
        if position + _BLOCK < len(text):  # the last number may continue in the next block
            space = _LAST_SPACE.search(block, max(0, len(block) - 2 * _LONGEST))
            block = block[: space.start() + 1] if space else block
        position += len(block)
        other = _OTHER.search(block)
        values = _parsed(block[: other.start()].rstrip(b"0123456789") if other else block)[: count - done]
        if values.size and int(values.max()) > largest:
            raise ImageError("unreadable", f"PPM: one of its pixels is {int(values.max())}; its header says {largest}")
        numbers[done : done + len(values)] = values
        done += len(values)
        if other and done < count:
            raise ImageError("unreadable", f"PPM: {ascii(other[0])[1:]} among its pixels")
    _check_room(done, count)
    return numbers


def _parsed(text: bytes) -> NDArray[np.int64]:
    """The numbers of a text of digits and white space."""
    digits = np.frombuffer(text, np.uint8) - np.uint8(48)  # white space wraps around to more than 9
    edges = np.diff((digits <= 9).view(np.int8), prepend=np.int8(0), append=np.int8(0))
    starts = (edges > 0).nonzero()[0]
    lengths = (edges < 0).nonzero()[0] - starts
    longest = int(lengths.max()) if len(lengths) else 0
    if longest > _LONGEST:
        raise ImageError("unreadable", f"PPM: one of its pixels has more than {_LONGEST} digits")
    values = np.zeros(len(starts), np.int64)
    for place in range(longest):
        inside = lengths > place
        values[inside] = values[inside] * 10 + digits[starts[inside] + place]
    return values


def _without_comments(text: bytes) -> bytes:
    """Remove comments, but keep the ends of their lines."""
    return _COMMENT.sub(b"", text) if b"#" in text else text


def _check_room(found: int, expected: int) -> None:
    if found < expected:
        raise ImageError("truncated", "PPM: it ends before its last pixel")
