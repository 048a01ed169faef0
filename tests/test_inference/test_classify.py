"""Predictions and confidences are those of the classifier; those of low confidence have a status."""

import numpy as np
import pytest
from support.helpers import MNIST, save_png

from batch_infer import run_job
from batch_infer.predictions import capped


def test_predictions_and_confidences_are_those_of_the_classifier(rows, shared_files, classifier, few):
    found = rows(shared_files / "few.idx", probabilities=True)
    probabilities = classifier.predict_proba(few.images)
    assert [int(row["prediction"]) for row in found] == classifier.predict(few.images).tolist()
    shown = np.array([[float(row[f"prob_{digit}"]) for digit in range(10)] for row in found])
    assert np.abs(shown - probabilities).max() < 0.6e-6  # half a millionth, and the last bit of float32
    assert [row["confidence"] for row in found] == [f"{row.max():.6f}" for row in shown]


def test_more_than_95_percent_of_the_packaged_test_set_are_right(tmp_path):
    summary = run_job([MNIST / "t10k-images-idx3-ubyte.gz"], out=tmp_path / "p.csv", workers=1)
    assert summary.exit_code == 0
    assert (summary.tally.labelled, summary.tally.rows) == (10_000, 10_000)
    assert summary.accuracy > 0.95


@pytest.fixture
def confidences(rows, shared_files):
    return sorted(row["confidence"] for row in rows(shared_files / "few.idx"))


def test_rows_below_the_least_confidence_get_a_status_and_those_at_it_do_not(rows, shared_files, confidences):
    limit = confidences[20]
    found = rows(shared_files / "few.idx", min_confidence=float(limit))
    low = [row["confidence"] for row in found if row["status"] == "low_confidence"]
    assert sorted(low) == [confidence for confidence in confidences if confidence < limit]
    assert len(low) == confidences.index(limit)


def test_a_row_of_low_confidence_keeps_its_prediction(rows, shared_files):
    plain = rows(shared_files / "few.idx")
    found = rows(shared_files / "few.idx", min_confidence=1)
    assert {row["status"] for row in found if row["confidence"] != "1.000000"} == {"low_confidence"}
    assert [row["prediction"] for row in found] == [row["prediction"] for row in plain]


def test_low_confidence_is_no_error(tmp_path, shared_files):
    summary = run_job([shared_files / "few.idx"], out=tmp_path / "p.csv", min_confidence=1, workers=1)
    assert summary.exit_code == 0


def test_a_picture_of_several_digits_is_an_error_row_and_one_in_doubt_has_a_lowered_confidence(rows, tmp_path, few):
    digit = np.pad(few.images[0], 8)
    save_png(tmp_path / "d" / "far.png", np.hstack([digit, digit]))
    save_png(tmp_path / "d" / "one.png", digit)
    # A digit drawn twice as wide stands for two that touch.
    save_png(tmp_path / "d" / "wide.png", digit.repeat(2, axis=1))
    several, one, wide = rows(tmp_path / "d", probabilities=True)
    assert (several["status"], several["error"], several["prediction"]) == ("error", "several_digits", "")
    assert one["status"] == "ok"
    assert float(one["confidence"]) > 0.9
    assert (wide["status"], wide["error"], wide["confidence"]) == ("ok", "", "0.890000")
    assert sum(float(wide[f"prob_{digit}"]) for digit in range(10)) == pytest.approx(1, abs=1e-5)


def test_a_lowered_confidence_keeps_the_order_of_the_classes():
    ppm = np.array(
        [[10_000, 970_000, 0, 20_000, 0, 0, 0, 0, 0, 0], [100_000] * 10, [0] * 5 + [800_000, 200_000] + [0] * 3]
    )
    found = capped(ppm.astype(np.int32), 890_000)
    assert found[0].argmax() == 1
    assert found[0, 1] == 890_000
    assert found[0, 3] > found[0, 0] > found[0, 2]
    assert abs(int(found[0].sum()) - 1_000_000) <= 10
    assert (found[1:] == ppm[1:]).all()
