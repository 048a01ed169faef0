"""The report files: accuracy, confusion, and the most confident mistakes."""

import csv

import numpy as np
import pandas as pd
import pytest

from batch_infer import run_job
from batch_infer.outputs.arrow import MISTAKES_SCHEMA, record_batch
from batch_infer.predictions import Predictions
from batch_infer.reports.files import Mistakes


def test_the_reports_agree_with_the_predictions(shared_files, tmp_path):
    run_job([shared_files / "labelled" / "x-images-idx3-ubyte"], out=tmp_path / "p.csv", workers=1)
    found = pd.read_csv(tmp_path / "p.csv")
    expected = pd.crosstab(found["label"], found["prediction"]).reindex(range(10), columns=range(10), fill_value=0)
    confusion = pd.read_csv(tmp_path / "p.confusion.csv", index_col="true\\predicted")
    assert confusion.to_numpy().tolist() == expected.to_numpy().tolist()
    scores = pd.read_csv(tmp_path / "p.accuracy.csv", index_col="class")
    assert scores.loc["all", "recall"] == pytest.approx((found["label"] == found["prediction"]).mean(), abs=1e-6)
    wrong = found[found["label"] != found["prediction"]].sort_values("confidence", ascending=False, kind="stable")
    mistakes = pd.read_csv(tmp_path / "p.mistakes.csv")
    assert mistakes["index"].tolist() == wrong["index"].tolist()


def test_the_header_of_the_accuracy_report_is_as_documented(shared_files, tmp_path):
    run_job([shared_files / "labelled" / "x-images-idx3-ubyte"], out=tmp_path / "p.csv", workers=1)
    lines = (tmp_path / "p.accuracy.csv").read_text().splitlines()
    assert lines[0] == "class,support,predicted,correct,precision,recall,f1"
    assert [row[0] for row in csv.reader(lines[1:])] == [*"0123456789", "macro", "weighted", "all"]


def mistakes_message(confidences, start=0) -> bytes:
    count = len(confidences)
    ppm = np.zeros((count, 10), np.int32)
    ppm[:, 1] = confidences
    rows = Predictions(
        paths=["m"] * count,
        start=start,
        labels=np.zeros(count, np.int8),
        predictions=np.ones(count, np.int8),
        probabilities_ppm=ppm,
        statuses=np.zeros(count, np.uint8),
        error_numbers=np.zeros(count, np.uint8),
    )
    return record_batch(rows, probabilities=False).select(MISTAKES_SCHEMA.names).serialize().to_pybytes()


def test_mistakes_come_most_confident_first_and_the_earlier_first_where_equal():
    mistakes = Mistakes()
    mistakes.add(mistakes_message([500_000, 900_000]))
    mistakes.add(mistakes_message([900_000, 999_999], start=2))
    assert mistakes.csv() == (
        b'"path","index","label","prediction","confidence"\n'
        b'"m",3,0,1,0.999999\n"m",1,0,1,0.900000\n"m",2,0,1,0.900000\n"m",0,0,1,0.500000\n'
    )


def test_of_more_than_ten_thousand_mistakes_the_most_confident_stay():
    mistakes = Mistakes()
    confidences = np.arange(60_000) + 500_000
    for start in range(0, 60_000, 1_000):
        mistakes.add(mistakes_message(confidences[start : start + 1_000], start))
    lines = mistakes.csv().splitlines()
    assert (len(lines), lines[1], lines[-1]) == (10_001, b'"m",59999,0,1,0.559999', b'"m",50000,0,1,0.550000')
