"""Files that crash, hang or surprise the decoder: each costs its own row, and the night's job goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.helpers import ROOT, clean_environment, read_rows, save_png

from batch_infer.inputs.arrays.idx import idx_bytes

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="its workers are forked")]

COUNT = 2_060  # more than are classified in the job's own process
FAULTS = str(ROOT / "tests" / "support" / "faults")  # its sitecustomize.py gives the decoder the faults
SECONDS = 4  # for an image; on a busy machine the first one may take two, libraries are loaded for it


@pytest.fixture(scope="module")
def many(mnist, tmp_path_factory):
    """2,060 PNGs of real digits."""
    folder = tmp_path_factory.mktemp("many")
    for number in range(COUNT):
        save_png(folder / f"{number:05}.png", mnist.images[number])
    return folder


@pytest.fixture
def inputs(many, tmp_path):
    """Make a folder of those PNGs and of files that order a fault, by name."""

    def make(**faults) -> Path:
        folder = tmp_path / "in"
        folder.mkdir()
        for name in os.listdir(many):
            os.link(many / name, folder / name)
        for name, fault in faults.items():
            (folder / f"{name}.png").write_text(f"FAULT {fault}")
        return folder

    return make


@pytest.fixture
def poisoned(run, tmp_path):
    """Run the command with the faults, on two workers."""

    def call(folder, *options, workers=2, **environment):
        environment = clean_environment(HOME=str(tmp_path), PYTHONPATH=FAULTS, **environment)
        return run(folder, "--out", "p.csv", "--workers", workers, *options, env=environment)

    return call


def errors(path) -> dict[str, str]:
    return {os.path.basename(row["path"]): row["error"] for row in read_rows(path) if row["error"]}


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("segfault", "SIGSEGV"), ("abort", "SIGABRT"), ("die SIGBUS", "SIGBUS"), ("die SIGILL", "SIGILL"),
        ("die SIGFPE", "SIGFPE"), ("exit", "exit code 7"),
    ],
)  # fmt: skip
def test_a_file_that_crashes_the_decoder_is_a_row_and_all_others_are_classified(
    inputs, poisoned, run, many, tmp_path, fault, name
):
    done = poisoned(inputs(**{"00700x": fault}))
    assert (done.code, done.stdout) == (3, "")
    assert done.stderr == (
        f"batch-infer: {tmp_path}/in/00700x.png: unreadable (the decoder crashed ({name}))\n"
        f"batch-infer: 1 of 2,061 inputs could not be read (1 unreadable); they are rows with status=error\n"
    )
    assert errors(tmp_path / "p.csv") == {"00700x.png": "unreadable"}
    run(many, "--out", "clean.csv")
    clean = [row["prediction"] for row in read_rows(tmp_path / "clean.csv")]
    assert [row["prediction"] for row in read_rows(tmp_path / "p.csv") if not row["error"]] == clean


def test_up_to_five_crashes_are_rows_and_any_number_of_workers_gives_the_same_bytes(inputs, poisoned, tmp_path):
    names = ("00000x", "00001x", "01022x", "01023x", "02059x")
    folder = inputs(**dict.fromkeys(names, "segfault"))
    contents = set()
    for workers in (2, 3):
        assert poisoned(folder, workers=workers).code == 3
        assert set(errors(tmp_path / "p.csv").values()) == {"unreadable"}
        assert [name[:-4] for name in errors(tmp_path / "p.csv")] == list(names)
        contents.add((tmp_path / "p.csv").read_bytes())
    assert len(contents) == 1


def test_a_sixth_crash_ends_the_run_and_names_the_files(inputs, poisoned, tmp_path):
    (tmp_path / "p.csv").write_text("old")
    done = poisoned(inputs(**{f"00{number}00x": "segfault" for number in range(6)}))
    named = ", ".join(f"{tmp_path}/in/00{number}00x.png" for number in range(6))
    assert done.code == 1
    assert done.stderr == (
        f"batch-infer: 6 files crashed the decoder or took too long: {named}; move them away and please report it; "
        "nothing was published, what was there stays\n"
    )
    assert (tmp_path / "p.csv").read_text() == "old"


def test_a_worker_killed_from_outside_blames_no_file(inputs, poisoned, tmp_path):
    done = poisoned(
        inputs(**{"00700x": f"die_once SIGKILL {tmp_path}/killed", "00800x": f"die_once SIGTERM {tmp_path}/x"})
    )
    assert (tmp_path / "killed").exists()
    assert (done.code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("batch-infer: a worker process died (exit codes [-9, -15]; ")


@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM"])
def test_after_one_death_from_outside_the_chunk_is_done_once_more(inputs, poisoned, tmp_path, number):
    done = poisoned(inputs(**{"00700x": f"die_once {number} {tmp_path}/killed"}))
    assert (tmp_path / "killed").exists()
    assert (done.code, errors(tmp_path / "p.csv")) == (
        3,
        {"00700x.png": "no_digit"},
    )  # the fault is a grey picture then


@pytest.mark.parametrize("workers", [1, 2])
def test_an_unexpected_exception_is_the_row_of_its_file_and_one_line_that_says_where(
    inputs, poisoned, tmp_path, workers
):
    done = poisoned(inputs(**{"00700x": "fail"}), "--quiet", workers=workers)
    assert errors(tmp_path / "p.csv") == {"00700x.png": "internal_error"}
    assert done.code == 3
    line = done.stderr.splitlines()[0]
    assert line.startswith(
        f"batch-infer: {tmp_path}/in/00700x.png: internal_error (IndexError at batch_infer/inference/load.py:"
    )
    assert line.endswith(", _read_files(); please report this line, with the file)")


def test_an_unexpected_exception_is_reported_although_many_files_are_bad(inputs, poisoned):
    folder = inputs(zzz="fail")
    for number in range(30):
        (folder / f"{number:05}bad.png").write_bytes(b"bad")
    done = poisoned(folder)
    assert "zzz.png: internal_error (" in done.stderr
    assert done.stderr.count("not_an_image (unknown format") == 20


def test_a_file_that_takes_more_memory_than_a_worker_may_is_too_large(inputs, poisoned, tmp_path):
    done = poisoned(inputs(**{"00700x": "allocate"}))
    assert (done.code, errors(tmp_path / "p.csv")) == (3, {"00700x.png": "too_large"})


@pytest.mark.parametrize("fault", ["sleep", "hang"])
def test_a_file_that_takes_too_long_is_a_row_and_the_job_goes_on(inputs, poisoned, tmp_path, fault):
    done = poisoned(inputs(**{"00700x": fault, "01700x": fault}), FAULT_SECONDS=str(SECONDS))
    assert errors(tmp_path / "p.csv") == {"00700x.png": "unreadable", "01700x.png": "unreadable"}
    assert done.stderr.count(f"unreadable (took longer than {SECONDS} s)\n") == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_is_answered_although_the_workers_are_stuck_in_c(inputs, tmp_path, number, code):
    folder = inputs(**{f"{chunk:02}000x": "hang" for chunk in (0, 1, 2)})
    process = subprocess.Popen(
        [sys.executable, "-m", "batch_infer", folder, "--out", tmp_path / "p.csv", "--workers", "2"],
        env=clean_environment(PYTHONPATH=FAULTS),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    time.sleep(4)  # by now they are
    process.send_signal(number)
    started = time.monotonic()
    _, stderr = process.communicate(timeout=20)
    assert time.monotonic() - started < 5
    assert (process.returncode, stderr.count(b"\n")) == (code, 1)
    assert sorted(os.listdir(tmp_path)) == ["in", "p.lock", "p.run.json"]
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_crashes_time_outs_and_internal_errors_never_enter_the_state(inputs, poisoned, run, tmp_path):
    folder = inputs(**{"00100x": "segfault", "00200x": "sleep", "00300x": "fail", "00400x": "allocate"})
    time.sleep(2.1)  # younger files are not kept at all
    assert poisoned(folder, "--incremental", FAULT_SECONDS=str(SECONDS)).code == 3
    assert set(errors(tmp_path / "p.csv").values()) == {"unreadable", "internal_error", "too_large"}
    assert run(folder, "--out", "p.csv", "--workers", 2, "--incremental").code == 3  # without the faults
    assert set(errors(tmp_path / "p.csv").values()) == {"not_an_image"}
    assert len(errors(tmp_path / "p.csv")) == 4


CALLED = """
import sys, threading
from batch_infer import run_job
if __name__ == "__main__":
    job = threading.Thread(target=lambda: print(run_job([sys.argv[1]], out="p.csv", workers=2).exit_code))
    job.start()
    job.join()
