"""The quick way for plain PNGs: the pixels of the general way, or none."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin
from support.helpers import png_chunk
from support.image_bytes import exif

from batch_infer.decoding.decode import decode
from batch_infer.decoding.decoders.png import decode_plain
from batch_infer.decoding.pixels.grayscale import project
from batch_infer.errors import ImageError

pytest.importorskip("pyspng", reason="no wheel for this platform: there is no quick way")


def png(image, **options):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", **options)
    return buffer.getvalue()


def raw_png(width, height, rows, *, level=6, channels=1):
    """A grey or RGB PNG out of rows as the file has them, each with its filter's number in front."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    pixels = zlib.compress(rows, level)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def by_pillow(data):
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        return np.array(image)


@pytest.mark.slow
def test_the_whole_test_split_has_pillows_pixels(mnist):
    for image in mnist.images:
        data = png(image)
        np.testing.assert_array_equal(decode_plain(data).grey, image)
    np.testing.assert_array_equal(by_pillow(data), image)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_every_filter_and_size_has_pillows_pixels(data):
    width, height, channels = (
        data.draw(st.integers(1, 40)),
        data.draw(st.integers(1, 40)),
        data.draw(st.sampled_from([1, 3])),
    )
    filters = data.draw(st.lists(st.integers(0, 4), min_size=height, max_size=height))
    pixels = np.random.default_rng(data.draw(st.integers(0, 2**32))).bytes(width * height * channels)
    length = width * channels
    rows = b"".join(bytes([kind]) + pixels[row * length : (row + 1) * length] for row, kind in enumerate(filters))
    encoded = raw_png(width, height, rows, level=data.draw(st.sampled_from([0, 1, 9])), channels=channels)
    expected = by_pillow(encoded)
    picture = decode_plain(encoded)
    np.testing.assert_array_equal(picture.grey, expected if channels == 1 else project(expected))
    assert picture.one_channel == (channels == 1)


@settings(max_examples=400, deadline=None)
@given(st.integers(8, 300), st.integers(0, 255))
def test_a_changed_byte_is_never_another_picture(position, value):
    image = (np.arange(28 * 28, dtype=np.uint32).reshape(28, 28) * 7919 >> 3).astype(np.uint8)
    data = bytearray(png(image))
    data[min(position, len(data) - 1)] = value
    quick = decode_plain(bytes(data))
    if quick is not None:
        np.testing.assert_array_equal(quick.grey, image)


def test_what_is_cut_off_or_has_too_few_pixels_is_left_to_the_general_way():
    whole = png(np.zeros((28, 28), np.uint8))
    assert all(decode_plain(whole[:length]) is None for length in range(len(whole)))
    short = raw_png(28, 28, bytes(29 * 27 + 1))
    assert decode_plain(short) is None
    with pytest.raises(ImageError, match="truncated"):
        decode(short)


def test_a_grey_picture_in_three_channels_is_that_picture():
    grey = np.random.default_rng(0).integers(0, 256, (40, 30), np.uint8)
    np.testing.assert_array_equal(decode_plain(png(np.stack([grey] * 3, -1))).grey, grey)


GREY = np.arange(784, dtype=np.uint8).reshape(28, 28)


def with_text():
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x")
    return info


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n",
        png(np.stack([GREY] * 4, -1)),
        png(GREY.astype(np.uint16) * 257),
        png(GREY > 99),
        png(GREY, transparency=0),
        png(GREY, pnginfo=with_text()),
        png(GREY, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"),
        png(np.zeros((300, 28), np.uint8)),
    ],
    ids=["empty", "magic", "RGBA", "16 bit", "1 bit", "transparent", "text", "exif", "large"],
)
def test_anything_else_is_left_to_the_general_way(data):
    assert decode_plain(data) is None


@pytest.mark.parametrize(
    "options", [{"pnginfo": with_text()}, {"exif": exif(1)}, {"dpi": (72, 72)}], ids=["text", "exif", "resolution"]
)
def test_metadata_are_stripped_and_the_rest_takes_the_quick_way(options, monkeypatch):
    monkeypatch.setattr("PIL.Image.open", None)
    picture = decode(png(GREY, **options))
    np.testing.assert_array_equal(picture.grey, GREY)
    assert picture.one_channel


def test_a_rotation_or_a_transparent_colour_is_not_lost_on_the_quick_way():
    np.testing.assert_array_equal(decode(png(GREY, exif=exif(3))).grey, GREY[::-1, ::-1])
    assert not decode(png(GREY, transparency=0, pnginfo=with_text())).one_channel
