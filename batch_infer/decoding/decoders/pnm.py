"""PBM, PGM, PPM and PFM, plain text or binary: their samples as an array, in the bounds of header and file.

Pillow reads plain text, and binary samples with an unusual maximum value, one by one in Python.
"""

import re
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from batch_infer.decoding.decoders.pnm_text import read_bits, read_numbers
from batch_infer.decoding.structure.limits import MAX_COMMENTS, check_count, check_size
from batch_infer.errors import ImageError

_SPACE: Final = re.compile(rb"[ \t\n\v\f\r]*")
_COMMENT: Final = re.compile(rb"#[^\r\n]*[\r\n]?")
_LONGEST: Final = 64  # bytes of a word; no number is longer
_TOKEN: Final = re.compile(rb"[^ \t\n\v\f\r#]{1,%d}" % _LONGEST)
_BLOCK: Final = 1 << 20  # samples scaled at a time


class _Header(NamedTuple):
    """A file's header: size in px, the maximum sample (in a PFM: the scale), and where the pixels begin."""

    width: int
    height: int
    largest: float
    begin: int


def decode_pnm(data: bytes) -> NDArray[Any]:
    """Decode a file that begins with P1 … P6 or Pf (netpbm's manual pages pbm, pgm, ppm and pfm).

    Returns:
        (H, W) uint8, bits as 0 and 255; (H, W) uint16 for greys of more than 8 bits; (H, W, 3) uint8; (H, W) float32.
        Samples are scaled so that the header's maximum becomes the type's maximum; larger ones are clipped.

    Raises:
        ImageError: too_large, truncated, unreadable.
    """
    kind = data[1:2]
    header = _read_header(data, kind)
    check_size(header.width, header.height, "PPM")
    if kind in b"14":
        return _read_bits(data, header, plain=kind == b"1")
    if kind == b"f":
        order = "<f4" if header.largest < 0 else ">f4"
        rows = _binary(data, header, order, 1).reshape(header.height, header.width)
        return rows[::-1].astype(np.float32)
    channels = 3 if kind in b"36" else 1
    deep = header.largest > 255
    most = 65535 if deep and channels == 1 else 255
    samples: NDArray[Any]
    if kind in b"23":
        samples = read_numbers(data, header.begin, header.width * header.height * channels, int(header.largest))
    else:
        samples = _binary(data, header, ">u2" if deep else np.uint8, channels)
    shape = (header.height, header.width, 3) if channels == 3 else (header.height, header.width)
    return _scaled(samples, int(header.largest), most).reshape(shape)


def _read_header(data: bytes, kind: bytes) -> _Header:
    width, begin = _read_token(data, 2)
    height, begin = _read_token(data, begin)
    size = _parse_integer(width), _parse_integer(height)
    if kind in b"14":
        return _Header(*size, 1, begin)
    token, begin = _read_token(data, begin)
    if kind == b"f":
        try:
            scale = float(token)
        except ValueError:
            scale = 0.0
        if scale == 0 or not np.isfinite(scale):
            raise ImageError("unreadable", "PPM: its scale is not a number other than 0")
        return _Header(*size, scale, begin)
    largest = _parse_integer(token)
    if not 0 < largest < 65536:
        raise ImageError("unreadable", f"PPM: its largest value is {largest}; expected 1 to 65535")
    return _Header(*size, largest, begin)


def _read_token(data: bytes, position: int) -> tuple[bytes, int]:
    """The next word of the header, and the position after the one space or the comment that follows it."""
    for _ in range(MAX_COMMENTS + 1):
        position = _end(_SPACE, data, position)
        if data[position : position + 1] != b"#":
            break
        position = _end(_COMMENT, data, position)
    else:
        check_count(MAX_COMMENTS + 1, MAX_COMMENTS, "comments")
    match = _TOKEN.match(data, position)
    if match is None:
        raise ImageError("truncated", "PPM: it ends within its header")
    position = match.end()
    if position - match.start() == _LONGEST:
        raise ImageError("unreadable", "PPM: its header cannot be read")
    return match[0], _end(_COMMENT, data, position) if data[position : position + 1] == b"#" else position + 1


def _end(pattern: re.Pattern[bytes], data: bytes, position: int) -> int:
    match = pattern.match(data, position)
    return position if match is None else match.end()


def _parse_integer(token: bytes) -> int:
    if not token.isdigit() or len(token) > 10:
        raise ImageError("unreadable", f"PPM: {ascii(token)[1:]} in its header; expected a whole number")
    return int(token)


def _read_bits(data: bytes, header: _Header, *, plain: bool) -> NDArray[np.uint8]:
    """The bits of a PBM (1 is black) as 0 and 255."""
    height, width = header.height, header.width
    if plain:
        bits = read_bits(data, header.begin, width * height).reshape(height, width)
    else:
        stride = -(-width // 8)
        _check_length(len(data) - header.begin, stride * height)
        packed = np.frombuffer(data, np.uint8, stride * height, header.begin).reshape(height, stride)
        bits = np.unpackbits(packed, axis=1, count=width)
    return (1 - bits) * np.uint8(255)


def _binary(data: bytes, header: _Header, kind: DTypeLike, channels: int) -> NDArray[Any]:
    count = header.width * header.height * channels
    _check_length(len(data) - header.begin, count * np.dtype(kind).itemsize)
    return np.frombuffer(data, kind, count, header.begin)


def _check_length(found: int, expected: int) -> None:
    if found < expected:
        raise ImageError("truncated", f"PPM: its pixels end {expected - max(found, 0):,} bytes early")


def _scaled(samples: NDArray[Any], largest: int, most: int) -> NDArray[Any]:
    """Scale samples (n,) so that `largest` becomes `most`, halves to even; larger samples are clipped to `most`."""
    kind: DTypeLike = np.uint8 if most == 255 else np.uint16
    if largest == most:
        return samples.astype(kind, copy=False)
    table = np.minimum(np.rint(np.arange(1 << 16) / largest * most), most).astype(kind)
    result = np.empty(len(samples), kind)
    for start in range(0, len(samples), _BLOCK):
        result[start : start + _BLOCK] = table[samples[start : start + _BLOCK]]
    return result
