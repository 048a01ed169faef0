"""run.json: the account of a run."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from batch_infer import run_job


@pytest.mark.parametrize("out", ["p.csv", "p.csv.gz", "p.jsonl", "p.parquet"])
def test_the_account_holds_the_checksum_and_the_rows_of_the_predictions(shared_files, tmp_path, out):
    run_job([shared_files / "few.idx"], out=tmp_path / out, workers=1)
    account = json.loads((tmp_path / "p.run.json").read_text())
    assert account["predictions_sha256"] == hashlib.sha256((tmp_path / out).read_bytes()).hexdigest()
    assert (account["rows"], account["exit_code"], account["published"]) == (300, 0, True)


@pytest.mark.parametrize("on_failed_gate", ["publish", "keep"])
def test_the_summary_is_what_run_json_says_and_cannot_be_changed(shared_files, tmp_path, on_failed_gate):
    source = shared_files / "labelled" / "x-images-idx3-ubyte"
    gate = {"min_accuracy": 1, "on_failed_gate": on_failed_gate}
    summary = run_job([source], out=tmp_path / "p.csv", workers=1, **gate)
    assert summary.to_json() == (tmp_path / "p.run.json").read_bytes()
    assert (summary.exit_code, summary.published) == (8, on_failed_gate == "publish")
    with pytest.raises(dataclasses.FrozenInstanceError):
        summary.published = True


def test_the_account_says_what_was_counted(shared_files, tmp_path, classifier, few):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "broken.png").write_bytes(b"broken")
    (tmp_path / "7" / "notes.txt").touch()
    source = shared_files / "labelled" / "x-images-idx3-ubyte"
    run_job([source, tmp_path / "7"], out=tmp_path / "p.csv", workers=1)
    account = json.loads((tmp_path / "p.run.json").read_text())
    right = int((classifier.predict(few.images) == few.labels).sum())
    assert account["inputs"] == [str(source), str(tmp_path / "7")]
    assert account["statuses"] == {"ok": 300, "low_confidence": 0, "error": 1}
    assert account["errors"] == {"not_an_image": 1}
    assert account["skipped"] == {"other_suffix": 1}
    assert account["model"]["sha256"] == classifier.sha256
    scores = account["labels"]
    assert (scores["all_labelled"]["rows"], scores["all_labelled"]["correct"]) == (301, right)
    assert (scores["predicted"]["rows"], scores["predicted"]["correct"]) == (300, right)
    assert scores["predicted"]["accuracy"] == round(right / 300, 6)
    low, high = scores["predicted"]["wilson_95"]
    assert low < right / 300 < high
    true_class = classifier.predict_proba(few.images)[np.arange(300), few.labels]
    ppm = np.maximum(np.rint(true_class * 1e6), 0.5)  # as written; what rounds to zero counts half a millionth
    assert scores["log_loss"] == pytest.approx(-np.log(ppm / 1e6).mean(), abs=2e-6)
