"""A JPEG without its metadata has the same pixels, however its colours are stored; what is wrong with its segments."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.image_bytes import segment
from support.pictures import fault

from batch_infer.decoding.decode import decode
from batch_infer.decoding.structure.jpeg import MAX_TABLES, read_jpeg
from batch_infer.errors import ImageError

NOISE = np.random.default_rng(3).integers(0, 256, (40, 50, 4), np.uint8)


def saved(mode: str, **options) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(NOISE[..., :3]) if mode == "RGB" else Image.fromarray(NOISE).convert(mode)
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        return np.array(image)


EXTRA = (
    segment(0xE1, b"Exif\0\0soup")
    + segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(500))
    + segment(0xED, b"Photoshop 3.0\x008BIM" + bytes(60))
    + segment(0xFE, b"\xff\xd8\xff\xc0 a comment \xff\xd9")
    + segment(0xE5, b"")
)
FILES = {
    "grey": saved("L"),
    "YCbCr": saved("RGB", quality=90),
    "4:4:4": saved("RGB", quality=90, subsampling=0),
    "RGB by Adobe's mark": saved("RGB", keep_rgb=True),
    "CMYK": saved("CMYK"),
    "progressive": saved("RGB", progressive=True),
    "restarts": saved("RGB", restart_marker_blocks=2),
    "optimized": saved("L", optimize=True),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES)
def test_the_pixels_are_the_same_without_metadata(data):
    expected = by_pillow(data)
    for file in (data, data[:2] + EXTRA + data[2:], data[:2] + b"\xff\xff\xff" + data[3:], data + bytes(999)):
        found = read_jpeg(file)
        assert (found.width, found.height) == (50, 40)
        np.testing.assert_array_equal(by_pillow(found.data), expected)
        assert b"soup" not in found.data
        assert b"ICC_PROFILE" not in found.data


@pytest.mark.parametrize(
    ("data", "code", "detail"),
    [
        (b"\xff\xd8\xff", "truncated", "JPEG: it ends before its pixels"),
        (b"\xff\xd8\xff\xff\xff", "truncated", "JPEG: it ends before its pixels"),
        (b"\xff\xd8\xff\xe0\0", "truncated", "JPEG: it ends before its pixels"),
        (b"\xff\xd8\xff\xe0\0\1", "unreadable", "JPEG: its segment FF E0 has no length"),
        (b"\xff\xd8\xff\xd9", "unreadable", "JPEG: it ends before its pixels"),
        (b"\xff\xd8\xff\xd8", "unreadable", "JPEG: a marker FF D8 comes before its pixels"),
        (
            b"\xff\xd8" + segment(0xDA, b"\1\1\0\0?\0"),
            "not_an_image",
            "JPEG: its pixels come before a frame header (SOF)",
        ),
        (
            b"\xff\xd8" + segment(0xDB, bytes(65 * 1000)) * 17,
            "too_large",
            f"JPEG: more than {MAX_TABLES:,} bytes of tables",
        ),
    ],
)
def test_what_is_wrong_with_the_segments(data, code, detail):
    assert fault(data) == (code, detail)


@settings(max_examples=300, deadline=None)
@given(st.integers(2, 700), st.binary(min_size=1, max_size=6))
def test_bytes_put_in_anywhere_give_a_picture_or_an_error(place, extra):
    data = FILES["YCbCr"]
    try:
        grey = decode(data[:place] + extra + data[place:]).grey
    except ImageError:
        return
    assert grey.ndim == 2
