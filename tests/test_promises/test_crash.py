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

from batch_infer.inputs.idx import IdxImages
from train.data import PACKAGED_MNIST

pytestmark = pytest.mark.slow  # trains, exports or starts many processes: not for --quick

# Runs in a process of its own: forks children that run a job and kill themselves at a given line of our code.
KILLER = r'''
import gc, json, os, shutil, signal, sys
from pathlib import Path

import batch_infer.job.run
from batch_infer.classifier import import_onnxruntime
import pandas, pyarrow.csv  # what the children need is loaded once, before they are forked

import_onnxruntime()
folder, points, options = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
os.chdir(folder)
PACKAGE = os.path.dirname(batch_infer.__file__)


def child(kill_at):
    """Run the job in a forked child; kill -9 it at the given line event, or count them."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        with os.fdopen(reader) as file:
            count = file.read()
        return os.waitpid(pid, 0)[1], count
    lines = 0

    def trace(frame, event, argument):
        nonlocal lines
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        lines += 1
        if lines == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    batch_infer.job.run.run_job(["images"], out="out/preds.csv", workers=1, **options)
    sys.settrace(None)
    os.write(writer, str(lines).encode())
    os._exit(0)


def restore():
    shutil.rmtree("out")
    shutil.copytree("old", "out")


restore()
status, total = child(None)
assert status == 0, status
total = int(total)
print(json.dumps({"total": total}))
restore()
for point in range(points):
    if not options.get("incremental"):
        restore()
    status, _ = child(1 + total * point // points)
    names = sorted(os.listdir("out"))
    found = {name: Path("out", name).read_bytes().decode("latin-1") for name in names if name.startswith("preds.")}
    found.pop("preds.state", None)
    print(json.dumps({"status": status, "names": names, "files": found}))
status, _ = child(None)
print(json.dumps({"status": status, "names": sorted(os.listdir("out"))}))
'''


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


def killed_runs(job, points, **options):
    arguments = [sys.executable, "-c", KILLER, str(job), str(points), json.dumps(options)]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    first, *killed, last = map(json.loads, result.stdout.splitlines())
    assert first["total"] > points
    return killed, last


@pytest.mark.slow
def test_kill_9_at_200_points_leaves_the_old_or_the_new_output_and_run_json_tells_which(job):
    old = (job / "old/preds.csv").read_text(encoding="latin-1")
    old_account = (job / "old/preds.run.json").read_text(encoding="latin-1")
    run("images", "--out", "new.csv", cwd=job)
    new = (job / "new.csv").read_text(encoding="latin-1")
    assert old != new
    killed, last = killed_runs(job, 200)
    assert {run["status"] for run in killed} == {signal.SIGKILL}
    seen = set()
    for account in killed:
        predictions = account["files"]["preds.csv"]
        assert predictions in {old, new}
        record = account["files"]["preds.run.json"]
        belongs = json.loads(record)["predictions_sha256"] == hashlib.sha256(predictions.encode("latin-1")).hexdigest()
        assert belongs == ((predictions == old) == (record == old_account))
        seen.add((predictions == new, belongs))
    assert (False, True) in seen  # killed before the publication; what lies behind it is a few lines only
    assert last == {
        "status": 0,
        "names": ["preds.accuracy.csv", "preds.confusion.csv", "preds.csv", "preds.lock", "preds.mistakes.csv",
                  "preds.run.json"],
    }  # fmt: skip


@pytest.mark.slow
def test_an_incremental_run_killed_at_50_moments_goes_on_to_the_bytes_of_a_full_run(job):
    run("images", "--out", "full.csv", cwd=job)
    shutil.rmtree(job / "old")
    (job / "old").mkdir()
    shutil.rmtree(job / "out")
    (job / "out").mkdir()
    _, last = killed_runs(job, 50, incremental=True)
    assert last["status"] == 0
    assert (job / "out/preds.csv").read_bytes() == (job / "full.csv").read_bytes()
    assert not [name for name in last["names"] if name.endswith(".tmp")]


# Runs in a process of its own: the N-th call that touches an output fails, for N = 1, 2, … until none does.
FAULTS = r'''
import builtins, errno, json, os, sys
import batch_infer.outputs.atomic, batch_infer.job.run, batch_infer.job.publish
from batch_infer.errors import OutputError

code, countdown = getattr(errno, sys.argv[1]), 0
real_fdopen = os.fdopen


def count():
    global countdown
    countdown -= 1
    if countdown == 0:
        raise OSError(code, os.strerror(code))


class Failing:
    """A file whose calls are counted."""

    def __init__(self, file):
        self._file = file

    def __getattr__(self, name):
        method = getattr(self._file, name)
        if name not in {"write", "flush", "close", "truncate", "seek"}:
            return method
        def counted(*arguments):
            try:
                count()
            except OSError:
                if name == "close":
                    self._file.close()
                raise
            return method(*arguments)
        return counted


def counted(function):
    def call(*arguments, **options):
        count()
        return function(*arguments, **options)
    return call


class CountingOs:
    def __getattr__(self, name):
        if name == "fdopen":
            return lambda *arguments: Failing(real_fdopen(*arguments))
        function = getattr(os, name)
        return counted(function) if name in {"fsync", "replace", "fchmod", "open", "unlink"} else function


batch_infer.outputs.atomic.os = CountingOs()
real_mkstemp = batch_infer.outputs.atomic.tempfile.mkstemp
batch_infer.outputs.atomic.tempfile.mkstemp = counted(real_mkstemp)

number = 0
while True:
    number += 1
    countdown = number
    try:
        batch_infer.job.run.run_job(["images"], out="out/preds.csv", workers=1)
        outcome = "done"
    except OutputError as error:
        outcome = str(error)
    untouched, countdown = countdown > 0, 0
    print(json.dumps([outcome, untouched, open("out/preds.csv", "rb").read().decode()]))
    if untouched:
        break
'''


@pytest.mark.parametrize("code", ["ENOSPC", "EIO"])
def test_whatever_call_fails_the_output_is_whole_and_the_error_names_it(job, code):
    old = (job / "old/preds.csv").read_text()
    run("images", "--out", "new.csv", cwd=job)
    new = (job / "new.csv").read_text()
    result = subprocess.run([sys.executable, "-c", FAULTS, code], cwd=job, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    runs = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(runs) > 25
    for outcome, _, predictions in runs[:-1]:
        assert predictions in {old, new}
        if outcome != "done":  # a failed removal of an old report is no failure once it is gone
            assert outcome.startswith("out/preds.")
            assert ": cannot be written: " in outcome
    assert [outcome for outcome, _, _ in runs].count("done") == 1
    assert runs[-1] == ["done", True, new]
    assert runs[0][2] == old
    assert os.strerror(getattr(errno, code)) in runs[0][0]


def test_a_file_size_limit_is_exit_6_and_leaves_the_old_output(job):
    old = (job / "out/preds.csv").read_bytes()
    result = run("images", "--out", "out/preds.csv", cwd=job, code=6, preexec_fn=limit_file_size)
    assert result.stderr == "batch-infer: out/preds.csv: cannot be written: File too large; what was there stays\n"
    assert (job / "out/preds.csv").read_bytes() == old
    assert not [name for name in os.listdir(job / "out") if name.endswith(".tmp")]


def limit_file_size():
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))


def test_a_full_standard_output_is_exit_6(job):
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            [sys.executable, "-m", "batch_infer", "images"], cwd=job, stdout=full, stderr=subprocess.PIPE, check=False
        )
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