"""


def test_workers_that_cannot_be_forked_do_the_same(inputs, tmp_path):
    (tmp_path / "called.py").write_text(CALLED)
    folder = inputs(**{"00700x": "segfault", "01000x": "sleep"})
    done = subprocess.run(
        [sys.executable, "called.py", folder],
        env=clean_environment(PYTHONPATH=FAULTS, FAULT_SECONDS=str(SECONDS)),
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b"3\n")
    assert errors(tmp_path / "p.csv") == {"00700x.png": "unreadable", "01000x.png": "unreadable"}


@pytest.mark.parametrize("side", [28, 40])  # tested for MNIST's format all together, or one by one
def test_an_image_of_an_idx_file_is_a_row_too(poisoned, tmp_path, side):
    # Normalizing, not decoding, is what fails here.
    images = np.zeros((5_000, side, side), np.uint8)
    images[:, 1 : side - 5, side // 2 : side // 2 + 3] = 255
    images[4_500, :3, :3] = (7, 7, 7)
    (tmp_path / "x").write_bytes(idx_bytes(images))
    done = poisoned(tmp_path / "x", FAULT_IMAGE="7")
    rows = read_rows(tmp_path / "p.csv")
    assert [row["index"] for row in rows if row["error"]] == ["4500"]
    assert f"{tmp_path}/x[4500]: unreadable (the decoder crashed (SIGSEGV))" in done.stderr
    assert {row["prediction"] for row in rows if not row["error"]} == {"1"}
