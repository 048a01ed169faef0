"""A transparent colour of a PNG is what the same picture with an alpha channel is, at every depth."""

import numpy as np
import pytest
from support.helpers import png_chunk
from support.image_bytes import GREY, GREY_ALPHA, RGB, RGBA, make_png

from batch_infer.decoding.decode import decode

SIDE = 16


def key(*samples: int) -> bytes:
    return png_chunk(b"tRNS", b"".join(sample.to_bytes(2, "big") for sample in samples))


def visible(grey: np.ndarray, transparent: np.ndarray) -> np.ndarray:
    """The picture of 8-bit greys (H, W) and transparent pixels (H, W) bool, as a PNG with alpha channel gives it."""
    return decode(make_png(np.stack([grey, ~transparent * 255], -1), colour=GREY_ALPHA)).grey


def samples(bits: int, seed: int) -> np.ndarray:
    """Most of the pixels transparent-to-be, the others of many greys."""
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 1 << bits, (SIDE, SIDE))
    values[:, ::2] = values[0, 0]
    return values


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("seed", range(5))
def test_grey_of_up_to_8_bits(bits, seed):
    values = samples(bits, seed)
    level = int(values[0, 0])
    picture = decode(make_png(values, bits=bits, before=key(level)))
    grey = (values * (255 // ((1 << bits) - 1))).astype(np.uint8)
    np.testing.assert_array_equal(picture.grey, visible(grey, values == level))
    assert not picture.one_channel


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_bits_above_the_depth_do_not_count(bits):
    values = samples(bits, 7)
    level = int(values[0, 0])
    plain = decode(make_png(values, bits=bits, before=key(level))).grey
    np.testing.assert_array_equal(decode(make_png(values, bits=bits, before=key(level | 0xFF00))).grey, plain)


def test_a_grey_of_4_bits_is_no_grey_of_8():
    values = np.full((SIDE, SIDE), 3)
    values[4:12, 4:12] = 15  # 255 of 8 bits
    values[0] = 0
    picture = decode(make_png(values, bits=4, before=key(3)))
    np.testing.assert_array_equal(picture.grey, visible((values * 17).astype(np.uint8), values == 3))


@pytest.mark.parametrize("seed", range(5))
def test_grey_of_16_bits(seed):
    values = samples(8, seed) * 257
    level = int(values[0, 0])
    picture = decode(make_png(values, bits=16, before=key(level)))
    grey = (values // 257).astype(np.uint8)
    hidden = values == level
    # A pixel that cannot be seen has no part in the scale: any visible grey stands in for it.
    expected = visible(np.where(hidden, grey[~hidden][0], grey), hidden)
    np.testing.assert_array_equal(picture.grey, expected)


def test_greys_of_16_bits_that_differ_in_the_last_one_are_two():
    values = np.full((SIDE, SIDE), 0x1234)
    values[2:14, 2:14] = 0x1235
    values[5:8, 5:8] = 0xF000
    grey = decode(make_png(values, bits=16, before=key(0x1234))).grey
    assert len(np.unique(grey)) == 2  # what is transparent takes the colour of what is seen most: 0x1235
    assert (grey[5:8, 5:8] != grey[4, 4]).all()
    assert (grey[4, 4:12] == grey[0, 0]).all()


def test_16_bits_all_transparent_or_none():
    values = np.full((SIDE, SIDE), 500)
    assert len(np.unique(decode(make_png(values, bits=16, before=key(500))).grey)) == 1
    ramp = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) * 257
    np.testing.assert_array_equal(
        decode(make_png(ramp, bits=16, before=key(1))).grey, decode(make_png(ramp, bits=16)).grey
    )


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("seed", range(5))
def test_colours(bits, seed):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 1 << bits, (SIDE, SIDE, 3))
    values[:, ::2] = values[0, 0]
    colour = tuple(values[0, 0].tolist())
    hidden = (values == values[0, 0]).all(2)
    alpha = ~hidden[..., None] * ((1 << bits) - 1)
    expected = decode(make_png(np.concatenate([values, alpha], -1), colour=RGBA, bits=bits))
    picture = decode(make_png(values, colour=RGB, bits=bits, before=key(*colour)))
    np.testing.assert_array_equal(picture.grey, expected.grey)
    assert not picture.one_channel


def test_colours_of_16_bits_that_differ_in_the_last_one_are_two():
    values = np.full((SIDE, SIDE, 3), 0x8081)
    values[2:14, 2:14] = (0x8081, 0x8080, 0x8081)
    values[6:9, 6:9] = (0xFFFF, 0, 0)
    hidden = (values == 0x8081).all(2)
    alpha = ~hidden[..., None] * 0xFFFF
    expected = decode(make_png(np.concatenate([values, alpha], -1), colour=RGBA, bits=16)).grey
    picture = decode(make_png(values, colour=RGB, bits=16, before=key(0x8081, 0x8081, 0x8081)))
    np.testing.assert_array_equal(picture.grey, expected)
    assert len(np.unique(expected)) > 1


@pytest.mark.parametrize(("bits", "colour"), [(4, GREY), (16, GREY), (8, RGB), (16, RGB)])
def test_large_pictures_are_reduced_with_their_transparency(bits, colour):
    shape = (1500, 1200) if colour == GREY else (1500, 1200, 3)
    values = np.full(shape, 5)
    values[200:1200, 200:800] = (1 << bits) - 1
    values[200:1200, 800:1000] = 0
    samples_ = 1 if colour == GREY else 3
    grey = decode(make_png(values, bits=bits, colour=colour, before=key(*[5] * samples_))).grey
    assert grey.shape == (750, 600)
    assert len({int(grey[300, 200]), int(grey[300, 450])}) == 2
    assert grey[10, 10] in {grey[300, 200], grey[300, 450]}  # the paper takes the colour of what is seen
