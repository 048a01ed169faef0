"""Ruled lines and the boxes of forms are taken out from under a digit; the digit's own straight strokes stay."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from batch_infer.normalization.lines.detection import Line, find_lines
from batch_infer.normalization.lines.printed import printed
from batch_infer.normalization.lines.removal import Ruling, may_be_ruled, rulings
from batch_infer.normalization.pipeline import normalize

pytestmark = pytest.mark.slow  # looks at many pictures

# Polylines in units of the digit's height, as a quick mouse draws them: long, straight, and just upright or level.
STRAIGHT = {
    "1": [[(0.2, 0.2), (0.4, 0), (0.4, 1)], [(0.1, 1), (0.7, 1)]],
    "4": [[(0.1, 0), (0.1, 0.6), (0.7, 0.6)], [(0.5, 0.1), (0.5, 1)]],
    "7": [[(0, 0), (0.7, 0), (0.3, 1)], [(0.2, 0.5), (0.7, 0.5)]],
    "9": [[(0.6, 0), (0, 0), (0, 0.5), (0.6, 0.5)], [(0.6, 0), (0.62, 1)]],
    "0": [[(0, 0), (0.6, 0), (0.6, 1), (0, 1), (0, 0)]],
    "8": [[(0, 0), (0.6, 0), (0.6, 1), (0, 1), (0, 0)], [(0, 0.5), (0.6, 0.5)]],
}
SLANTED = [[(0, 0.35), (0.5, 0), (0.2, 1)]]  # a 7 without a straight line


def drawn(lines, size, *, corner, height, pen):
    """Light lines on black: (H, W) uint8 of a `size` (H, W), drawn four times as large and averaged."""
    picture = Image.new("L", (4 * size[1], 4 * size[0]))
    draw = ImageDraw.Draw(picture)
    for line in lines:
        points = [(4 * (corner[1] + height * x), 4 * (corner[0] + height * y)) for x, y in line]
        draw.line(points, 255, 4 * pen, joint="curve")
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BOX))


def cut(picture):
    """The part of an (H, W) picture that holds the ink."""
    rows, columns = np.flatnonzero(picture.max(1) > 127), np.flatnonzero(picture.max(0) > 127)
    return picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def shows_all(form, digit):
    """Whether the form has ink wherever the digit has: both are compared in a few cells."""
    seen, drawn = (
        np.asarray(Image.fromarray(part).resize((5, 7), Image.Resampling.BOX)) > 20 for part in (cut(form), digit)
    )
    return not (drawn & ~seen).any()


def same_form(picture, clean, most=9):
    """Whether both become nearly the same picture, `most` levels apart in the mean."""
    form, expected = normalize(picture), normalize(clean)
    assert form is not None
    assert expected is not None
    return np.abs(form.astype(int) - expected).mean() < most


@pytest.mark.parametrize("digit", STRAIGHT)
@pytest.mark.parametrize("pen", [2, 4, 7])
@pytest.mark.parametrize("canvas", [(200, 220), (280, 280), (60, 60)])
def test_a_digits_own_straight_strokes_stay(digit, pen, canvas):
    pen = max(2, round(pen * min(canvas) / 280))
    height = 0.7 * canvas[0]
    corner = 0.15 * canvas[0], 0.25 * canvas[1]
    picture = drawn(STRAIGHT[digit], canvas, corner=corner, height=height, pen=pen)
    assert shows_all(normalize(picture), cut(picture))


@pytest.mark.parametrize("pen", [2, 4, 7])
def test_a_digits_own_straight_strokes_stay_in_a_tight_crop(pen):
    four = [[(0.25, 0), (0, 0.55), (0.3, 0.68), (0.7, 0.55)], [(0.5, 0), (0.5, 1)]]
    picture = cut(drawn(four, (280, 280), corner=(40, 80), height=200, pen=pen))
    assert shows_all(normalize(picture), picture)


@pytest.mark.parametrize(("side", "pen", "line"), [(200, 8, 2), (200, 6, 5), (300, 9, 3), (32, 2, 1), (40, 2, 1)])
def test_a_box_with_a_digit_across_goes_and_the_strokes_stay(side, pen, line):
    clean = drawn(SLANTED, (side, side), corner=(0.1 * side, 0.3 * side), height=0.8 * side, pen=pen)
    picture = clean.copy()
    low, high = round(0.15 * side), round(0.85 * side)
    for edge in (low, high):
        picture[edge : edge + line, low : high + line] = 255
        picture[low : high + line, edge : edge + line] = 255
    assert same_form(picture, clean)
    assert same_form(255 - picture, clean)


def test_a_box_of_thick_lines_goes():
    clean = drawn(SLANTED, (200, 200), corner=(20, 60), height=160, pen=12)
    picture = clean.copy()
    for edge in (30, 170):
        picture[edge : edge + 10, 30:180] = picture[30:180, edge : edge + 10] = 255
    assert same_form(picture, clean, most=16)  # the strokes' ends outside the box are short and go


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize(("height", "line"), [(40, 1), (60, 2), (100, 4)])
def test_a_row_of_boxes_goes_but_for_the_digit(height, line, place):
    """They share their sides; these are no longer than the digit's strokes, and a fifth of the picture's length."""
    clean = drawn(
        SLANTED,
        (height, 5 * height),
        corner=(0.2 * height, (place + 0.3) * height * 0.96),
        height=0.55 * height,
        pen=8 * height // 100,
    )
    picture = clean.copy()
    step, low, high = round(0.96 * height), round(0.08 * height), round(0.92 * height)
    for edge in (low, high):
        picture[edge : edge + line, 2 : 2 + 5 * step + line] = 200
    for edge in range(2, 2 + 5 * step + 1, step):
        picture[low : high + line, edge : edge + line] = 200
    assert same_form(picture, clean)
    assert same_form(255 - picture.T, clean.T)


def test_a_thick_box_goes_where_the_digit_touches_it():
    clean = drawn(SLANTED, (120, 120), corner=(16, 40), height=80, pen=7)
    picture = clean.copy()
    for edge in (12, 100):
        picture[edge : edge + 8, 12:108] = picture[12:108, edge : edge + 8] = 255
    assert same_form(picture, clean)


@pytest.mark.parametrize(("side", "pen", "line"), [(200, 8, 2), (300, 9, 3), (40, 2, 1), (56, 3, 2)])
def test_a_base_line_goes(side, pen, line):
    clean = drawn(SLANTED, (side, side), corner=(0.1 * side, 0.3 * side), height=0.7 * side, pen=pen)
    picture = clean.copy()
    picture[round(0.75 * side) : round(0.75 * side) + line] = 255
    assert same_form(picture, clean)


def test_an_upright_1_between_the_lines_of_a_box_stays():
    picture = np.zeros((200, 200), np.uint8)
    picture[30:33, 30:170] = picture[167:170, 30:170] = 255
    picture[30:170, 30:33] = picture[30:170, 167:170] = 255
    picture[30:170, 100:104] = 255
    form = normalize(picture)
    assert np.count_nonzero(form.max(0) > 127) <= 5
    assert np.count_nonzero(form.max(1) > 127) >= 18


def level(row, first, last):
    return Line(start=row, slope=0, half=1, first=first, last=last)


def test_lines_that_end_at_an_edge_or_on_such_lines_are_printed():
    rows, columns = [level(20, 10, 90), level(80, 10, 90)], [level(10, 20, 80), level(90, 20, 80)]
    assert printed(rows, columns, (100, 100)) == (rows, columns)  # a box
    beyond = [level(10, 0, 80), level(90, 20, 99)]
    assert printed(rows, beyond, (100, 100)) == (rows, beyond)
    within = [*columns, level(50, 20, 80)]
    assert printed(rows, within, (100, 100)) == (rows, within)  # two boxes
    assert printed([level(50, 0, 99)], [], (100, 100)) == ([level(50, 0, 99)], [])  # a ruled line
    assert printed([], [], (100, 100)) == ([], [])


def test_a_stroke_that_ends_freely_holds_nothing():
    rows, columns = [level(20, 10, 90), level(60, 10, 90)], [level(10, 20, 60), level(90, 20, 85)]
    assert printed(rows, columns, (100, 100)) == ([], [])  # a 9
    assert printed([level(50, 10, 90)], [level(50, 5, 95)], (100, 100)) == ([], [])  # a cross


def test_lines_are_found_and_taken_out_and_strokes_across_them_stay():
    picture = np.zeros((100, 120), np.uint8)
    picture[50:52] = 200  # a line
    picture[20:90, 60:68] = 250  # a stroke across it
    (line,) = find_lines(picture > 100, 5)
    assert (round(line.start, 1), round(line.slope, 2), line.half) == (50.5, 0, 1)
    assert (line.first, line.last) == (0, 119)
    expected = np.zeros_like(picture)
    expected[20:90, 60:68] = 250
    np.testing.assert_array_equal(Ruling([line], []).erased_from(picture), expected)
    (lines,) = rulings(picture.T > 100)
    assert not lines.rows
    np.testing.assert_array_equal(lines.erased_from(np.ascontiguousarray(picture.T)), expected.T)


def test_dark_ink_over_a_faint_line_is_not_touched():
    picture = np.zeros((100, 120), np.uint8)
    picture[50:53] = 80
    step = np.arange(40)
    for thick in range(3):
        picture[30 + step, 40 + step + thick] = 240  # a thin slanted stroke
    (line,) = find_lines(picture > 40, 5)
    assert np.array_equal(Ruling([line], []).erased_from(picture) > 128, picture > 128)
    assert Ruling([line], []).erased_from(picture)[picture == 80].max() <= 80


@pytest.mark.parametrize("shape", [(100, 120), (28, 28), (5, 40), (1, 90), (90, 1), (1, 1)])
def test_a_picture_without_lines_has_no_rulings(shape):
    mask = np.zeros(shape, np.bool_)
    mask[shape[0] // 4 : shape[0] // 2, shape[1] // 4 : shape[1] // 2] = True
    assert not list(rulings(mask))
    assert not may_be_ruled(mask)


def test_long_lines_of_a_strip_are_seen():
    """More than 255 px of ink in a row."""
    for width in (250, 280, 600):
        mask = np.zeros((40, width), np.bool_)
        mask[[8, 30]] = True
        assert may_be_ruled(mask), width
