"""Earlier runs of an output: real runs, their history, their drift, and the gate."""

import csv
import json
import os
import signal
from itertools import pairwise

import numpy as np
import pytest
from support.helpers import MNIST, read_rows

from batch_infer import run_job
from batch_infer.errors import LockError, OutputError, UsageError
from batch_infer.inputs.arrays.idx import IdxImages, idx_bytes
from batch_infer.inputs.labels.idx_files import read_labels
from batch_infer.outputs.lock import locked


@pytest.fixture(scope="session")
def nights(tmp_path_factory):
    """IDX files of training images: as they come, ones and sevens only, and without their left third."""
    folder = tmp_path_factory.mktemp("nights")
    images = IdxImages(str(MNIST / "train-images-idx3-ubyte.gz"))
    labels = read_labels(str(MNIST / "train-labels-idx1-ubyte.gz"), images.shape[0])[:5000]
    images = images.read_all()[:5000]
    contents = {
        "a": images[:400],
        "b": images[400:800],
        "few": images[800:820],
        "sevens": images[np.isin(labels, [1, 7])][:400],
        "cut": np.pad(images[:400, :, 10:], ((0, 0), (0, 0), (0, 10))),
    }
    for name, content in contents.items():
        (folder / f"{name}.idx").write_bytes(idx_bytes(content))
    return folder


@pytest.fixture
def infer(nights, tmp_path):
    """Run a job on one of the nights, in this process."""

    def call(name, out="p.csv", **options):
        return run_job([nights / f"{name}.idx"], out=tmp_path / out, **{"workers": 1, **options})

    return call


