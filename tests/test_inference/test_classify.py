"""Predictions and confidences are those of the classifier; those of low confidence have a status."""

import numpy as np
import pytest
from support.helpers import MNIST

from batch_infer import run_job


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
