"""Old or new, never part: kill -9, failing disks, full disks, limits; and killed incremental runs that continue."""

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from batch_infer.inputs.arrays.idx import IdxImages
from train.data import PACKAGED_MNIST

pytestmark = pytest.mark.slow  # trains, exports or starts many processes: not for --quick


@pytest.fixture
def job(tmp_path):
    """A folder with images in two labelled folders, and the outputs `old` of an earlier run on fewer of them."""
    images = IdxImages(str(PACKAGED_MNIST / "t10k-images-idx3-ubyte.gz")).read_all()[:24]
    for number, image in enumerate(images):
        path = tmp_path / "images" / str(number % 2) / f"{number:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    (tmp_path / "old").mkdir()
    run("images/0", "--out", "old/preds.csv", cwd=tmp_path)
    shutil.copytree(tmp_path / "old", tmp_path / "out")
    return tmp_path


def run(*arguments, cwd, code=0, **options):
    command = [sys.executable, "-m", "batch_infer", *arguments]
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, **options)
    assert result.returncode == code, result.stderr
    return result


def killed_runs(job, program, points, **options):
    """Kill runs → what the whole run left, each of the killed ones, and a last whole one."""
    done = program("faults.killer", job, json.dumps(points), json.dumps(options))
    assert done.code == 0, done.stderr
    whole, *killed, last = map(json.loads, done.stdout.splitlines())
    assert {run["status"] for run in killed} == {signal.SIGKILL}
    assert len(killed) == sum(points.values())
    assert (whole["status"], last["status"]) == (0, 0)
    return whole, killed, last


@pytest.mark.long
def test_kill_9_at_200_points_leaves_the_old_or_the_new_output_and_run_json_tells_which(job, program):
    old = (job / "old/preds.csv").read_text(encoding="latin-1")
    old_account = (job / "old/preds.run.json").read_text(encoding="latin-1")
    run("images", "--out", "new.csv", cwd=job)
    new = (job / "new.csv").read_text(encoding="latin-1")
    assert old != new
    whole, killed, last = killed_runs(job, program, {"before": 70, "between": 120, "after": 10})
    assert len(killed) == 200
    assert whole["renames"] == 7  # four reports, the predictions, the history, run.json
    assert sum(1 <= killed_run["renames"] < 7 for killed_run in killed) >= 100
    states, runs = [], (job / "old/preds.history.csv").read_text().count("\n")
    for left in killed:
        predictions, account = left["files"]["preds.csv"], left["files"]["preds.run.json"]
        assert predictions in {old, new}
        belongs = json.loads(account)["predictions_sha256"] == hashlib.sha256(predictions.encode("latin-1")).hexdigest()
        assert belongs == ((predictions == old) == (account == old_account))
        assert left["files"]["preds.history.csv"].count("\n") == runs + (left["renames"] >= 6)
        states.append((left["renames"], "old" if predictions == old else "new", belongs))
    assert set(states) == {
        (0, "old", True), (1, "old", True), (2, "old", True), (3, "old", True), (4, "old", True), (5, "new", False),
        (6, "new", False), (7, "new", True),
    }  # fmt: skip
    assert last["names"] == [
        "preds.accuracy.csv", "preds.confusion.csv", "preds.csv", "preds.history.csv", "preds.lock",
        "preds.mistakes.csv", "preds.report.html", "preds.run.json",
    ]  # fmt: skip


def test_an_incremental_run_killed_at_50_moments_goes_on_to_the_bytes_of_a_full_run(job, program):
    run("images", "--out", "full.csv", cwd=job)
    shutil.rmtree(job / "old")
    (job / "old").mkdir()
    shutil.rmtree(job / "out")
    (job / "out").mkdir()
    *_, last = killed_runs(job, program, {"before": 35, "between": 10, "after": 5}, incremental=True)
    assert (job / "out/preds.csv").read_bytes() == (job / "full.csv").read_bytes()
    assert not [name for name in last["names"] if name.endswith(".tmp")]


@pytest.mark.parametrize("code", ["ENOSPC", "EIO"])
def test_whatever_call_fails_the_output_is_whole_and_the_error_names_it(job, program, code):
    old = (job / "old/preds.csv").read_text()
    run("images", "--out", "new.csv", cwd=job)
    new = (job / "new.csv").read_text()
    done = program("faults.failing_outputs", code)
    assert done.code == 0, done.stderr
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(runs) > 25
    for outcome, _, predictions in runs[:-1]:
        assert predictions in {old, new}
        if outcome != "done":  # a failed removal of an old report is no failure once it is gone
            assert outcome.startswith("out/preds.")
            if ": the new file is in place, but " in outcome:
                assert predictions == new or not outcome.startswith("out/preds.csv: ")
            else:
                assert ": cannot be written: " in outcome
                assert predictions == old or not outcome.startswith("out/preds.csv: ")
    assert [outcome for outcome, _, _ in runs].count("done") == 1
    assert runs[-1] == ["done", True, new]
    assert runs[0][2] == old
    assert os.strerror(getattr(errno, code)) in runs[0][0]


def test_a_file_size_limit_is_exit_6_and_leaves_the_old_output(job):
    old = (job / "out/preds.csv").read_bytes()
    result = run("images", "--labels", "none", "--out", "out/preds.csv", cwd=job, code=6, preexec_fn=limit_file_size)
    assert result.stderr == "batch-infer: out/preds.csv: cannot be written: File too large; what was there stays\n"
    assert (job / "out/preds.csv").read_bytes() == old
    assert not [name for name in os.listdir(job / "out") if name.endswith(".tmp")]


def limit_file_size():
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_full_standard_output_is_exit_6(job):
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [sys.executable, "-m", "batch_infer", "images", "--labels", "none"],
            cwd=job, stdout=full, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert result.returncode == 6
    assert result.stderr == b"batch-infer: standard output: cannot be written: No space left on device\n"


def test_a_folder_that_cannot_be_written_is_exit_6_before_any_work(job):
    result = run("images", "--out", "nowhere/preds.csv", cwd=job, code=6)
    assert result.stderr == "batch-infer: nowhere: no such folder for the outputs; make it first: mkdir -p\n"


def test_orphans_of_killed_runs_are_removed_and_nothing_else(job):
    (job / "out/.batch-infer-preds.csv-abcdefgh.tmp").touch()
    (job / "out/.batch-infer-preds.run.json-abcdefgh.tmp").touch()
    others = [".batch-infer-preds.csv-2.csv-abcdefgh.tmp", ".batch-infer-preds2.csv-abcdefgh.tmp"]
    for name in others:
        (job / "out" / name).touch()
    run("images", "--out", "out/preds.csv", cwd=job)
    assert sorted(name for name in os.listdir(job / "out") if name.startswith(".")) == others


@pytest.mark.parametrize("name", ["七" * 79, "x" * 240])
def test_a_name_nearly_as_long_as_names_may_be_is_written(job, name):
    run("images", "--out", f"out/{name}.csv", cwd=job)
    assert (job / f"out/{name}.csv").read_bytes()
    assert not [name for name in os.listdir(job / "out") if name.startswith(".")]


def test_mode_of_a_new_output_follows_the_umask_and_an_old_one_keeps_its_own(job):
    run("images", "--out", "fresh.csv", cwd=job, preexec_fn=lambda: os.umask(0o027))
    assert (job / "fresh.csv").stat().st_mode & 0o777 == 0o640
    (job / "fresh.csv").chmod(0o604)
    run("images", "--out", "fresh.csv", cwd=job)
    assert (job / "fresh.csv").stat().st_mode & 0o777 == 0o604
