"""The orientation out of EXIF and XMP: what Pillow's parser finds, without its memory."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.helpers import png_chunk
from support.image_bytes import exif, make_png, segment

from batch_infer.decoding.decode import decode
from batch_infer.decoding.pixels.orientation import Metadata, orientation_of, undo_orientation

RAMP = np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12)
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("value", [0, *range(1, 9), 9, 65_535])
def test_either_byte_order_with_or_without_the_mark_of_jpeg(order, value):
    expected = value if 1 <= value <= 8 else 1
    for data in (exif(value, order=order), b"Exif\0\0" + exif(value, order=order)):
        assert orientation_of(Metadata(data)) == expected


def test_xmp_speaks_where_exif_is_silent():
    assert orientation_of(Metadata(b"", XMP)) == 6
    assert orientation_of(Metadata(b"", b"<tiff:Orientation>8</tiff:Orientation>")) == 8
    assert orientation_of(Metadata(exif(3), XMP)) == 3
    assert orientation_of(Metadata(b"junk", XMP)) == 6
    assert orientation_of(Metadata(b"", b'tiff:Orientation="9"')) == 1


@given(st.binary(max_size=80))
def test_any_bytes_have_an_orientation(data):
    for mark in (b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"Exif\0\0II*\0"):
        assert 1 <= orientation_of(Metadata(mark + data, data)) <= 8


@settings(max_examples=200)
@given(st.integers(0, 20), st.integers(0, 9), st.sampled_from("<>"), st.binary(max_size=30))
def test_pillows_parser_finds_the_same(entries, value, order, tail):
    tags = Image.Exif()
    tags.endian = order
    for number in range(entries):
        tags[0x0100 + number * 3] = number  # before and behind the orientation, which is 0x0112
    tags[0x0112] = value
    data = tags.tobytes() + tail
    found = Image.Exif()
    found.load(data)
    expected = found[0x0112]
    assert orientation_of(Metadata(data)) == (expected if 1 <= expected <= 8 else 1)


def stored(orientation: int) -> np.ndarray:
    """The picture that is RAMP when the orientation is undone."""
    transpose = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    return RAMP if transpose is None else np.asarray(Image.fromarray(RAMP).transpose(Image.Transpose(transpose)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_png_says_it_in_any_of_its_chunks_before_or_behind_the_pixels(orientation):
    profile = b"\nexif\n      40\n" + exif(orientation).hex().encode() + b"\n"
    xmp = XMP.replace(b"6", b"%d" % orientation)
    for chunk in (
        png_chunk(b"eXIf", exif(orientation)),
        png_chunk(b"tEXt", b"Raw profile type exif\0" + profile),
        png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
    ):
        for place in ("before", "behind"):
            picture = decode(make_png(stored(orientation), **{place: chunk}))
            np.testing.assert_array_equal(picture.grey, RAMP)
            assert picture.one_channel is (orientation == 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_says_it_in_exif_or_xmp(orientation):
    buffer = io.BytesIO()
    Image.fromarray(stored(orientation)).save(buffer, "JPEG", quality=100)
    data = buffer.getvalue()
    expected = undo_orientation(decode(data).grey, orientation)
    xmp = b"http://ns.adobe.com/xap/1.0/\0" + XMP.replace(b"6", b"%d" % orientation)
    for extra in (segment(0xE1, b"Exif\0\0" + exif(orientation)), segment(0xE1, xmp)):
        picture = decode(data[:2] + extra + data[2:])
        assert picture.grey.shape == RAMP.shape
        np.testing.assert_array_equal(picture.grey, expected)
