"""Several digits in one picture are refused where that is certain; single ones with something beside them are not."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from support.helpers import script

from batch_infer.decoding.decode import decode
from batch_infer.errors import ImageError
from batch_infer.normalization.pipeline import examine, normalize
from batch_infer.normalization.several import OtherDigits

COUNT = 40
catalogue = script("renditions/catalogue")


@pytest.fixture(scope="module")
def digits():
    return catalogue.training_digits()


def verdicts(kind, digits):
    drawn = catalogue.draw(kind, *digits, COUNT, seed=3)
    return [examine(decode(data).grey).others for data in drawn.files]


@pytest.mark.parametrize("kind", ["near", "far apart", "other sizes", "two lines", "boxes", "sheet 3 × 3"])
def test_several_digits_are_mostly_refused_and_nearly_always_doubted(digits, kind):
    found = verdicts(f"several: {kind}", digits)
    assert found.count(OtherDigits.CERTAIN) >= 0.75 * COUNT
    assert found.count(OtherDigits.NONE) <= 0.03 * COUNT


def test_several_plots_are_mostly_refused(digits):
    assert verdicts("several: plots", digits).count(OtherDigits.CERTAIN) >= 0.9 * COUNT


def test_digits_that_touch_are_doubted(digits):
    assert verdicts("several: touching", digits).count(OtherDigits.NONE) <= 0.25 * COUNT


@pytest.mark.parametrize(
    "kind",
    [
        "row", "ruled", "28 px shifted", "bar apart", "pen skipped", "specks", "field number", "unit",
        "neighbour's end", "stain",
    ],
)  # fmt: skip
def test_a_single_digit_is_not_refused(digits, kind):
    assert OtherDigits.CERTAIN not in verdicts(f"single: {kind}", digits)


@pytest.mark.parametrize("kind", ["row", "28 px shifted", "neighbour's end"])
def test_a_single_digit_is_hardly_ever_doubted(digits, kind):
    assert verdicts(f"single: {kind}", digits).count(OtherDigits.DOUBTFUL) <= 0.05 * COUNT


def drawn(size, *strokes, width=8):
    picture = Image.new("L", size, 245)
    draw = ImageDraw.Draw(picture)
    for points in strokes:
        draw.line(points, fill=20, width=width, joint="curve")
    return np.asarray(picture)


ONE = ((40, 20), (36, 100))
SEVEN = ((70, 22), (110, 22), (84, 100))
FOUR_LEFT, FOUR_RIGHT = ((40, 20), (30, 66), (66, 66)), ((78, 20), (74, 104))
FIVE, FIVE_BAR = ((44, 30), (40, 58), (66, 62), (70, 86), (40, 98)), ((56, 22), (84, 20))


def test_an_open_4_and_a_5_with_its_bar_apart_are_one_digit():
    for picture in (drawn((120, 124), FOUR_LEFT, FOUR_RIGHT), drawn((120, 124), FIVE, FIVE_BAR)):
        assert examine(picture).others is not OtherDigits.CERTAIN


@pytest.mark.parametrize("shrunk", [1, 2, 4])
def test_two_digits_raise_an_error_with_the_code_of_their_row(shrunk):
    picture = drawn((150, 124), ONE, SEVEN)[::shrunk, ::shrunk]
    for each in (picture, 255 - picture):
        with pytest.raises(ImageError, match="cut it into pictures of one digit each") as raised:
            normalize(each)
        assert raised.value.code == "several_digits"


def test_images_in_mnists_format_are_never_looked_at(digits):
    images = digits[0][:500]
    assert {examine(image).others for image in images} == {OtherDigits.NONE}


def test_a_speck_a_bar_and_a_faint_mark_beside_a_digit_are_none():
    beside = {
        "speck": [((110, 50), (112, 56))],
        "bar": [((90, 60), (140, 60))],
    }
    for strokes in beside.values():
        assert examine(drawn((160, 124), ONE, *strokes)).others is OtherDigits.NONE
    faint = np.clip(drawn((160, 124), SEVEN).astype(int) + 170, 0, 245)
    assert examine(np.minimum(drawn((160, 124), ONE), faint).astype(np.uint8)).others is OtherDigits.NONE
