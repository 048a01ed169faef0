"""Drift: the population stability index, and what is compared with what."""

import math

import numpy as np
import pytest
from support.helpers import MNIST

from batch_infer.contract import NORMALIZATION_VERSION
from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.predictions import quantize
from batch_infer.reports.drift import measure_drift, population_stability_index
from batch_infer.reports.history import past_run
from batch_infer.reports.metrics import Tally, tally

WAY = ("0" * 64, str(NORMALIZATION_VERSION), "auto")


def test_the_index_is_the_sum_over_classes_by_hand():
    # With half a row more in each: 20 of 41 and 21 of 41, then 10.5 of 41 and 30.5 of 41.
    baseline, now = (19.5, 20.5), (10, 30)
    expected = (10.5 / 41 - 20 / 41) * math.log(10.5 / 20) + (30.5 / 41 - 21 / 41) * math.log(30.5 / 21)
    assert population_stability_index(baseline, now) == pytest.approx(expected, rel=1e-12)


def test_the_same_shares_give_zero_and_swapping_both_changes_nothing():
    assert population_stability_index([5, 10, 20], [5, 10, 20]) == 0
    assert population_stability_index([5, 10, 20], [7, 1, 9]) == pytest.approx(
        population_stability_index([7, 1, 9], [5, 10, 20]), rel=1e-12
    )


def test_a_class_without_rows_gives_a_finite_index():
    assert 0.5 < population_stability_index([500, 500, 0], [250, 250, 500]) < 10
    assert population_stability_index([1000, 0], [1000, 0]) == 0


def rows(predictions, confidence=990_000) -> Tally:
    predictions = np.asarray(predictions, np.int8)
    ppm = np.zeros((len(predictions), 10), np.int32)
    ppm[np.arange(len(predictions)), predictions] = confidence
    return counted(predictions, ppm)


def counted(predictions, ppm) -> Tally:
    count = len(predictions)
    return tally(
        labels=np.full(count, -1, np.int8),
        predictions=predictions,
        probabilities_ppm=ppm,
        statuses=np.zeros(count, np.uint8),
        error_numbers=np.zeros(count, np.uint8),
    )


def run(count=300, way=WAY, **options):
    return past_run(rows(np.arange(count) % 10, **options), way)


@pytest.mark.parametrize(
    ("earlier", "now", "measured"),
    [([], 300, False), ([299], 300, False), ([300], 299, False), ([300], 300, True), ([150, 150], 300, True)],
)
def test_below_300_rows_on_either_side_nothing_is_told(earlier, now, measured):
    drift = measure_drift([run(count) for count in earlier], run(now))
    assert (drift.classes is not None, drift.confidence is not None) == (measured, measured)
    assert ("too few to tell" in drift.words) == (not measured)
    assert (drift.rows, drift.runs) == (sum(earlier), len(earlier))


def test_the_words_say_how_much_has_changed_and_against_what():
    assert measure_drift([], run(5)).words == (
        "predicted classes: too few to tell (5 rows now, no earlier run; 300 needed); "
        "confidence: too few to tell (5 rows now, no earlier run; 300 needed)"
    )
    assert measure_drift([run(), run()], run(1000, confidence=700_000)).words == (
        "predicted classes: no change (PSI 0.000 against 600 rows of 2 earlier runs); "
        "confidence: large change (PSI 14.615 against 600 rows of 2 earlier runs)"
    )


def test_confidences_of_another_model_are_no_baseline_and_its_classes_are():
    other = [run(way=way) for way in (("1" * 64, *WAY[1:]), (WAY[0], "0", "auto"), (*WAY[:2], "never"))]
    drift = measure_drift([*other, run(200)], run())
    assert (drift.classes, drift.runs, drift.rows) == (0.0, 4, 1100)
    assert (drift.confidence, drift.confidence_runs, drift.confidence_rows) == (None, 1, 200)
    assert drift.words.endswith(
        "confidence: too few to tell (300 rows now, 200 rows of 1 earlier run; 300 needed); "
        "3 earlier runs of another model, version or --fit: no baseline for confidence"
    )


@pytest.fixture(scope="module")
def real(classifier):
    """The predictions of 10,000 training images `(N,)` and their probabilities in ppm `(N, 10)`."""
    images = IdxImages(str(MNIST / "train-images-idx3-ubyte.gz")).read_all()[:10_000]
    ppm = quantize(classifier.predict_proba(images))
    return ppm.argmax(axis=1).astype(np.int8), ppm


def draw(real, generator, count, where=slice(None)):
    predictions, ppm = (column[where] for column in real)
    chosen = generator.integers(0, len(predictions), count)
    return past_run(counted(predictions[chosen], ppm[chosen]), WAY)


@pytest.mark.parametrize(("count", "most"), [(1000, 0.1), (300, 0.25)])
def test_two_hundred_runs_of_one_population_give_no_alarm(real, count, most):
    generator = np.random.default_rng(0)
    for _ in range(200):
        drift = measure_drift([draw(real, generator, count)], draw(real, generator, count))
        assert drift.classes < most
        assert drift.confidence < most


def test_another_population_of_1000_rows_gives_an_alarm(real):
    generator = np.random.default_rng(0)
    earlier = [draw(real, generator, 1000) for _ in range(30)]
    predictions, ppm = real
    few_classes = measure_drift(earlier, draw(real, generator, 1000, np.isin(predictions, [1, 7])))
    assert few_classes.classes > 1
    unsure = measure_drift(earlier, draw(real, generator, 1000, ppm.max(axis=1) < 990_000))
    assert unsure.confidence > 1
