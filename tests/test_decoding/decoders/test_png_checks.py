"""PNGs whose compressed pixels end early but cleanly: refused, whatever their kind; whole ones never are."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.helpers import png_chunk
from support.pictures import fault

from batch_infer.decoding.decode import decode
from batch_infer.decoding.decoders.png import decode_plain
from batch_infer.errors import ImageError

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
KINDS = [
    *((GREY, bits) for bits in (1, 2, 4, 8, 16)),
    *((PALETTE, bits) for bits in (1, 2, 4, 8)),
    *((colour, bits) for colour in (RGB, GREY_ALPHA, RGBA) for bits in (8, 16)),
]


def pixels(width, height, colour, bits, *, interlaced, value) -> list[bytes]:
    """The rows of a picture of one value, pass by pass, as they are before compression."""
    rows = []
    grid = np.arange(width * height).reshape(height, width)
    passes = [grid]
    if interlaced:  # each pass as the pixels that it holds
        passes = [
            grid[0::8, 0::8], grid[0::8, 4::8], grid[4::8, 0::4], grid[0::4, 2::4], grid[2::4, 0::2],
            grid[0::2, 1::2], grid[1::2, :],
        ]  # fmt: skip
    for part in passes:
        if part.size:
            size = -(-part.shape[1] * CHANNELS[colour] * bits // 8)
            rows += [b"\0" + bytes([value]) * size] * part.shape[0]
    return rows


def png(width, height, colour, bits, raw, *, interlaced=False, piece=1 << 30) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
    packed = zlib.compress(raw)
    data = b"".join(png_chunk(b"IDAT", packed[start : start + piece]) for start in range(0, len(packed), piece))
    palette = png_chunk(b"PLTE", bytes(range(256)) * 3) if colour == PALETTE else b""
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + palette + data + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("interlaced", [False, True], ids=["plain", "interlaced"])
@pytest.mark.parametrize(("colour", "bits"), KINDS)
def test_missing_rows_of_any_kind_are_truncated_and_whole_pictures_are_not(colour, bits, interlaced):
    for value in (0, 255):
        rows = pixels(28, 28, colour, bits, interlaced=interlaced, value=value)
        whole = b"".join(rows)
        for missing in (1, 2, len(rows) // 2, len(rows) - 1):
            raw = b"".join(rows[:-missing])
            data = png(28, 28, colour, bits, raw, interlaced=interlaced)
            assert decode_plain(data) is None  # the quick way leaves it to the other
            assert fault(data) == ("truncated", f"PNG: its pixel data end {len(whole) - len(raw):,} bytes early")
        assert fault(png(28, 28, colour, bits, whole[:-1], interlaced=interlaced))[0] == "truncated"
        assert fault(png(28, 28, colour, bits, b"", interlaced=interlaced))[0] == "truncated"
        assert decode(png(28, 28, colour, bits, whole, interlaced=interlaced)).grey.shape == (28, 28)


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.sampled_from(KINDS), st.booleans(), st.integers(0, 40),
    st.sampled_from([1, 7, 1 << 30]),
)  # fmt: skip
def test_of_every_size_the_right_number_of_rows_is_asked_for(width, height, kind, interlaced, missing, piece):
    rows = pixels(width, height, *kind, interlaced=interlaced, value=0)
    data = png(
        width, height, *kind, b"".join(rows[: max(0, len(rows) - missing)]), interlaced=interlaced, piece=piece
    )  # fmt: skip
    if missing:
        assert fault(data)[0] == "truncated"
    else:
        assert decode(data).grey.shape == (height, width)


@pytest.mark.parametrize("piece", [100, 1 << 30])
def test_large_pictures_are_counted_in_blocks(piece):
    rows = pixels(3000, 900, RGB, 8, interlaced=False, value=0)
    assert decode(png(3000, 900, RGB, 8, b"".join(rows), piece=piece)).grey.shape == (300, 1000)
    short = png(3000, 900, RGB, 8, b"".join(rows[:-1]), piece=piece)
    assert fault(short) == ("truncated", "PNG: its pixel data end 9,001 bytes early")


@pytest.mark.parametrize("interlaced", [False, True], ids=["plain", "interlaced"])
def test_a_file_that_is_cut_behind_its_last_row_is_whole_and_before_it_is_truncated(interlaced):
    outcomes = []
    for value in (0, 255):
        data = png(28, 28, RGB, 8, b"".join(pixels(28, 28, RGB, 8, interlaced=interlaced, value=value)),
                   interlaced=interlaced)  # fmt: skip
        outcomes.append([])
        for length in range(len(data) - 60, len(data)):
            try:
                outcomes[-1].append((decode(data[:length]).grey == value).all())
            except ImageError as cut:
                outcomes[-1].append(cut.code)
    for found in outcomes:
        assert set(found) == {True, "truncated"}
        assert found == sorted(found, key=lambda outcome: outcome is True)
        assert found[-16:] == [True] * 16  # IEND, and the checksum of the pixels


def test_a_picture_with_more_behind_its_rows_is_whole():
    rows = pixels(28, 28, RGB, 8, interlaced=False, value=0)
    assert decode(png(28, 28, RGB, 8, b"".join(rows) + bytes(1 << 22))).grey.shape == (28, 28)


def test_rows_that_end_in_an_animation_are_counted_too():
    frames = [Image.new("RGB", (28, 28), colour) for colour in ("black", "white")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:])
    assert decode(buffer.getvalue()).grey.shape == (28, 28)
    packed = buffer.getvalue()
    start = packed.index(b"IDAT") - 4
    end = start + 12 + int.from_bytes(packed[start : start + 4], "big")
    short = png_chunk(b"IDAT", zlib.compress(bytes(27 * 85)))
    assert fault(packed[:start] + short + packed[end:])[0] == "truncated"
