"""Changes of files that make them wrong: bits and bytes, sizes, parts of their structure, and two files in one."""

import gzip
import re
import struct
import zlib
from collections.abc import Callable
from random import Random
from typing import Final

from fuzzing.structure import GZIP, PNG, RIFF, SIZES, fields, kind_of, parts

MOST_BYTES: Final = 1 << 18  # of a mutated file
EXTREMES: Final = (0, 1, 2, 3, 4, 5, 7, 15, 16, 255, 256, 7000, 32767, 32768, 65500, 65535, (1 << 24) - 1, 1 << 24,
                   (1 << 31) - 1, 1 << 31, (1 << 32) - 1)  # fmt: skip
WORDS: Final = (b"0", b"1", b"-1", b"255", b"256", b"65535", b"65536", b"7000", b"4294967296", b"9" * 30, b"1e9",
                b"nan", b"inf", b"#", b"", b"\n", b"P5", b"P1", b"Pf", b"0x10", b"1_0", b"+7")  # fmt: skip


def mutated(data: bytes, other: bytes, rng: Random) -> bytes:
    """Change a file in one to four ways.

    Args:
        data: a valid file.
        other: another one, of which parts may be taken.
        rng: source of randomness.
    """
    if data.startswith(GZIP) and rng.random() < 0.5:  # within what is compressed
        return gzip.compress(mutated(gzip.decompress(data), other, rng), 1, mtime=0)
    if data.startswith(PNG) and rng.random() < 0.15:
        data = with_other_pixels(data, rng)
    if rng.random() < 0.02:  # seldom: each takes a second
        data = with_right_sizes(with_large_picture(data, rng))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        data = rng.choice(MUTATIONS)(data, other, rng)[:MOST_BYTES]
    return with_right_sizes(data) if rng.random() < 0.5 else data


def flip_bits(data: bytes, _: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8, 100)) if changed else 0):
        changed[_near_the_start(changed, rng)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def change_bytes(data: bytes, _: bytes, rng: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8, 100)) if changed else 0):
        at = _near_the_start(changed, rng)
        changed[at] = rng.choice((0, 255, changed[at] + 1 & 255, changed[at] - 1 & 255, rng.randrange(256)))
    return bytes(changed)


def set_extreme(data: bytes, _: bytes, rng: Random) -> bytes:
    """Write an extreme number, of any width and byte order, anywhere."""
    width = rng.choice((1, 2, 3, 4))
    at = _near_the_start(data, rng) if data else 0
    return _with_number(data, at, width, rng)


def set_field(data: bytes, other: bytes, rng: Random) -> bytes:
    """Write an extreme number where a size, a length or a depth stands."""
    places = fields(data)
    if not places:
        return set_word(data, other, rng)
    return _with_number(data, *rng.choice(places), rng)


def set_word(data: bytes, _: bytes, rng: Random) -> bytes:
    """Replace a number or a word of text."""
    words = [*re.finditer(rb"[!-~]+", data[:400])]
    if not words:
        return data
    word = rng.choice(words)
    return data[: word.start()] + rng.choice(WORDS) + data[word.end() :]


def cut_off(data: bytes, _: bytes, rng: Random) -> bytes:
    return data[: rng.choice((rng.randrange(len(data) + 1), max(len(data) - rng.randrange(1, 20), 0)))]


def insert_noise(data: bytes, _: bytes, rng: Random) -> bytes:
    at, length = rng.randrange(len(data) + 1), rng.choice((1, 2, 4, 16, 300, 5000))
    return data[:at] + rng.choice((rng.randbytes(length), bytes(length), b"\xff" * length)) + data[at:]


def remove_bytes(data: bytes, _: bytes, rng: Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.choice((1, 2, 4, 16, 300)) :]


def repeat_bytes(data: bytes, _: bytes, rng: Random) -> bytes:
    at, length = rng.randrange(len(data) + 1), rng.choice((1, 2, 4, 16, 300))
    return data[:at] + data[at : at + length] * rng.choice((2, 3, 50)) + data[at + length :]


def splice(data: bytes, other: bytes, rng: Random) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def rearrange(data: bytes, other: bytes, rng: Random) -> bytes:
    """Remove, double, repeat or swap parts of the structure, or take one of another file."""
    found = parts(data)
    at, to = rng.randrange(len(found)), rng.randrange(len(found))
    what = rng.randrange(6)
    if what == 0:
        del found[at]
    elif what == 1:
        found.insert(to, found[at])
    elif what == 2:
        times = rng.choice((3, 20, 150, 12_000))
        found.insert(to, found[at] * min(times, 1 + MOST_BYTES // max(len(found[at]), 1)))
    elif what == 3:
        found[at], found[to] = found[to], found[at]
    elif what == 4:
        found.insert(to, rng.choice(parts(other)))
    else:
        found[at:] = parts(other)[rng.randrange(len(parts(other))) :]
    return b"".join(found)


MUTATIONS: Final[tuple[Callable[[bytes, bytes, Random], bytes], ...]] = (
    flip_bits, change_bytes, set_extreme, set_field, set_field, set_word, cut_off, insert_noise, remove_bytes,
    repeat_bytes, splice, rearrange, rearrange, rearrange,
)  # fmt: skip


def with_other_pixels(data: bytes, rng: Random) -> bytes:
    """Change what is compressed in a PNG: its filters, its rows, how many there are."""
    found = parts(data)
    pixels = [number for number, part in enumerate(found) if part[4:8] == b"IDAT"]
    try:
        rows = zlib.decompress(b"".join(found[number][8:-4] for number in pixels))
    except zlib.error:
        return data
    rows = rng.choice((flip_bits, change_bytes, cut_off, remove_bytes, repeat_bytes))(rows, b"", rng)
    packed = zlib.compress(rows[: MOST_BYTES * 8], rng.randrange(10))
    for number in pixels:
        found[number] = b""
    found[pixels[0]] = struct.pack(">I", len(packed)) + b"IDAT" + packed + bytes(4)
    return with_right_sizes(b"".join(found))


def with_large_picture(data: bytes, rng: Random) -> bytes:
    """Say that there are nearly as many pixels as are decoded."""
    numbers, order = SIZES.get(kind_of(data), ((), "big"))
    side = rng.choice((3000, 7000, 7071))
    for at, width in numbers:
        data = data[:at] + side.to_bytes(width, order) + data[at + width :]
    return data


def with_right_sizes(data: bytes) -> bytes:
    """Put right what is checked first, so that the rest is looked at: a PNG's checksums, a WebP's length."""
    if data.startswith(PNG):
        return b"".join(
            part[:-4] + struct.pack(">I", zlib.crc32(part[4:-4])) if number and len(part) >= 12 else part
            for number, part in enumerate(parts(data))
        )
    if data.startswith(RIFF):
        return data[:4] + struct.pack("<I", max(len(data) - 8, 0)) + data[8:]
    return data


def _near_the_start(data: bytes | bytearray, rng: Random) -> int:
    """Any place; in half of the cases where headers are."""
    return rng.randrange(min(len(data), 120) if rng.random() < 0.5 else len(data))


def _with_number(data: bytes, at: int, width: int, rng: Random) -> bytes:
    order = rng.choice(("big", "little"))
    now = int.from_bytes(data[at : at + width], order)
    number = rng.choice((*EXTREMES, now + 1, now - 1, now * 2, now // 2))
    return data[:at] + (number % (1 << 8 * width)).to_bytes(width, order) + data[at + width :]
