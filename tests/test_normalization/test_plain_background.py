"""The paper of a small picture, read off its border."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from batch_infer.normalization.background.plain_background import even_background, plain_background

INK = np.zeros((40, 32), np.float64)
INK[8:32, 14:18] = 1  # an upright stroke


def slope(shape, steep, bend):
    """Light (H, W) of a lamp at one side, 200 in the middle."""
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    return 200 + steep * (0.7 * x - 0.5 * y) - bend * (x * x + y * y)


def test_even_paper_keeps_its_greys():
    image = np.where(INK > 0, 60, 210).astype(np.uint8)
    sheet = plain_background(image)
    assert sheet is not None
    np.testing.assert_array_equal(sheet.light, 255 - image)
    assert (sheet.level, sheet.noise) == (45, 0)


@pytest.mark.parametrize(("steep", "bend"), [(40, 0), (35, 5), (-25, 15)])
@pytest.mark.parametrize("grain", [0, 2])
def test_a_slope_of_light_is_taken_away_and_ink_in_the_shade_counts_as_much(steep, bend, grain):
    paper = slope(INK.shape, steep, bend)
    image = paper * (1 - 0.8 * INK) + np.random.default_rng(0).normal(0, grain, INK.shape)
    sheet = plain_background(image.round().astype(np.uint8))
    assert sheet is not None
    assert sheet.level == 0
    assert sheet.noise == pytest.approx(grain * 255 / 200, rel=0.4, abs=1.5)
    np.testing.assert_allclose(sheet.light, 255 * 0.8 * INK, atol=8 + 6 * grain)


def test_neither_an_edge_of_shadow_nor_ink_all_over_the_border_is_a_plain_background():
    shadow = np.where(np.arange(32) < 12, 120, 210) * (1 - 0.7 * INK)
    assert plain_background(shadow.astype(np.uint8)) is None
    frame = np.full((40, 32), 220, np.uint8)
    frame[:2] = frame[-2:] = frame[:, :2] = frame[:, -2:] = 20
    assert plain_background(frame) is None
    corner = np.where(INK > 0, 60, 210).astype(np.uint8)
    corner[:4, :4] = 60
    assert plain_background(corner) is None


def test_a_tight_crop_whose_strokes_end_at_the_border_is_a_plain_background():
    image = np.full((30, 20), 15, np.uint8)
    image[:, 8:12] = 230
    image[13:17] = 230
    sheet = plain_background(image)
    assert sheet is not None
    np.testing.assert_array_equal(sheet.light, image)


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24)), st.booleans())
@settings(max_examples=300, deadline=None)
def test_an_inverted_picture_gets_the_same_sheet(image, framed):
    if framed:  # paper all round, of few levels: most of these are plain sheets
        image = np.pad(image, 8, constant_values=100) // 8
    sheet, inverted = plain_background(image), plain_background(255 - image)
    if sheet is None or inverted is None:
        assert sheet is inverted
        return
    np.testing.assert_array_equal(sheet.light, inverted.light)
    assert (sheet.level, sheet.noise) == (inverted.level, inverted.noise)


def test_ink_at_half_the_border_leaves_the_papers_level():
    light = np.full((20, 20), 30, np.uint8)
    light[:9] = 200
    sheet = even_background(light)
    assert sheet is not None
    assert (sheet.level, sheet.noise) == (30, 0)
    light[:12] = 200
    assert even_background(light) is None
