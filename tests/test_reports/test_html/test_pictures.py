"""The pictures of the page: one sheet, within limits."""

import base64
import io
import re

import numpy as np
from PIL import Image

from batch_infer.reports.html.pictures import MAX_ORIGINAL_BYTES, MAX_ORIGINALS, MAX_SEEN, Pictures


def sheet(pictures):
    found = re.search(r"base64,([^)]*)\)", pictures.style())
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1]))).convert("L"))


def test_the_sheet_holds_what_the_model_saw_at_the_places_that_are_named(few):
    pictures = Pictures(shown=True)
    names = [pictures.seen(image.tobytes()) for image in few.images[:40]]
    assert names[0] == "s x0 y0"
    assert names[33] == "s x1 y1"
    found = sheet(pictures)
    for name, image in zip(names, few.images, strict=False):
        column, row = (int(part[1:]) for part in name.split()[1:])
        cell = found[28 * row : 28 * row + 28, 28 * column : 28 * column + 28].astype(int)
        assert np.abs(cell - image).max() <= 9  # 16 levels
    assert ".x1{background-position-x:-56px}" in pictures.style()


def test_a_picture_is_in_the_sheet_once(few):
    pictures = Pictures(shown=True)
    assert pictures.seen(few.images[0].tobytes()) == pictures.seen(few.images[0].tobytes())
    assert sheet(pictures).shape == (28, 32 * 28)


def test_there_are_no_more_pictures_than_fit():
    pictures = Pictures(shown=True)
    found = [pictures.seen(number.to_bytes(4) * 196) for number in range(MAX_SEEN + 5)]
    assert [name is None for name in found] == [False] * MAX_SEEN + [True] * 5
    assert sheet(pictures).shape == (32 * 28, 32 * 28)


def test_a_sheet_of_noise_has_fewer_levels():
    pictures = Pictures(shown=True)
    chance = np.random.default_rng(0)
    for _ in range(MAX_SEEN):
        pictures.seen(chance.bytes(784))
    assert set(np.unique(sheet(pictures))) == {0, 85, 170, 255}


def test_there_are_no_more_originals_than_fit():
    pictures = Pictures(shown=True)
    assert [pictures.original(b"x") for _ in range(MAX_ORIGINALS + 1)][-2:] == ["data:image/jpeg;base64,eA==", None]
    assert Pictures(shown=True).original(b"x" * (MAX_ORIGINAL_BYTES + 1)) is None


def test_none_is_shown_where_none_may_be(few):
    pictures = Pictures(shown=False)
    assert pictures.seen(few.images[0].tobytes()) is None
    assert pictures.original(b"x") is None
    assert pictures.style() == "/* no pictures */"


def test_pixels_of_another_size_are_not_shown():
    assert Pictures(shown=True).seen(b"x") is None
