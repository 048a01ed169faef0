"""28×28 pictures that are not in MNIST's format: the surer of two answers counts, as they are and normalized."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from support.helpers import save_png

from batch_infer import normalize
from batch_infer.contract import MILLION
from batch_infer.inference.surer import Unprepared, as_they_are, surer_probabilities
from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.normalization.pipeline import examine
from batch_infer.normalization.several import OtherDigits
from batch_infer.predictions import quantize


@pytest.fixture
def banded(few) -> np.ndarray:
    """Digits `(30, 28, 28)` inverted at both sides: none is in MNIST's format."""
    images = few.images[:30].copy()
    images[:, :, :5] = 255 - images[:, :, :5]
    images[:, :, -5:] = 255 - images[:, :, -5:]
    return images


def shown(row: dict[str, str]) -> list[int]:
    return [round(float(row[f"prob_{digit}"]) * MILLION) for digit in range(10)]


def test_the_surer_answer_counts(rows, tmp_path, banded, classifier):
    (tmp_path / "x.idx").write_bytes(idx_bytes(banded))
    found = rows(tmp_path / "x.idx", probabilities=True, orientation="upright")
    chosen, alike = [], 0
    for row, image in zip(found, banded, strict=True):
        seen = examine(image)
        if seen.image is None or seen.others is not OtherDigits.NONE:
            continue
        pictures = as_they_are(np.zeros(1, np.int64), image[np.newaxis]).pictures
        every = quantize(classifier.predict_proba(np.concatenate([seen.image[np.newaxis], pictures])))
        chosen.append(int(every.max(axis=1).argmax()))
        assert int(row["prediction"]) == every[chosen[-1]].argmax()
        if len({*every[:2].argmax(axis=1).tolist()}) == 1 == len(pictures):
            assert shown(row) == every[chosen[-1]].tolist()
            alike += 1
        assert max(shown(row)) <= every.max()
    assert {0, 1} <= set(chosen)
    assert 0 < alike < len(chosen)


def test_the_same_for_dark_ink_and_whatever_holds_the_pictures(rows, tmp_path, banded):
    for number, image in enumerate(banded):
        save_png(tmp_path / "light" / f"{number:02}.png", image)
        save_png(tmp_path / "dark" / f"{number:02}.png", 255 - image)
    (tmp_path / "light.idx").write_bytes(idx_bytes(banded))
    np.save(tmp_path / "dark.npy", 255 - banded)
    lines = [f"pixel{number}" for number in range(784)]
    table = [",".join(lines), *(",".join(map(str, image.ravel().tolist())) for image in banded)]
    (tmp_path / "light.csv").write_text("\n".join(table) + "\n")
    columns = ("prediction", "confidence", "status", "error")
    names = ("light", "dark", "light.idx", "dark.npy", "light.csv")
    # Read as transposed by mistake, the stripes would be another kind of picture.
    answers = [rows(tmp_path / name, orientation="upright") for name in names]
    expected = [[row[column] for column in columns] for row in answers[0]]
    for found in answers[1:]:
        assert [[row[column] for column in columns] for row in found] == expected


def test_a_picture_that_normalization_refuses_stays_refused(rows, tmp_path, classifier):
    rng = np.random.default_rng(3)
    pictures = np.concatenate(
        [rng.integers(0, 256, (20, 28, 28), np.uint8), rng.normal(200, 3, (20, 28, 28)).astype(np.uint8)]
    )
    assert (classifier.predict_proba(pictures).max(1) > 0.9).any()
    (tmp_path / "x.idx").write_bytes(idx_bytes(pictures))
    assert {row["error"] for row in rows(tmp_path / "x.idx")} == {"no_digit"}


def test_the_confidence_stays_lowered_where_a_second_digit_is_suspected(rows, tmp_path, few, classifier):
    wide = np.stack([np.asarray(Image.fromarray(image).resize((42, 28)))[:, 7:35] for image in few.images])
    suspected = [image for image in wide if examine(image).others is OtherDigits.DOUBTFUL]
    assert len(suspected) > 10
    assert (classifier.predict_proba(np.stack(suspected)).max(1) > 0.95).any()
    (tmp_path / "x.idx").write_bytes(idx_bytes(np.stack(suspected)))
    assert max(row["confidence"] for row in rows(tmp_path / "x.idx")) == "0.890000"