def history(tmp_path, name="p"):
    with (tmp_path / f"{name}.history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def account(tmp_path):
    return json.loads((tmp_path / "p.run.json").read_text())


def test_the_command_measures_each_run_against_the_earlier_ones_and_fails_for_another_population(run, nights, tmp_path):
    night = ["--out", "p.csv", "--max-drift", "0.25"]
    for name, expected in (("a", None), ("a", 0.0), ("b", pytest.approx(0, abs=0.1))):
        done = run(nights / f"{name}.idx", *night)
        assert (done.code, done.stdout, done.stderr) == (0, "", "")
        drift = account(tmp_path)["drift"]
        assert (drift["classes"], drift["confidence"]) == (expected, expected)
    done = run(nights / "sevens.idx", *night)
    drift = account(tmp_path)["drift"]
    assert drift["classes"] > 1
    assert (drift["runs"], drift["rows"], drift["confidence_runs"], drift["confidence_rows"]) == (3, 1200, 3, 1200)
    assert done.code == 8
    assert done.stderr == (
        f"batch-infer: --max-drift 0.25: PSI of predicted classes is {drift['classes']:.6f} (against 1,200 rows of 3 "
        "earlier runs); the outputs are published\n"
    )
    assert (account(tmp_path)["exit_code"], account(tmp_path)["published"]) == (8, True)
    assert [row["exit_code"] for row in history(tmp_path)] == ["0", "0", "0", "8"]
    assert [row["psi_classes"] for row in history(tmp_path)][-1] == f"{drift['classes']:.6f}"


def test_the_same_pictures_cut_off_are_a_drift_of_confidence(infer):
    infer("a")
    summary = infer("cut", max_drift=0.25)
    assert (summary.exit_code, summary.drift.confidence > 0.5) == (8, True)
    assert any("PSI of confidence is" in line for line in summary.gates)


def test_without_the_gate_drift_is_told_and_fails_nothing(infer):
    infer("a")
    summary = infer("sevens")
    assert (summary.exit_code, summary.gates, summary.drift.classes > 1) == (0, (), True)


def test_a_run_that_keeps_the_old_outputs_leaves_no_row_and_fails_again(infer, tmp_path):
    infer("a")
    before = history(tmp_path)
    for _ in range(2):
        summary = infer("sevens", max_drift=0.25, on_failed_gate="keep")
        assert (summary.exit_code, summary.published) == (8, False)
        assert history(tmp_path) == before
        assert account(tmp_path)["drift"]["classes"] > 1


def test_few_rows_fail_no_gate(infer, tmp_path):
    infer("few", max_drift=0.01)
    assert infer("sevens", max_drift=0.01).exit_code == 0  # 20 rows are no baseline
    assert infer("few", max_drift=0.01).exit_code == 0
    assert account(tmp_path)["drift"]["classes"] is None
    assert "too few to tell" in account(tmp_path)["drift"]["words"]


def test_a_row_has_the_counts_of_the_predictions(infer, tmp_path, nights):
    (tmp_path / "labels.csv").write_text("path,index,label\n" + "".join(f"{nights}/a.idx,{i},3\n" for i in range(50)))
    infer("a", labels=tmp_path / "labels.csv", min_confidence=0.99)
    rows = read_rows(tmp_path / "p.csv")
    (row,) = history(tmp_path)
    statuses = [one["status"] for one in rows]
    assert [row[name] for name in ("ok", "low_confidence", "error")] == [
        str(statuses.count(name)) for name in ("ok", "low_confidence", "error")
    ]
    predictions = [one["prediction"] for one in rows]
    assert [row[f"predicted_{digit}"] for digit in range(10)] == [str(predictions.count(f"{i}")) for i in range(10)]
    confidences = np.array([round(float(one["confidence"]) * 1e6) for one in rows])
    bounds = np.array([0, 500_000, 700_000, 800_000, 900_000, 950_000, 990_000, 999_000, 1_000_000])
    assert [int(row[name]) for name in row if name.startswith("confidence_to_")] == [
        int(((confidences > low) & (confidences <= high)).sum()) for low, high in pairwise(bounds)
    ]
    assert row["mean_confidence"] == f"{confidences.sum() / 1e6 / 400:.6f}"
    correct = predictions[:50].count("3")
    assert (row["labelled"], row["correct"], row["accuracy"]) == ("50", str(correct), f"{correct / 50:.6f}")
    assert (row["finished"], row["model_sha256"]) == (account(tmp_path)["ended"], account(tmp_path)["model"]["sha256"])


def test_the_workers_and_incremental_runs_count_the_whole_output(tmp_path, nights):
    (tmp_path / "two.idx").write_bytes((nights / "a.idx").read_bytes())
    os.utime(tmp_path / "two.idx", (1_700_000_000, 1_700_000_000))
    for options in ({"workers": 1}, {"workers": 2}, {"incremental": True}, {"incremental": True}):
        run_job([tmp_path / "two.idx"], out=tmp_path / "p.csv", **options)
    rows = [{name: cell for name, cell in row.items() if name != "finished"} for row in history(tmp_path)]
    for row in rows:
        del row["psi_classes"], row["psi_confidence"]
    assert rows[1:] == rows[:1] * 3


def test_the_history_is_bounded_and_two_outputs_do_not_mix(pngs, tmp_path):
    folder = pngs("a.png", "b.png")
    run_job([folder], out=tmp_path / "other.csv")
    for _ in range(32):
        summary = run_job([folder], out=tmp_path / "p.csv")
    assert (summary.drift.runs, summary.drift.rows) == (30, 60)
    assert (len(history(tmp_path)), len(history(tmp_path, "other"))) == (30, 1)
    finished = [row["finished"] for row in history(tmp_path)]
    assert finished == sorted(finished)


@pytest.mark.parametrize("name", ["p.csv.gz", "p.parquet", "p.jsonl"])
def test_the_history_has_the_stem_of_the_output_in_any_format(pngs, tmp_path, name):
    for _ in range(2):
        summary = run_job([pngs("a.png")], out=tmp_path / name)
    assert len(history(tmp_path)) == 2
    assert summary.reports[-2:] == (str(tmp_path / "p.history.csv"), str(tmp_path / "p.run.json"))


@pytest.mark.parametrize("content", ["date,event\n1066,Hastings\n", "finished,exit_code,later\n1,2,3\n"])
def test_a_file_that_is_not_ours_is_a_notice_once_and_stays(run, pngs, tmp_path, content):
    pngs("a.png")
    (tmp_path / "p.history.csv").write_text(content)
    done = run("in", "--out", "p.csv")
    notice, end = done.stderr.split("move it away")
    assert (done.code, end) == (0, "; no history is kept, and drift is not measured\n")
    assert notice.startswith("batch-infer: ./p.history.csv: is ")
    assert notice.endswith(", and stays as it is; ")
    assert run("in", "--out", "p.csv").stderr == ""
    assert (tmp_path / "p.history.csv").read_text() == content
    assert account(tmp_path)["drift"] is None
    done = run("in", "--out", "p.csv", "--max-drift", "0.2")
    assert (done.code, done.stderr) == (6, f"{notice}move it away; --max-drift needs a history\n")


def test_a_link_or_folder_in_its_place_is_a_notice_and_stays(pngs, tmp_path):
    folder = pngs("a.png")
    (tmp_path / "precious").write_text("")
    (tmp_path / "p.history.csv").symlink_to("precious")
    (tmp_path / "q.history.csv").mkdir()
    for name, what in (("p", "is a link, which is not followed"), ("q", "is a folder")):
        summary = run_job([folder], out=tmp_path / f"{name}.csv")
        notice = f"{tmp_path}/{name}.history.csv: {what}; a file is written there; move it away"
        assert summary.notices == (f"{notice}; no history is kept, and drift is not measured",)
        assert summary.exit_code == 0
        with pytest.raises(OutputError):
            run_job([folder], out=tmp_path / f"{name}.csv", max_drift=0.2)
    assert (tmp_path / "precious").read_text() == ""


def test_a_history_without_permission_to_write_is_replaced_like_any_report_and_keeps_its_mode(pngs, tmp_path):
    folder = pngs("a.png")
    run_job([folder], out=tmp_path / "p.csv")
    (tmp_path / "p.history.csv").chmod(0o444)
    run_job([folder], out=tmp_path / "p.csv")
    assert (len(history(tmp_path)), (tmp_path / "p.history.csv").stat().st_mode & 0o777) == (2, 0o444)


def test_of_a_damaged_history_the_good_rows_stay_with_a_notice(pngs, tmp_path):
    folder = pngs("a.png")
    for _ in range(3):
        run_job([folder], out=tmp_path / "p.csv")
    lines = (tmp_path / "p.history.csv").read_bytes().splitlines(keepends=True)
    (tmp_path / "p.history.csv").write_bytes(b"".join([*lines[:2], b"\0\xff" * 99 + b"\n", lines[2], lines[3][:50]]))
    summary = run_job([folder], out=tmp_path / "p.csv")
    assert summary.notices == (f"{tmp_path}/p.history.csv: the history is damaged; what could be read of it is kept",)
    after = (tmp_path / "p.history.csv").read_bytes().splitlines(keepends=True)
    assert (after[:3], len(after)) == (lines[:3], 4)
    assert run_job([folder], out=tmp_path / "p.csv").notices == ()


def test_another_model_in_the_history_is_no_baseline_for_confidence(infer, tmp_path):
    infer("a")
    path = tmp_path / "p.history.csv"
    path.write_text(path.read_text().replace(account(tmp_path)["model"]["sha256"], "0" * 64))
    drift = infer("b", max_drift=0.25).drift
    assert (drift.classes is not None, drift.confidence, drift.confidence_runs) == (True, None, 0)
    assert drift.words.endswith("; 1 earlier run of another model, version or --fit: no baseline for confidence")


@pytest.mark.parametrize(("kill_at", "rows"), [(2, 1), (3, 1), (4, 2)])
def test_a_kill_between_predictions_and_history_leaves_one_of_them_whole(program, pngs, tmp_path, kill_at, rows):
    folder = pngs("a.png", "b.png")
    run_job([folder], out=tmp_path / "p.csv")
    before = (tmp_path / "p.history.csv").read_bytes()
    done = program("faults.at_rename", "SIGKILL", kill_at, folder, "--out", "p.csv")
    assert done.code == -signal.SIGKILL
    assert (tmp_path / "p.history.csv").read_bytes().startswith(before)
    assert len(history(tmp_path)) == rows
    run_job([folder], out=tmp_path / "p.csv")
    assert len(history(tmp_path)) == rows + 1
    assert sorted(os.listdir(tmp_path)) == [
        "in", "p.csv", "p.history.csv", "p.lock", "p.report.html", "p.run.json",
    ]  # fmt: skip


def test_a_run_that_finds_the_lock_held_or_no_input_leaves_the_history(pngs, tmp_path):
    folder = pngs("a.png")
    run_job([folder], out=tmp_path / "p.csv")
    before = (tmp_path / "p.history.csv").read_bytes()
    with locked(str(tmp_path / "p.lock")), pytest.raises(LockError):
        run_job([folder], out=tmp_path / "p.csv")
    (folder / "a.png").unlink()
    with pytest.raises(Exception, match="no image found"):
        run_job([folder], out=tmp_path / "p.csv")
    assert (tmp_path / "p.history.csv").read_bytes() == before


def test_without_reports_there_is_no_history_and_no_gate(pngs, tmp_path):
    folder = pngs("a.png")
    assert run_job([folder], out=tmp_path / "p.csv", report=False).drift is None
    for options in ({"out": tmp_path / "p.csv", "report": False}, {}):
        with pytest.raises(UsageError) as caught:
            run_job([folder], max_drift=0.2, **options)
        assert str(caught.value) == (
            "--max-drift needs the history of earlier runs: give --out, and leave out --no-report"
        )
    assert sorted(os.listdir(tmp_path)) == ["in", "p.csv", "p.lock"]


@pytest.mark.parametrize("limit", ["0", "-0.1", "nan", "inf"])
def test_another_limit_of_drift_is_wrong_usage(run, limit):
    done = run("in", "--out", "p.csv", "--max-drift", limit)
    assert (done.code, done.stderr) == (
        2, f"batch-infer: --max-drift {float(limit)}: expected a number above 0, such as 0.25\n",
    )  # fmt: skip


def test_an_output_that_leads_to_its_own_history_is_wrong_usage(pngs, tmp_path):
    (tmp_path / "p.csv").symlink_to("p.history.csv")
    with pytest.raises(UsageError, match="which the run writes itself"):
        run_job([pngs("a.png")], out=tmp_path / "p.csv")
