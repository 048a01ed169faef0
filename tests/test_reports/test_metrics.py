import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_infer.contract import ERROR_CODES, STATUSES
from batch_infer.reports.files import accuracy_frame, confusion_csv
from batch_infer.reports.metrics import Tally, class_scores, tally, wilson_interval

OK, LOW, ERROR = range(3)


def one_hot(predictions, confidence=1_000_000):
    """Parts per million `(n, 10)` with `confidence` at the prediction and the rest at the class behind it."""
    ppm = np.zeros((len(predictions), 10), np.int32)
    for row, prediction in enumerate(predictions):
        ppm[row, prediction] = confidence
        ppm[row, (prediction + 1) % 10] += 1_000_000 - confidence
    return ppm


def count(labels, predictions, *, probabilities_ppm=None, statuses=None, errors=None) -> Tally:
    rows = len(labels)
    return tally(
        labels=np.array(labels, np.int8),
        predictions=np.array(predictions, np.int8),
        probabilities_ppm=one_hot(predictions) if probabilities_ppm is None else np.array(probabilities_ppm, np.int32),
        statuses=np.zeros(rows, np.uint8) if statuses is None else np.array(statuses, np.uint8),
        error_numbers=np.zeros(rows, np.uint8) if errors is None else np.array(errors, np.uint8),
    )


# Asymmetric on purpose: 3 → 5 twice, 5 → 3 once, so that rows and columns cannot be swapped unseen.
LABELS = [3, 3, 3, 3, 5, 5, 5, 9]
PREDICTIONS = [3, 3, 5, 5, 5, 5, 3, 9]


def test_rows_of_the_confusion_matrix_are_true_and_columns_predicted():
    expected = np.zeros((10, 10), int)
    expected[3, 3], expected[3, 5], expected[5, 3], expected[5, 5], expected[9, 9] = 2, 2, 1, 2, 1
    assert count(LABELS, PREDICTIONS).confusion.tolist() == expected.tolist()


def test_precision_is_correct_over_predicted():
    precision = class_scores(count(LABELS, PREDICTIONS).confusion).precision
    assert precision.tolist() == [0, 0, 0, 2 / 3, 0, 2 / 4, 0, 0, 0, 1]


def test_recall_is_correct_over_support():
    recall = class_scores(count(LABELS, PREDICTIONS).confusion).recall
    assert recall.tolist() == [0, 0, 0, 2 / 4, 0, 2 / 3, 0, 0, 0, 1]


def test_f1_is_the_harmonic_mean():
    f1 = class_scores(count(LABELS, PREDICTIONS).confusion).f1
    assert f1.tolist() == [0, 0, 0, 4 / 7, 0, 4 / 7, 0, 0, 0, 1]


def test_support_predicted_and_correct_are_counts():
    scores = class_scores(count(LABELS, PREDICTIONS).confusion)
    assert scores.support.tolist() == [0, 0, 0, 4, 0, 3, 0, 0, 0, 1]
    assert scores.predicted.tolist() == [0, 0, 0, 3, 0, 4, 0, 0, 0, 1]
    assert scores.correct.tolist() == [0, 0, 0, 2, 0, 2, 0, 0, 0, 1]


def test_a_labelled_row_with_an_error_counts_as_wrong_in_recall_only():
    counts = count([3, 3], [3, -1], statuses=[OK, ERROR], errors=[0, 1])
    scores = class_scores(counts.confusion, counts.unpredicted)
    assert (scores.precision[3], scores.recall[3], scores.f1[3]) == (1, 0.5, 2 / 3)


def test_labelled_scored_and_correct_differ_by_errors_and_mistakes():
    counts = count([3, 3, 4, -1], [3, 5, -1, 7], statuses=[OK, OK, ERROR, OK], errors=[0, 0, 1, 0])
    assert (counts.rows, counts.labelled, counts.scored, counts.correct, counts.error_rows) == (4, 3, 2, 1, 1)


def test_statuses_and_error_codes_are_counted_by_position():
    last = len(ERROR_CODES)
    counts = count([-1] * 4, [1, 2, -1, -1], statuses=[OK, LOW, ERROR, ERROR], errors=[0, 0, 1, last])
    assert dict(zip(STATUSES, counts.statuses.tolist(), strict=True)) == {"ok": 1, "low_confidence": 1, "error": 2}
    assert counts.errors.tolist() == [1, *[0] * (last - 2), 1]


def test_rows_without_a_label_are_in_no_score():
    counts = count([-1, -1], [1, 2])
    assert (counts.labelled, counts.confusion.sum(), counts.loss, counts.calibration.sum()) == (0, 0, 0, 0)


def test_log_loss_is_the_mean_negative_logarithm_of_the_labels_probability():
    ppm = np.zeros((2, 10))
    ppm[0, [1, 2]] = 500_000, 500_000
    ppm[1, [1, 2]] = 750_000, 250_000
    counts = count([1, 2], [1, 1], probabilities_ppm=ppm)
    assert counts.log_loss == pytest.approx((math.log(2) + math.log(4)) / 2, abs=1e-9)


def test_a_probability_of_zero_costs_as_much_as_half_a_millionth():
    assert count([4], [7]).log_loss == pytest.approx(math.log(2_000_000), abs=1e-9)


