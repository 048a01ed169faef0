"""The evaluation of a model: corruptions, what confidence means, the tables."""

import re

import numpy as np
import pytest
from PIL import ImageFont
from support.helpers import script

CORRUPTIONS = (
    "shot noise", "impulse noise", "glass blur", "motion blur", "shear", "scale", "rotation", "brightness",
    "translation", "stripe", "fog", "spatter", "dotted line", "zigzag", "Canny edges",
)  # fmt: skip

pytest.importorskip("torch", reason="it trains a small net beside the model")


@pytest.fixture(scope="module")
def evaluate():
    return script("evaluate_model")


def rows(evaluate, confidence, right):
    confidence = np.array(confidence)
    return evaluate.Rows(np.array(right, np.bool_), confidence, confidence > 0)


def test_every_corruption_changes_the_pictures_by_seed_and_place_alone(evaluate, few):
    assert tuple(evaluate.FIFTEEN) == CORRUPTIONS
    before = few.images[:4].copy()
    for name in CORRUPTIONS:
        found = evaluate.corrupted(name, few.images[:4], 1)
        assert (found.shape, found.dtype) == ((4, 28, 28), np.uint8)
        assert (found != before).any((1, 2)).all(), name
        np.testing.assert_array_equal(evaluate.corrupted(name, few.images[:2], 1), found[:2])
        other = evaluate.corrupted(name, few.images[:4], 2)
        assert (name == "Canny edges") == bool((other == found).all())
    np.testing.assert_array_equal(few.images[:4], before)


def test_a_translated_digit_keeps_its_ink_and_a_small_one_its_place(evaluate, few):
    y, x = np.mgrid[:28, :28] - 13.5
    for name, moved, ink in (("translation", (2.5, 5.5), (0.8, 1.01)), ("scale", (0, 0.7), (0.3, 0.7))):
        found = evaluate.corrupted(name, few.images[:20], 1).astype(float)
        for image, before in zip(found, few.images[:20].astype(float), strict=True):
            centres = [np.array([(part * y).sum(), (part * x).sum()]) / part.sum() for part in (image, before)]
            assert moved[0] <= np.hypot(*(centres[0] - centres[1])) <= moved[1]
            assert ink[0] <= image.sum() / before.sum() <= ink[1]


def test_accuracy_and_shares_above_a_confidence(evaluate):
    found = rows(evaluate, [0.99, 0.9, 0.95, 0.5, 0], [True, False, True, True, False])
    assert found.accuracy == 0.6
    assert (found.share_above(0.9), found.accuracy_above(0.9)) == (0.6, pytest.approx(2 / 3))
    assert (found.share_above(0.99), found.accuracy_above(0.99)) == (0.2, 1)
    assert np.isnan(found.accuracy_above(0.999))


def test_the_calibration_error_leaves_refused_rows_out(evaluate):
    found = rows(evaluate, [0.8, 0.81, 0.3, 0], [True, False, True, False])
    assert found.calibration_error() == pytest.approx((0.61 + 0.7) / 3)


@pytest.mark.parametrize(
    ("confidence", "right", "expected"),
    [
        ([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 1], 0.5),
        ([0.9, 0.8, 0.8, 0.6], [1, 1, 0, 1], 0.25),  # of rows alike all are taken, or none
        ([0.9, 0.8, 0.7, 0], [0, 1, 1, 0], 0),
        ([0.9, 0.8, 0.7, 0], [1, 1, 1, 0], 0.75),
        (np.linspace(0.9, 0.5, 2_000), np.arange(2_000) != 998, 1),
    ],
)
def test_what_may_be_taken_is_999_of_1000_right(evaluate, confidence, right, expected):
    assert rows(evaluate, confidence, right).share_taken() == pytest.approx(expected)


def test_auroc_counts_ties_half(evaluate):
    assert evaluate.auroc(np.array([0.9, 0.8]), np.array([0.7, 0.8])) == (1 + 1 + 1 + 0.5) / 4


def test_the_validation_images_are_those_that_seed_0_holds_out(evaluate, mnist):
    digits = evaluate.choose("validation", 100)
    assert (len(digits.images), len(digits.train_images)) == (100, 50_000)
    trained = {image.tobytes() for image in digits.train_images}
    assert not trained & {image.tobytes() for image in digits.images}
    tested = {image.tobytes() for image in mnist.images}
    assert not tested & {image.tobytes() for image in digits.images}
    np.testing.assert_array_equal(evaluate.choose("test", 100).images, mnist.images[:100])


def test_the_tables_have_a_row_for_each_kind(evaluate, few, tmp_path):
    digits = evaluate.Digits(few.images[1:13], few.labels[1:13], few.images[20:], few.labels[20:])
    evaluate.write_files(tmp_path / "own", evaluate.as_pngs(few.images[13:16]), few.labels[13:16])
    net = evaluate.small_net(digits, tmp_path / "net.pth")
    again = evaluate.small_net(digits._replace(train_images=None), tmp_path / "net.pth")
    np.testing.assert_array_equal(evaluate.predict(again, few.images), evaluate.predict(net, few.images))
    found = evaluate.tables(digits, net, tmp_path, None, [tmp_path / "own"], 6)
    corruptions, confidence, others = found.split("\n\n")
    assert re.findall(r"^\| (?!\|)([^|]*?) \|", corruptions, re.MULTILINE) == [
        "MNIST", *CORRUPTIONS, "**mean of the corruptions**", "**worst of them**",
    ]  # fmt: skip
    assert corruptions.splitlines()[2].startswith("| MNIST | 100.0% | 100.0% | ")
    for line in corruptions.splitlines()[2:]:
        _, _, idx, files, *_ = line.split("|")
        assert idx == files  # the same pictures, the same answers
    assert re.findall(r"^\| (?!\|)([^|]*?) \|", confidence, re.MULTILINE) == ["MNIST", *CORRUPTIONS, "own"]
    assert confidence.splitlines()[-1].startswith("| own | 3 | ")
    assert re.findall(r"^\| (?!\|)([^|]*?) \|", others, re.MULTILINE) == [
        "no digit", "letters in fonts", "scribbles", "noise", "shapes", "several digits", "empty paper", "**together**",
    ]  # fmt: skip
    assert others.splitlines()[-1].startswith("| **together** | 36 | ")


def test_all_fonts_have_all_letters():
    not_digits = script("renditions/not_digits")
    assert len(not_digits.fonts()) > 15
    for path in not_digits.fonts():
        font = ImageFont.truetype(str(path), 40)
        missing = font.getmask("\U0010fffe").getbbox(), bytes(font.getmask("\U0010fffe"))
        for letter in not_digits.LETTERS:
            drawn = font.getmask(letter)
            assert drawn.getbbox() is not None
            assert (drawn.getbbox(), bytes(drawn)) != missing, (path.name, letter)
