"""Pictures of any shape, thin strips above all: rows and columns are reduced by other factors, and nothing breaks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from batch_infer.normalization.pipeline import examine

pytestmark = pytest.mark.slow  # looks at many pictures

LONG = st.sampled_from([28, 64, 65, 320, 321, 340, 639, 641, 1023, 1024, 1025, 2047, 4000]) | st.integers(1, 4000)
SHORT = st.integers(1, 40)
SIDE = st.integers(1, 400)
SHAPES = st.one_of(
    st.tuples(LONG, SHORT),
    st.tuples(SHORT, LONG),
    st.tuples(SIDE, SIDE),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
PLACE = st.floats(0, 1)
LEVEL = st.integers(0, 255)
MARKS = st.lists(
    st.tuples(
        st.sampled_from(["line", "dot", "rectangle", "circle"]),
        st.tuples(PLACE, PLACE),
        st.tuples(PLACE, PLACE),
        st.sampled_from([1.0, 0.2, 0.02]),  # how far the second end may lie from the first, of the picture
        LEVEL,
        st.integers(1, 6),
    ),
    max_size=6,
)


def drawn(shape, background, marks) -> np.ndarray:
    """A picture with marks anywhere, also beyond its edges."""
    width, height = shape
    image = Image.new("L", shape, background)
    draw = ImageDraw.Draw(image)
    for kind, (right, down), (away_x, away_y), reach, level, thick in marks:
        x, y = int(right * (width - 1)), int(down * (height - 1))
        x2, y2 = x + int((away_x - 0.5) * 2 * reach * width), y + int((away_y - 0.5) * 2 * reach * height)
        box = (min(x, x2), min(y, y2), max(x, x2), max(y, y2))
        if kind == "line":
            draw.line((x, y, x2, y2), fill=level, width=thick)
        elif kind == "dot":
            draw.point((x, y), fill=level)
        elif kind == "rectangle":
            draw.rectangle(box, fill=level)
        else:
            draw.ellipse(box, outline=level, width=thick)
    return np.asarray(image)


def check(picture: np.ndarray) -> np.ndarray | None:
    """Normalize both polarities: an image or None, and nothing else."""
    results = [examine(picture).image, examine(255 - picture).image]
    for result in results:
        assert result is None or (result.shape == (28, 28) and result.dtype == np.uint8)
    return results[0]


@settings(max_examples=400, deadline=None)
@given(SHAPES, LEVEL | st.sampled_from([0, 255]), MARKS)
def test_marks_anywhere_in_any_shape_give_an_image_or_none(shape, background, marks):
    check(drawn(shape, background, marks))


@settings(max_examples=150, deadline=None)
@given(SHAPES, st.integers(0, 2**32), st.sampled_from([2.0, 10.0, 40.0, 400.0]), MARKS)
def test_noise_in_any_shape_gives_an_image_or_none(shape, seed, spread, marks):
    noise = np.random.default_rng(seed).normal(0, spread, shape[::-1])
    check(np.clip(drawn(shape, 200, marks) + noise, 0, 255).astype(np.uint8))


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.integers(0, 2**32))
def test_two_levels_in_any_shape_give_an_image_or_none(shape, seed):
    check((np.random.default_rng(seed).random(shape[::-1]) < 0.1) * np.uint8(255))


def test_the_line_at_the_end_of_a_strip():
    """The rows of this one are reduced by 9 / 4, its columns by 2."""
    image = Image.new("L", (340, 9), 255)
    ImageDraw.Draw(image).line([(326, 1), (332, 1), (328, 7)], fill=0, width=2)
    strip = np.asarray(image)
    for picture in (strip, strip[:, ::-1], strip.T, strip.T[::-1]):
        assert check(picture) is not None
    # It is the line: cut out of the strip, it gives the same.
    np.testing.assert_array_equal(examine(strip).image, examine(strip[:, 319:]).image)


def lines(seed: int) -> np.ndarray:
    """A strip with two strokes at a random place, often at its end: 7 to 33 px high, 321 to 700 wide."""
    rng = np.random.default_rng(seed)
    height, width = int(rng.integers(7, 34)), int(rng.integers(321, 700))
    image = Image.new("L", (width, height), 255)
    x = width - height if rng.random() < 0.5 else int(rng.integers(0, width - height))
    ends = [(x + int(rng.integers(0, height)), int(rng.integers(0, height))) for _ in range(3)]
    ImageDraw.Draw(image).line(ends, fill=int(rng.integers(0, 100)), width=int(rng.integers(1, 4)))
    return np.asarray(image)


@pytest.mark.parametrize("block", range(10))
def test_drawn_strips_of_any_seed_give_an_image_or_none(block):
    for seed in range(block * 100, block * 100 + 100):
        check(lines(seed))


def in_strip(digit: np.ndarray, height: int, width: int, left: int) -> np.ndarray:
    """A digit on paper as high as it, `left` px from the beginning."""
    ink = np.asarray(Image.fromarray(digit[2:26, 2:26]).resize((height, height), Image.Resampling.BICUBIC))
    strip = np.full((height, width), 255, np.uint8)
    strip[:, left : left + height] -= ink
    return strip


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize("height", [12, 13, 15, 17, 20, 25, 29, 33])
def test_a_digit_in_a_strip_is_what_it_is_alone(mnist, classifier, height, upright):
    """A digit of a thirtieth of the picture's length and more; smaller ones may pass for specks."""
    rng = np.random.default_rng(height)
    margin = min(height // 2, (62 - height) // 2)  # alone it is a small picture: above 64 px grain is smoothed
    near, count = 0, 40
    for digit in mnist.images[:count]:
        turned = digit.T if upright else digit
        width = int(rng.integers(321, min(30 * height, 641)))
        left = int(rng.integers(margin, width - height - margin))
        pair = [
            in_strip(turned, height, height + 2 * margin, margin),
            in_strip(turned, height, width, left),
        ]
        images = [examine(picture.T if upright else picture).image for picture in pair]
        assert images[0] is not None
        assert images[1] is not None, (width, left)
        assert len({int(np.argmax(row)) for row in classifier.predict_proba(np.stack(images))}) == 1, (width, left)
        near += np.abs(images[0].astype(int) - images[1]).mean() < 2
    assert near >= 0.95 * count or height > 28  # a larger one is cut out of the strip with more than 64 px
