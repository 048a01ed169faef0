"""Pictures of levels 0 to 8 are stretched one by one; noise, uniform and brighter ones stay."""

import numpy as np
import pytest
from support.pictures import encoded

from batch_infer import normalize
from batch_infer.decoding.decode import decode
from batch_infer.decoding.pixels.low_levels import LOW_PEAK, stretch_low

BAR = np.zeros((40, 30), np.uint8)
BAR[5:35, 12:17] = 1


@pytest.mark.parametrize("top", range(1, 10))
def test_the_darkest_becomes_0_and_the_lightest_255(top):
    assert stretch_low(BAR * np.uint8(top)).max() == (255 if top <= LOW_PEAK else top)


def test_levels_between_are_spread_evenly():
    ramp = np.tile(np.arange(3, 9, dtype=np.uint8), (30, 5)).repeat(4, 1)
    assert np.unique(stretch_low(ramp)).tolist() == [0, 51, 102, 153, 204, 255]


@pytest.mark.parametrize("level", range(9))
def test_uniform_pictures_stay(level):
    picture = np.full((20, 20), level, np.uint8)
    assert stretch_low(picture) is picture


@pytest.mark.parametrize("side", [16, 28, 64, 150, 300])
@pytest.mark.parametrize("top", [1, 3, 8])
def test_noise_alone_stays_and_holds_no_digit(side, top):
    rng = np.random.default_rng(side)
    for share in (0.05, 0.5):
        noise = rng.integers(0, top + 1, (side, side), np.uint8) * (rng.random((side, side)) < share)
        assert stretch_low(noise) is noise
        assert normalize(noise) is None
        assert normalize(noise.astype(np.int64)) is None


def test_each_of_several_is_stretched_by_itself():
    stack = np.stack([BAR, BAR * 5, BAR * 9, BAR * 0, BAR + 4])
    expected = np.stack([BAR * 255, BAR * 255, BAR * 9, BAR * 0, BAR * 255])
    np.testing.assert_array_equal(stretch_low(stack), expected)
    assert stack.max() == 9
    assert stretch_low(stack[:0]).shape == (0, 40, 30)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float32])
def test_normalize_sees_the_same_in_any_type(dtype):
    np.testing.assert_array_equal(normalize(BAR.astype(dtype)), normalize(BAR * np.uint8(255)))


@pytest.mark.parametrize("name", ["PNG", "BMP", "PPM"])
def test_thin_strokes_of_a_large_mask_do_not_drown_when_it_is_averaged(name):
    mask = np.zeros((3100, 1500), np.uint8)
    mask[500:2600, 700:702] = 1
    np.testing.assert_array_equal(decode(encoded(mask, name)).grey, decode(encoded(mask * np.uint8(255), name)).grey)
