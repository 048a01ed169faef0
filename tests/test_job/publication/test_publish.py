"""Publication: where the outputs of a run go, in which order, and what stops it no longer."""

import hashlib
import json
import os
import signal

import pytest

from batch_infer import run_job
from batch_infer.errors import OutputError, UsageError


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 5, 6, 7])
@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_signal_once_the_publication_began_does_not_stop_it(program, labelled, tmp_path, number, at):
    # "The old output is untouched" would be a lie; reports, predictions and account of one run stand side by side.
    (tmp_path / "p.csv").write_text("old")
    done = program("faults.at_rename", number, at, labelled, "--out", "p.csv", "--incremental")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    account = json.loads((tmp_path / "p.run.json").read_text())
    assert account["predictions_sha256"] == hashlib.sha256((tmp_path / "p.csv").read_bytes()).hexdigest()
    assert (account["exit_code"], account["published"]) == (0, True)


def test_reports_are_published_before_the_predictions_and_history_and_account_last(program, labelled):
    done = program("faults.at_rename", "names", 0, labelled, "--out", "p.csv")
    assert done.stdout.split() == [
        "p.report.html", "p.accuracy.csv", "p.confusion.csv", "p.mistakes.csv", "p.csv", "p.history.csv", "p.run.json",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kill_at", [1, 5, 6, 7])
def test_after_a_kill_the_output_is_old_or_new_and_the_account_tells_which(program, run, labelled, tmp_path, kill_at):
    old, new = b"old\n", run(labelled).stdout.encode()
    (tmp_path / "p.csv").write_bytes(old)
    (tmp_path / "p.run.json").write_text(json.dumps({"predictions_sha256": hashlib.sha256(old).hexdigest()}))
    done = program("faults.at_rename", "SIGKILL", kill_at, labelled, "--out", "p.csv")
    assert done.code == -signal.SIGKILL
    content = (tmp_path / "p.csv").read_bytes()
    assert content == (old if kill_at <= 5 else new)
    belongs = (
        json.loads((tmp_path / "p.run.json").read_text())["predictions_sha256"] == hashlib.sha256(content).hexdigest()
    )
    assert belongs == (content == old)


def test_reports_stand_beside_the_output_and_nothing_else_is_left(shared_files, tmp_path):
    run_job([shared_files / "labelled" / "x-images-idx3-ubyte"], out=tmp_path / "p.csv", workers=1)
    assert sorted(os.listdir(tmp_path)) == [
        "p.accuracy.csv", "p.confusion.csv", "p.csv", "p.history.csv", "p.lock", "p.mistakes.csv", "p.report.html",
        "p.run.json",
    ]  # fmt: skip


def test_without_labels_there_are_only_the_account_of_the_run_and_the_history(shared_files, tmp_path):
    run_job([shared_files / "few.idx"], out=tmp_path / "p.parquet", workers=1)
    assert sorted(os.listdir(tmp_path)) == ["p.history.csv", "p.lock", "p.parquet", "p.report.html", "p.run.json"]


def test_reports_of_an_earlier_run_are_removed_when_there_are_no_labels(shared_files, tmp_path):
    source = shared_files / "labelled" / "x-images-idx3-ubyte"
    run_job([source], out=tmp_path / "p.csv", workers=1)
    run_job([source], out=tmp_path / "p.csv", labels="none", workers=1)
    assert sorted(os.listdir(tmp_path)) == ["p.csv", "p.history.csv", "p.lock", "p.report.html", "p.run.json"]


def test_reports_go_to_their_folder_and_the_predictions_do_not(shared_files, tmp_path):
    (tmp_path / "reports").mkdir()
    source = shared_files / "labelled" / "x-images-idx3-ubyte"
    run_job([source], out=tmp_path / "p.csv", report_dir=tmp_path / "reports", workers=1)
    assert sorted(os.listdir(tmp_path)) == ["p.csv", "p.lock", "reports"]
    assert sorted(os.listdir(tmp_path / "reports")) == [
        "p.accuracy.csv", "p.confusion.csv", "p.history.csv", "p.mistakes.csv", "p.report.html", "p.run.json",
    ]  # fmt: skip


def test_without_reports_there_are_the_predictions_alone(shared_files, tmp_path):
    run_job([shared_files / "labelled" / "x-images-idx3-ubyte"], out=tmp_path / "p.csv", report=False, workers=1)
    assert sorted(os.listdir(tmp_path)) == ["p.csv", "p.lock"]


def test_a_missing_output_folder_is_named(shared_files, tmp_path):
    with pytest.raises(OutputError) as caught:
        run_job([shared_files / "few.idx"], out=tmp_path / "gone" / "p.csv", workers=1)
    assert str(caught.value) == f"{tmp_path}/gone: no such folder for the outputs; make it first: mkdir -p"


def test_a_folder_as_output_is_wrong_usage(shared_files, tmp_path):
    (tmp_path / "p.csv").mkdir()
    with pytest.raises(UsageError) as caught:
        run_job([shared_files / "few.idx"], out=tmp_path / "p.csv", workers=1)
    assert str(caught.value) == f"--out {tmp_path}/p.csv: is a folder; expected a file name ending in .csv"
