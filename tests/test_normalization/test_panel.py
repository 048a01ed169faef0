"""A digit in a drawing area on a page, a plot or a window; and digits that are no panels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from support.helpers import script

from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.inputs.labels.idx_files import read_labels
from batch_infer.normalization.pipeline import normalize

ROOT = Path(__file__).parents[2]
COUNT = 40
changes = script("changes")


@pytest.fixture(scope="module")
def digits():
    return IdxImages(str(ROOT / "train" / "mnist" / "train-images-idx3-ubyte.gz")).read_all()[:COUNT]


@pytest.fixture(scope="module")
def labels():
    return read_labels(str(ROOT / "train" / "mnist" / "train-labels-idx1-ubyte.gz"), 60_000)[:COUNT]


def page_with(canvas, shape, corner, *, level=245):
    page = np.full(shape, level, np.uint8)
    top, left = corner
    page[top : top + canvas.shape[0], left : left + canvas.shape[1]] = canvas
    return page


def window_with(canvas, rng):
    """A canvas over two buttons, in a window that lies on a grey desktop."""
    side = canvas.shape[0]
    window = Image.fromarray(page_with(canvas, (side * 2, side * 3), (side // 4, side)))
    draw = ImageDraw.Draw(window)
    for left in (side * 1.05, side * 1.55):
        draw.rectangle((left, side * 1.4, left + side * 0.4, side * 1.55), fill=225, outline=120)
    margin = int(rng.integers(side // 8, side // 3))
    return np.pad(np.asarray(window), margin, constant_values=110)


@pytest.mark.parametrize("inverted", [False, True], ids=["dark canvas", "light canvas on a dark page"])
@pytest.mark.parametrize("side", [28, 56, 100, 200])
def test_the_digit_on_a_canvas_is_read(digits, labels, classifier, side, inverted):
    pages = [page_with(changes.scaled(digit, side), (side * 3, side * 4), (side, side * 2)) for digit in digits]
    images = [normalize(255 - page if inverted else page) for page in pages]
    assert np.mean(classifier.predict(np.stack(images)) == labels) >= 0.95


def test_the_digit_in_a_window_is_read(digits, labels, classifier):
    rng = np.random.default_rng(0)
    images = [normalize(window_with(changes.scaled(digit, 120), rng)) for digit in digits]
    assert np.mean(classifier.predict(np.stack(images)) == labels) >= 0.9


@pytest.mark.parametrize("pen", [0.1, 0.2, 0.28])
def test_a_zero_with_corners_is_no_panel(pen):
    """Strokes of a seven-segment display: its hole is not taken for a 1."""
    height, width, stroke = 120, 76, round(pen * 76)
    zero = np.full((height, width), 255, np.uint8)
    zero[stroke:-stroke, stroke:-stroke] = 0
    image = normalize(np.pad(zero, 40))
    assert image[14, 13:15].max() < 60
    assert image[4:24].max(0)[9:19].max() == 255


def test_a_broad_one_is_no_panel(classifier):
    image = normalize(np.pad(np.full((120, 50), 255, np.uint8), 40))
    assert classifier.predict(image[None])[0] == 1