def test_pictures_of_another_size_are_classified_normalized(rows, tmp_path, banded, classifier):
    large = banded[:5].repeat(2, 1).repeat(2, 2)
    (tmp_path / "x.idx").write_bytes(idx_bytes(large))
    for row, image in zip(rows(tmp_path / "x.idx"), large, strict=True):
        normalized = normalize(image)
        assert normalized is not None
        assert int(row["prediction"]) == classifier.predict(normalized)[0]


def test_dark_ink_is_inverted_and_what_is_in_doubt_is_taken_both_ways(few, banded):
    digits = few.images[:3]
    numbers = np.array([2, 5, 6])
    for given in (digits, 255 - digits, 100 + digits // 4, 155 - digits // 4):
        found = as_they_are(numbers, given)
        assert found.numbers.tolist() == [2, 5, 6]
        light = given if given[0, 0, 0] < given.max() else 255 - given
        np.testing.assert_array_equal(found.pictures, light)
    banded[:, :, :8] = 255
    banded[:, :, -8:] = 255
    for given in (banded[:3], 255 - banded[:3]):
        found = as_they_are(numbers, given)
        assert found.numbers.tolist() == [2, 5, 6, 2, 5, 6]
        np.testing.assert_array_equal(found.pictures, np.concatenate([255 - banded[:3], banded[:3]]))


def test_nothing_gives_nothing(few):
    assert as_they_are(np.zeros(0, np.int64), few.images[:0]).pictures.shape == (0, 28, 28)


def model_of(*answers):
    """A model that gives these probabilities, whatever it is asked."""
    return SimpleNamespace(predict_proba=lambda images: np.array(answers[: len(images)], np.float32))


def answer(**probabilities: float) -> tuple[float, ...]:
    """Ten probabilities: those given, `d3=0.9`; the others are equal."""
    rest = (1 - sum(probabilities.values())) / (10 - len(probabilities))
    return tuple(probabilities.get(f"d{digit}", rest) for digit in range(10))


def test_each_answer_stays_with_its_image_and_of_two_pictures_for_one_the_surer_counts():
    given = [answer(d1=0.4), answer(d2=0.4), answer(d3=0.4), answer(d4=0.4)]
    pictures = [answer(d2=0.5), answer(d3=0.9), answer(d4=0.3), answer(d2=0.8), answer(d3=0.5), answer(d4=0.35)]
    numbers = np.array([1, 2, 3, 1, 2, 3])
    blank = np.zeros((10, 28, 28), np.uint8)
    found = surer_probabilities(model_of(*given, *pictures), blank[:4], Unprepared(numbers, blank[4:]))
    np.testing.assert_array_equal(found, np.array([given[0], pictures[3], pictures[1], given[3]], np.float32))


def test_answers_that_are_different_digits_lower_each_others_confidence():
    pairs = {
        # normalized, as it is: the digit, and its probability
        (answer(d1=0.99), answer(d2=0.2)): (1, 0.98),
        (answer(d1=0.2), answer(d2=0.99)): (2, 0.98),
        (answer(d1=0.99), answer(d2=0.9)): (1, 0.90 + 0.01 / 11),
        (answer(d1=1.0), answer(d2=1.0)): (1, 0.5),
        (answer(d1=0.4, d8=0.39), answer(d2=0.41, d8=0.39)): (2, 0.41),  # together they would say 8
    }
    blank = np.zeros((2, 28, 28), np.uint8)
    for (one, other), (digit, probability) in pairs.items():
        (found,) = surer_probabilities(model_of(one, other), blank[:1], Unprepared(np.zeros(1, np.int64), blank[1:]))
        assert found.argmax() == digit
        assert found[digit] == pytest.approx(probability, abs=2e-3)
        assert found.sum() == pytest.approx(1)