@pytest.mark.parametrize(
    ("confidence", "expected"),
    [(66_666, 0), (66_667, 1), (200_000, 2), (200_001, 3), (933_333, 13), (933_334, 14), (1_000_000, 14)],
)
def test_a_confidence_falls_into_one_of_fifteen_bins_closed_above(confidence, expected):
    counts = count([0], [0], probabilities_ppm=one_hot([0], confidence))
    assert np.flatnonzero(counts.calibration[:, 0]).tolist() == [expected]
    assert counts.calibration[expected].tolist() == [1, confidence, 1]


def test_the_calibration_error_weighs_the_gap_of_each_bin_by_its_rows():
    # Three rows at 0.9, one of them wrong, and one at 0.5, right: 3/4 · |2/3 - 0.9| + 1/4 · |1 - 0.5|
    ppm = np.concatenate([one_hot([1, 1, 1], 900_000), one_hot([1], 500_000)])
    counts = count([1, 1, 2, 1], [1, 1, 1, 1], probabilities_ppm=ppm)
    assert counts.calibration_error == pytest.approx(0.75 * (0.9 - 2 / 3) + 0.25 * 0.5)


def test_without_scored_rows_loss_and_calibration_are_not_numbers():
    counts = count([3], [-1], statuses=[ERROR], errors=[1])
    assert math.isnan(counts.log_loss)
    assert math.isnan(counts.calibration_error)


@pytest.mark.parametrize(
    ("correct", "total", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # this and the next three: Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_the_wilson_interval_has_its_known_values(correct, total, low, high):
    assert wilson_interval(correct, total) == pytest.approx((low, high), abs=5e-5)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_the_wilson_interval_holds_the_proportion(correct, total):
    correct = min(correct, total)
    low, high = wilson_interval(correct, total)
    assert 0 <= low <= correct / total + 1e-12
    assert correct / total - 1e-12 <= high <= 1


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(0, 40))
def test_tallies_of_parts_add_up_to_the_tally_of_the_whole(seed, size, cut):
    random = np.random.default_rng(seed)
    ppm = random.multinomial(1_000_000, random.dirichlet(np.full(10, 0.3), size) if size else np.empty((0, 10)))
    errors = random.choice([0, 0, 0, 1, 5, 12], size)
    rows = {
        "labels": random.integers(-1, 10, size),
        "predictions": np.where(errors > 0, -1, ppm.argmax(1)) if size else [],
        "probabilities_ppm": ppm.reshape(size, 10),
        "errors": errors,
        "statuses": np.where(errors > 0, ERROR, random.integers(0, 2, size)),
    }
    whole = count(**rows)
    first = count(**{name: values[:cut] for name, values in rows.items()})
    second = count(**{name: values[cut:] for name, values in rows.items()})
    second.add(first)
    for name in ("statuses", "errors", "confusion", "unpredicted", "calibration", "predicted", "confidence"):
        assert getattr(second, name).tolist() == getattr(whole, name).tolist()
    assert (second.loss, second.confidence_sum) == (whole.loss, whole.confidence_sum)


def test_the_accuracy_report_has_a_row_for_each_class_and_three_means():
    frame = accuracy_frame(count(LABELS, PREDICTIONS))
    assert list(frame.columns) == ["class", "support", "predicted", "correct", "precision", "recall", "f1"]
    assert list(frame["class"]) == [*"0123456789", "macro", "weighted", "all"]
    assert frame.set_index("class").loc["5"].tolist() == [3, 4, 2, 2 / 4, 2 / 3, 4 / 7]


def test_macro_weighted_and_all_are_the_means_that_their_names_say():
    frame = accuracy_frame(count(LABELS, PREDICTIONS)).set_index("class")
    assert frame.loc["macro"].tolist() == pytest.approx(
        [8, 8, 5, (2 / 3 + 1 / 2 + 1) / 10, (1 / 2 + 2 / 3 + 1) / 10, (4 / 7 + 4 / 7 + 1) / 10]
    )
    assert frame.loc["weighted"].tolist() == pytest.approx(
        [8, 8, 5, (4 * 2 / 3 + 3 / 2 + 1) / 8, 5 / 8, (4 * 4 / 7 + 3 * 4 / 7 + 1) / 8]
    )
    assert frame.loc["all"].tolist() == pytest.approx([8, 8, 5, 5 / 8, 5 / 8, 5 / 8])


def test_in_the_row_all_precision_is_over_predicted_and_recall_over_labelled_rows():
    counts = count([1, 1, 1, 1], [1, 1, 2, -1], statuses=[OK, OK, OK, ERROR], errors=[0, 0, 0, 1])
    assert accuracy_frame(counts).set_index("class").loc["all"].tolist() == pytest.approx(
        [4, 3, 2, 2 / 3, 2 / 4, 4 / 7]
    )


def test_the_confusion_report_is_these_bytes():
    lines = ["true\\predicted,0,1,2,3,4,5,6,7,8,9"] + [f"{label}," + ",".join("0" * 10) for label in range(10)]
    lines[1 + 3] = "3,0,0,0,2,0,2,0,0,0,0"
    lines[1 + 5] = "5,0,0,0,1,0,2,0,0,0,0"
    lines[1 + 9] = "9,0,0,0,0,0,0,0,0,0,1"
    assert confusion_csv(count(LABELS, PREDICTIONS)) == "\n".join([*lines, ""]).encode()
