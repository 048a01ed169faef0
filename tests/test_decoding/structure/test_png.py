"""Chunks of a PNG: those that make no pixels cost no picture, whatever is wrong with them; the others are in order."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.helpers import png_chunk
from support.image_bytes import (
    IEND,
    PALETTE,
    RGB,
    SIGNATURE,
    exif,
    make_png,
    png_header,
    png_pixels,
    wrong_checksum,
)
from support.pictures import fault

from batch_infer.decoding.decode import decode
from batch_infer.decoding.structure.png import read_png
from batch_infer.errors import ImageError

RAMP = np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12)
LEVELS = png_chunk(b"PLTE", bytes(level for level in range(256) for _ in range(3)))
OTHERS = png_chunk(b"PLTE", bytes(255 - level for level in range(256) for _ in range(3)))
MEGABYTES = bytes(3 << 20)
HARMLESS = {
    "text": png_chunk(b"tEXt", b"Comment\0" + b"x" * len(MEGABYTES)),
    "compressed text": png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(MEGABYTES)),
    "compressed text, 100 MB": png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(100 << 20))),
    "international text": png_chunk(b"iTXt", b"Comment\0\1\0de\0\0" + zlib.compress(MEGABYTES)),
    "text of an unknown compression": png_chunk(b"zTXt", b"Comment\0\7" + MEGABYTES[:9]),
    "text without keyword": png_chunk(b"zTXt", b""),
    "profile": png_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(MEGABYTES)),
    "profile of an unknown compression": png_chunk(b"iCCP", b"sRGB\0\7" + MEGABYTES[:9]),
    "profile without end": png_chunk(b"iCCP", b"sRGB"),
    "XMP, compressed": png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(MEGABYTES)),
    "EXIF as text": png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(MEGABYTES)),
    "EXIF as text, not hexadecimal": png_chunk(b"tEXt", b"Raw profile type exif\0\nexif\n4\nsoup"),
    "short gAMA": png_chunk(b"gAMA", b"\0"),
    "short cHRM": png_chunk(b"cHRM", b"\0"),
    "short pHYs": png_chunk(b"pHYs", b"\0"),
    "empty sRGB": png_chunk(b"sRGB"),
    "animation without frames": png_chunk(b"acTL", bytes(8)),
    "animation cut short": png_chunk(b"acTL", bytes(2)),
    "frame out of sequence": png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 7, 12, 10, 0, 0, 1, 1, 0, 0)),
    "unknown": png_chunk(b"quUx", b"anything"),
    **{
        f"checksum of {kind.decode()}": wrong_checksum(png_chunk(kind, content))
        for kind, content in {
            b"tEXt": b"Comment\0hello",
            b"zTXt": b"Comment\0\0" + zlib.compress(b"hello"),
            b"iTXt": b"XML:com.adobe.xmp\0\0\0\0\0<tiff:Orientation>6</tiff:Orientation>",
            b"iCCP": b"sRGB\0\0" + zlib.compress(b"hello"),
            b"eXIf": exif(6),
            b"gAMA": struct.pack(">I", 45_455),
            b"pHYs": bytes(9),
            b"tIME": bytes(7),
            b"bKGD": bytes(2),
            b"sBIT": b"\x08",
            b"quUx": b"anything",
        }.items()
    },
}


@pytest.mark.parametrize("chunk", HARMLESS.values(), ids=HARMLESS)
def test_what_makes_no_pixels_costs_no_picture(chunk):
    for data in (make_png(RAMP, before=chunk), make_png(RAMP, behind=chunk)):
        picture = decode(data)
        np.testing.assert_array_equal(picture.grey, RAMP)
        assert picture.one_channel
    colours = np.stack([RAMP, RAMP.T.reshape(RAMP.shape), 255 - RAMP], -1)
    expected = decode(make_png(colours, colour=RGB)).grey
    np.testing.assert_array_equal(decode(make_png(colours, colour=RGB, before=chunk)).grey, expected)


def test_of_many_notes_only_the_first_is_unpacked():
    """A thousand bytes each that unpack to a megabyte: all of them would take minutes."""
    note = png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(bytes(1 << 20)))
    np.testing.assert_array_equal(decode(make_png(RAMP, before=note * 50_000)).grey, RAMP)


def test_a_plain_file_is_not_copied():
    data = make_png(RAMP)
    assert read_png(data).data is data


def pixels(samples=RAMP) -> bytes:
    return png_pixels(samples)


def split_pixels() -> tuple[bytes, bytes]:
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in RAMP))
    return png_chunk(b"IDAT", packed[:9]), png_chunk(b"IDAT", packed[9:])


HEADER = png_header(12, 10)
INDEXED = png_header(12, 10, colour=PALETTE)
FIRST, SECOND = split_pixels()
TEXT = png_chunk(b"tEXt", b"Comment\0hello")
WRONG = {
    "pixels before the header": (pixels() + HEADER, "not_an_image", "PNG: its first chunk is IDAT, not IHDR"),
    "Apple's own chunk before it": (
        png_chunk(b"CgBI", bytes(4)) + HEADER + pixels(),
        "not_an_image",
        "PNG: its first chunk is CgBI, not IHDR",
    ),
    "bytes of no chunk before it": (
        bytes(4) + b"\n\x1b[1" + bytes(4) + HEADER + pixels(),
        "not_an_image",
        r"PNG: its first chunk is \n\x1b[1, not IHDR",
    ),
    "a palette behind the pixels": (
        INDEXED + pixels() + LEVELS,
        "not_an_image",
        "PNG: no palettes (PLTE) before its pixels; expected one",
    ),
    "no palette": (INDEXED + pixels(), "not_an_image", "PNG: no palettes (PLTE) before its pixels; expected one"),
    "two palettes": (
        INDEXED + LEVELS + OTHERS + pixels(),
        "not_an_image",
        "PNG: 2 palettes (PLTE) before its pixels; expected one",
    ),
    "pixels in two places": (
        HEADER + FIRST + TEXT + SECOND,
        "not_an_image",
        "PNG: its pixel data (IDAT) continue after tEXt",
    ),
    "two pictures": (
        HEADER + pixels() + TEXT + pixels(255 - RAMP),
        "not_an_image",
        "PNG: its pixel data (IDAT) continue after tEXt",
    ),
    "no pixels": (HEADER, "unreadable", "PNG: it has no pixel data"),
    "checksum of the header": (
        wrong_checksum(HEADER) + pixels(),
        "unreadable",
        "PNG: the checksum of its chunk IHDR is wrong",
    ),
    "checksum of the palette": (
        INDEXED + wrong_checksum(LEVELS) + pixels(),
        "unreadable",
        "PNG: the checksum of its chunk PLTE is wrong",
    ),
    "checksum of the pixels": (
        HEADER + wrong_checksum(pixels()),
        "unreadable",
        "PNG: the checksum of its pixel data is wrong",
    ),
    "checksum of the transparent colour": (
        HEADER + wrong_checksum(png_chunk(b"tRNS", bytes(2))) + pixels(),
        "unreadable",
        "PNG: the checksum of its chunk tRNS is wrong",
    ),
    "checksum of a needed chunk that nobody knows": (
        HEADER + wrong_checksum(png_chunk(b"QUUX")) + pixels(),
        "unreadable",
        "PNG: the checksum of its chunk QUUX is wrong",
    ),
    "half a transparent colour": (
        HEADER + png_chunk(b"tRNS", b"\0") + pixels(),
        "unreadable",
        "PNG: its chunk tRNS has 1 bytes, not 2",
    ),
    "depth": (
        png_header(12, 10, bits=3) + pixels(),
        "unreadable",
        "PNG: its header says 3 bits of colour type 0",
    ),
    "colour type": (
        png_header(12, 10, colour=5) + pixels(),
        "unreadable",
        "PNG: its header says 8 bits of colour type 5",
    ),
}


@pytest.mark.parametrize(("chunks", "code", "detail"), WRONG.values(), ids=WRONG)
def test_what_makes_pixels_must_be_right_and_in_order(chunks, code, detail):
    assert fault(SIGNATURE + chunks + IEND) == (code, detail)


def test_pixels_may_lie_in_several_chunks_in_a_row():
    np.testing.assert_array_equal(decode(SIGNATURE + HEADER + FIRST + SECOND + TEXT + IEND).grey, RAMP)


def test_a_palette_of_a_picture_that_needs_none_is_a_suggestion():
    for data in (make_png(RAMP, before=LEVELS + OTHERS), make_png(RAMP, behind=OTHERS)):
        np.testing.assert_array_equal(decode(data).grey, RAMP)


def test_transparency_behind_the_pixels_is_none_and_the_first_one_counts():
    first, second = (png_chunk(b"tRNS", bytes([0, level])) for level in (0, 2))
    assert decode(make_png(RAMP, behind=first)).one_channel
    np.testing.assert_array_equal(
        decode(make_png(RAMP, before=first + second)).grey, decode(make_png(RAMP, before=first)).grey
    )


@pytest.mark.parametrize("length", [8, 15, 16, 20, 32])
def test_a_file_that_ends_in_its_header_is_truncated(length):
    assert fault(make_png(RAMP)[:length])[0] == "truncated"


def test_what_lies_behind_the_end_is_not_looked_at():
    data = make_png(RAMP) + png_header(9, 9) + wrong_checksum(pixels()) + bytes(100)
    np.testing.assert_array_equal(decode(data).grey, RAMP)


KINDS = [b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"eXIf", b"tEXt", b"zTXt", b"acTL", b"fcTL", b"fdAT", b"QUUX", b"quUx"]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=20), st.booleans()), max_size=6), st.booleans())
def test_any_chunks_round_the_pixels_give_the_picture_or_an_error(chunks, behind):
    extra = b"".join(
        png_chunk(kind, content) if right else wrong_checksum(png_chunk(kind, content))
        for kind, content, right in chunks
    )
    data = make_png(RAMP, **{"behind" if behind else "before": extra})
    kinds = {kind for kind, _, _ in chunks}
    try:
        picture = decode(data)
    except ImageError as error:
        assert kinds & {b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"QUUX"}, error  # noqa: PT017
    else:
        if b"tRNS" not in kinds and b"eXIf" not in kinds:
            np.testing.assert_array_equal(picture.grey, RAMP)
