"""Worker processes: any number of them gives the same bytes, and none survives the run, however it ends."""

import fcntl
import gzip
import hashlib
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from support.helpers import DEADLINE, Finished, clean_environment
from support.stalled import Stalled, is_waiting, members, wait_until

from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.inputs.arrays.source import MAX_CHUNK_IMAGES

pytestmark = pytest.mark.slow  # trains, exports or starts many processes: not for --quick

MANY = 8_200
ENDINGS = (".csv", ".accuracy.csv", ".confusion.csv", ".mistakes.csv")


@pytest.fixture(scope="module")
def many(mnist, tmp_path_factory):
    """8,200 labelled images, three chunks: enough for three workers."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "x-images-idx3-ubyte").write_bytes(idx_bytes(mnist.images[:MANY]))
    (folder / "x-labels-idx1-ubyte").write_bytes(idx_bytes(mnist.labels[:MANY]))
    return folder / "x-images-idx3-ubyte"


@pytest.fixture(scope="module")
def sixty_thousand(mnist, tmp_path_factory):
    """The test images six times, as a plain and a gzip IDX file: more than two workers are sent at a time."""
    folder = tmp_path_factory.mktemp("sixty-thousand")
    content = idx_bytes(np.tile(mnist.images, (6, 1, 1)))
    (folder / "plain").write_bytes(content)
    (folder / "gzip").write_bytes(gzip.compress(content, 1))
    return folder


@pytest.fixture
def stalled(sixty_thousand, tmp_path):
    (tmp_path / "p.csv").write_text("old")
    run = Stalled(sixty_thousand / "plain", tmp_path / "p.csv")
    yield run
    run.kill()


@pytest.mark.parametrize(("count", "started"), [(MAX_CHUNK_IMAGES, False), (MAX_CHUNK_IMAGES + 1, True)])
def test_no_process_is_started_for_the_one_chunk_of_an_idx_file(program, mnist, tmp_path, count, started):
    (tmp_path / "in").write_bytes(idx_bytes(mnist.images[:count]))
    assert program("watched.started_processes", "in") == Finished(0, f"{started}\n", "")


@pytest.mark.parametrize(
    ("out", "counts"), [("p.csv", (1, 2, 3)), ("p.csv.gz", (1, 3)), ("p.jsonl", (1, 3)), ("p.parquet", (1, 3))]
)
def test_any_number_of_workers_writes_the_same_bytes(run, many, tmp_path, out, counts):
    for count in counts:
        (tmp_path / str(count)).mkdir()
        assert run(many, "--out", tmp_path / str(count) / out, "--workers", count).code == 0
    for ending in (out.removeprefix("p"), *ENDINGS[1:]):
        assert len({(tmp_path / str(count) / f"p{ending}").read_bytes() for count in counts}) == 1


def test_workers_and_bad_files_and_damaged_idx_files_give_the_same_bytes(run, many, shared_files, tmp_path):
    content = bytearray(gzip.compress(many.read_bytes(), 1))
    content[-8] ^= 1
    (tmp_path / "damaged.gz").write_bytes(content)
    (tmp_path / "broken.png").write_bytes(b"broken")
    inputs = [shared_files / "pngs", tmp_path / "damaged.gz", tmp_path / "broken.png", many, shared_files / "few.idx"]
    for count in (1, 3):
        done = run(*inputs, "--out", tmp_path / f"{count}.csv", "--workers", count)
        assert done.code == 3
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "3.csv").read_bytes()
    lines = (tmp_path / "3.csv").read_text().splitlines()
    assert len(lines) == 1 + 300 + 1 + 1 + MANY + 300
    assert [line.rpartition(",")[2] for line in lines if "error" in line][1:] == ['"damaged_idx"', '"not_an_image"']


def test_a_model_that_the_workers_refuse_is_exit_5(run, many, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not ONNX")
    done = run(many, "--model", tmp_path / "model.onnx", "--workers", "2", "--out", tmp_path / "p.csv")
    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (5, "", 1)


@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (signal.SIGTERM, 143, "batch-infer: terminated (SIGTERM); the old output is untouched\n"),
        (signal.SIGINT, 130, "batch-infer: interrupted (SIGINT); the old output is untouched\n"),
        (signal.SIGHUP, 129, "batch-infer: hung up (SIGHUP); the old output is untouched\n"),
    ],
)
def test_a_signal_ends_a_run_and_its_workers_and_leaves_the_old_output(stalled, number, code, message):
    assert stalled.end(number) == (code, "", message)
    assert members(stalled.pid) == set()
    assert stalled.out.read_text() == "old"
    account = json.loads(stalled.out.with_name("p.run.json").read_text())
    assert (account["exit_code"], account["published"], account["predictions_sha256"]) == (code, False, None)
    assert sorted(os.listdir(stalled.out.parent)) == ["p.csv", "p.lock", "p.run.json"]


def test_gzip_and_plain_files_of_many_chunks_give_the_same_rows(run, sixty_thousand, tmp_path):
    for name in ("plain", "gzip"):
        assert run(sixty_thousand / name, "--out", tmp_path / f"{name}.csv", "--workers", 2).code == 0
    plain, zipped = (
        (tmp_path / f"{name}.csv").read_bytes().replace(bytes(sixty_thousand / name), b"") for name in ("plain", "gzip")
    )
    assert plain == zipped


@pytest.mark.parametrize("name", ["plain", "gzip"])
def test_workers_that_are_killed_once_cost_nothing_but_time(sixty_thousand, run, tmp_path, name):
    killed = Stalled(sixty_thousand / name, tmp_path / "p.csv", later=True)
    try:
        wait_until(lambda: is_waiting(killed.pid))  # for somebody to read
        killed.send(signal.SIGKILL, *killed.workers)
        _, stderr = killed.process.communicate(timeout=DEADLINE)
    finally:
        killed.kill()
    assert (killed.process.returncode, stderr) == (0, b"")
    assert run(sixty_thousand / name, "--out", "q.csv", "--workers", 1).code == 0
    assert killed.out.read_bytes() == (tmp_path / "q.csv").read_bytes()


def test_workers_whose_successors_are_killed_too_are_one_line(sixty_thousand, tmp_path):
    run = Stalled(sixty_thousand / "gzip", tmp_path / "p.csv", later=True)
    try:
        killed: set[int] = set()
        while run.process.poll() is None:
            for worker in members(run.pid) - {run.pid} - killed:
                os.kill(worker, signal.SIGKILL)
                killed.add(worker)
        _, stderr = run.process.communicate(timeout=DEADLINE)
    finally:
        run.kill()
    assert run.process.returncode == 1
    assert stderr.decode().startswith("batch-infer: a worker process died (exit codes [-9, -9]; -9 is often the out-of")
    assert stderr.count(b"\n") == 1
    assert not run.out.exists()


@pytest.mark.parametrize("name", ["plain", "gzip"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_while_rows_are_collected_leaves_the_old_output_and_no_temporary_file(
    sixty_thousand, tmp_path, number, code, name
):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "p.csv").write_text("old")
    run = Stalled(sixty_thousand / name, tmp_path / "out" / "p.csv", later=True)
    try:
        assert run.end(number)[:2] == (code, "")
        assert members(run.pid) == set()
    finally:
        run.kill()
    assert run.out.read_text() == "old"
    assert sorted(os.listdir(tmp_path / "out")) == ["p.csv", "p.lock", "p.run.json"]


def test_a_signal_to_the_whole_group_is_143_too(stalled):
    # systemd and timeout signal all processes at once: a worker that dies first must not look like a bug.
    stalled.send(signal.SIGTERM)
    _, stderr = stalled.process.communicate(timeout=DEADLINE)
    assert (stalled.process.returncode, stderr.decode()) == (
        143,
        "batch-infer: terminated (SIGTERM); the old output is untouched\n",
    )
    wait_until(lambda: not members(stalled.pid))


def test_workers_end_when_the_parent_is_killed(stalled):
    stalled.murder()
    for worker in stalled.workers:
        os.kill(worker, signal.SIGCONT)
    wait_until(lambda: not members(stalled.pid))
    assert stalled.out.read_text() == "old"


def test_a_worker_that_is_killed_as_it_starts_is_done_without(stalled):
    stalled.send(signal.SIGKILL, min(stalled.workers))
    _, stderr = stalled.process.communicate(timeout=DEADLINE)
    assert (stalled.process.returncode, stderr) == (0, b"")
    assert members(stalled.pid) == set()


def test_when_all_workers_are_killed_as_they_start_nothing_is_published(stalled):
    stalled.send(signal.SIGKILL, *stalled.workers)
    _, stderr = stalled.process.communicate(timeout=DEADLINE)
    assert stalled.process.returncode == 1
    assert stderr.decode().startswith("batch-infer: a worker process died (exit codes [-9, -9]")
    assert stderr.count(b"\n") == 1
    assert stalled.out.read_text() == "old"
    assert members(stalled.pid) == set()


def test_a_second_run_exits_7_and_names_the_holder(stalled, run, shared_files):
    done = run(shared_files / "few.idx", "--out", stalled.out)
    assert (done.code, done.stdout) == (7, "")
    assert done.stderr.startswith(
        f"batch-infer: {stalled.out.with_name('p.lock')}: another run holds it (pid {stalled.pid}, started 2"
    )
    assert len(done.stderr.splitlines()) == 1
    assert stalled.out.read_text() == "old"


def test_the_lock_is_free_at_once_after_a_kill_although_workers_live_on(stalled, run, shared_files):
    stalled.murder()
    assert members(stalled.pid) == stalled.workers
    done = run(shared_files / "few.idx", "--out", stalled.out)
    assert (done.code, done.stdout, done.stderr) == (0, "", "")


def test_of_many_runs_at_once_each_wins_or_exits_7(shared_files, tmp_path):
    command = [sys.executable, "-m", "batch_infer", shared_files / "few.idx", "--out", tmp_path / "p.csv"]
    with (tmp_path / "p.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        losers = [subprocess.Popen(command, env=clean_environment(), stderr=subprocess.DEVNULL) for _ in range(3)]
        assert [process.wait(timeout=DEADLINE) for process in losers] == [7, 7, 7]
    racers = [subprocess.Popen(command, env=clean_environment(), stderr=subprocess.DEVNULL) for _ in range(3)]
    codes = {process.wait(timeout=DEADLINE) for process in racers}
    assert 0 in codes
    assert codes <= {0, 7}
    account = json.loads((tmp_path / "p.run.json").read_text())
    assert account["predictions_sha256"] == hashlib.sha256((tmp_path / "p.csv").read_bytes()).hexdigest()
