"""PBM, PGM, PPM and PFM: Pillow's samples for every valid file, at a fraction of its time; what is no such file."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.pictures import fault

from batch_infer.decoding.decode import decode
from batch_infer.decoding.decoders.pnm import decode_pnm
from batch_infer.errors import ImageError

SPACES = st.text(" \t\n\v\f\r", min_size=1, max_size=3).map(str.encode)


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=["PPM"]) as image:
        values = np.array(image.convert("L") if image.mode == "1" else image)
    return values.astype(np.uint16) if values.dtype == np.int32 else values


@st.composite
def files(draw) -> bytes:
    """Valid files of every kind, with odd white space, and samples up to the largest value."""
    kind = draw(st.sampled_from([1, 2, 3, 4, 5, 6]))
    width, height = draw(st.integers(1, 20)), draw(st.integers(1, 12))
    largest = draw(st.sampled_from([1, 2, 3, 100, 254, 255, 256, 1000, 65_534, 65_535]) | st.integers(1, 65_535))
    count = width * height * (3 if kind in {3, 6} else 1)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    first = draw(st.sampled_from([b" ", b"\n", b"\t", b"\r"]))
    gaps = [draw(SPACES) for _ in range(3)]
    head = b"P%d" % kind + first + gaps[0] + b"%d" % width + gaps[1] + b"%d" % height
    if kind not in {1, 4}:
        head += gaps[2] + b"%d" % largest
    if kind == 4:
        return head + b"\n" + rng.bytes(-(-width // 8) * height)
    if kind in {5, 6}:
        samples = rng.integers(0, largest + 1, count)
        return head + b"\n" + samples.astype(np.uint8 if largest < 256 else ">u2").tobytes()
    samples = rng.integers(0, (1 if kind == 1 else largest) + 1, count).tolist()
    zeros = draw(st.sampled_from(["", "0", "000"])) if kind != 1 else ""
    gap = draw(st.just(b"") | SPACES) if kind == 1 else draw(SPACES)
    return head + b"\n" + gap.join(f"{zeros}{sample}".encode() for sample in samples) + draw(st.just(b"") | SPACES)


@settings(max_examples=600, deadline=None)
@given(files())
def test_samples_are_pillows(data):
    values = decode_pnm(data)
    np.testing.assert_array_equal(values, by_pillow(data))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 20), st.integers(1, 12), st.sampled_from(["<f4", ">f4"]), st.integers(0, 2**32))
def test_floats_are_pillows(width, height, order, seed):
    values = np.random.default_rng(seed).normal(0, 1e6, width * height).astype(order)
    data = b"Pf\n%d %d\n%s1.0\n" % (width, height, b"-" if order == "<f4" else b"") + values.tobytes()
    np.testing.assert_array_equal(decode_pnm(data), by_pillow(data))


def test_comments_stand_wherever_white_space_may():
    expected = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    for data in (
        b"P2 # one\n#two\r3 2#three\n255 1 2 3 4 5 6",
        b"P2\n3 2\n255\n1 2 3# a row\n4 5 6 # the end",
        b"P2\n3 2\n255\n1 # 9 9 9\n2 3\n#\n#\n4 5 6\n7 8 9",
        b"P2\n3 2\n255 #\n1 2#\n3 4 5 6# no end of line",
    ):
        np.testing.assert_array_equal(decode_pnm(data), expected)
    np.testing.assert_array_equal(decode_pnm(b"P5 #a\n3 2 255#b\n\1\2\3\4\5\6"), expected)
    np.testing.assert_array_equal(decode_pnm(b"P5 3 2 255\n#\2\3\4\5\6")[0, 0], ord("#"))
    bits = np.array([[0, 255, 0], [255, 0, 255]], np.uint8)
    np.testing.assert_array_equal(decode_pnm(b"P1 3 2\n101#11\n010"), bits)


def test_more_than_the_largest_value_is_cut_off_in_binary_files():
    data = b"P5 3 1 100\n\0\x64\xff"
    assert decode_pnm(data).tolist() == [[0, 255, 255]]
    np.testing.assert_array_equal(decode_pnm(data), by_pillow(data))


def test_numbers_across_the_ends_of_blocks_stay_whole():
    values = np.random.default_rng(0).integers(0, 65_536, (1000, 700))
    text = b"P2\n700 1000\n65535\n" + b" ".join(b"%d" % value for value in values.ravel())
    assert len(text) > 3 << 20
    np.testing.assert_array_equal(decode_pnm(text), values)
    spaced = b"P2\n700 1000\n65535\n" + b"     ".join(b"%06d" % value for value in values.ravel())
    np.testing.assert_array_equal(decode_pnm(spaced), values)


@pytest.mark.parametrize(
    ("data", "code", "detail"),
    [
        (b"P2\n", "truncated", "PPM: it ends within its header"),
        (b"P2\n1 1 255\n", "truncated", "PPM: it ends before its last pixel"),
        (b"P2\n2 1 255\n1 ", "truncated", "PPM: it ends before its last pixel"),
        (b"P2\n2 1 255\n1   ", "truncated", "PPM: it ends before its last pixel"),
        (b"P1\n4 1\n101", "truncated", "PPM: it ends before its last pixel"),
        (b"P1\n4 1\n1 0 1", "truncated", "PPM: it ends before its last pixel"),
        (b"P5\n2 2 255\n\1\2\3", "truncated", "PPM: its pixels end 1 bytes early"),
        (b"P4\n9 2\n\1\2\3", "truncated", "PPM: its pixels end 1 bytes early"),
        (b"P2\n1_0 1 255\n1", "unreadable", "PPM: '1_0' in its header; expected a whole number"),
        (b"P2\n-1 1 255\n1", "unreadable", "PPM: '-1' in its header; expected a whole number"),
        (b"P2\n0 1 255\n1", "unreadable", "0×1 pixels"),
        (b"P2\n1 1 0\n0", "unreadable", "PPM: its largest value is 0; expected 1 to 65535"),
        (b"P2\n1 1 65536\n0", "unreadable", "PPM: its largest value is 65536; expected 1 to 65535"),
        (b"P2\n2 1 255\n1 256", "unreadable", "PPM: one of its pixels is 256; its header says 255"),
        (b"P2\n2 1 255\n1 -2", "unreadable", "PPM: '-' among its pixels"),
        (b"P2\n2 1 255\n1 2x", "unreadable", "PPM: 'x' among its pixels"),
        (b"P2\n2 1 255\n1 1.5", "unreadable", "PPM: '.' among its pixels"),
        (b"P2\n2 1 255\n1 00000000001", "unreadable", "PPM: one of its pixels has more than 10 digits"),
        (b"P2\n2 1 255\n1 " + b"0" * 99, "unreadable", "PPM: one of its pixels has more than 10 digits"),
        (b"P1\n4 1\n1021", "unreadable", "PPM: its pixels are not 0 and 1 alone"),
        (b"P5\n" + b"#\n" * 1001 + b"1 1 255\n\0", "too_large", "more than 1,000 comments"),
        (b"Pf\n1 1\nnan\n" + bytes(4), "unreadable", "PPM: its scale is not a number other than 0"),
        (b"Pf\n1 1\n" + b"1" * 70 + b"\n" + bytes(99), "unreadable", "PPM: its header cannot be read"),
    ],
)
def test_what_is_wrong(data, code, detail):
    assert fault(data) == (code, detail)


def test_what_follows_the_last_pixel_is_not_looked_at():
    assert decode_pnm(b"P2\n2 1 255\n1 2 and more").tolist() == [[1, 2]]
    assert decode_pnm(b"P1\n2 1\n10 2").tolist() == [[0, 255]]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"Pf"]), st.text("0129 \n#-.x", max_size=40))
def test_any_text_gives_a_picture_or_an_error(magic, text):
    try:
        grey = decode(magic + b"\n" + text.encode()).grey
    except ImageError:
        return
    assert grey.dtype == np.uint8


def test_a_plain_text_file_of_64_mb_is_read_whole():
    """No test times anything: Pillow took 14 s for this one, and here it must end at all."""
    side = 4096
    data = b"P2\n%d %d\n255\n" % (side, side) + b"255 " * (side * side - 1) + b"0 "
    assert len(data) > 64 * 10**6
    grey = decode(data).grey
    assert grey.shape == (1024, 1024)
    assert grey[0, 0] == 255
    assert grey[-1, -1] < 255
