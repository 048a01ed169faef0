"""run_job works from any script, notebook, thread or standard input; workers never run the caller's main module."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.helpers import DEADLINE, ROOT, clean_environment, read_rows, save_png
from support.stalled import members, stat_of, wait_until

from batch_infer.inputs.arrays.idx import idx_bytes

pytestmark = pytest.mark.slow

SCRIPT = ROOT / "tests" / "support" / "unguarded.py"
COUNT = 2_100  # pictures; up to 2,048 need no worker
EXPECTED = "the main module runs\nexit code 0\n"
SHADOWS = ("numpy.py", "random.py", "json.py", "struct.py", "batch_infer.py")


@pytest.fixture(scope="module")
def folder(few, tmp_path_factory):
    """A folder `in` of pictures, and the rows that the command makes of it."""
    root = tmp_path_factory.mktemp("library")
    for number in range(COUNT):
        save_png(root / "in" / f"{number:04}{'é' * (number % 2)}.png", few.images[number % 300])
    command = [sys.executable, "-m", "batch_infer", "in", "--out", "expected.csv", "--no-report"]
    subprocess.run(command, cwd=root, env=clean_environment(), check=True, timeout=DEADLINE)
    return root


@pytest.fixture
def script(folder):
    """Run Python in the folder → exit code, stdout, stderr, and whether the rows are those of the command."""

    def call(*arguments, out="p.csv", **options):
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            **{"cwd": folder, "env": clean_environment(), "stdin": subprocess.DEVNULL, **options},
            capture_output=True,
            check=False,
            timeout=DEADLINE,
        )
        path = folder / out
        right = path.exists() and path.read_bytes() == (folder / "expected.csv").read_bytes()
        path.unlink(missing_ok=True)
        return done.returncode, done.stdout.decode(), done.stderr.decode(), right

    return call


@pytest.mark.parametrize(
    "way",
    ["plain", "torch", "thread", "macos", "embedded", "ignores children", "reaps all children", "another locale"],
)
def test_a_script_without_a_main_guard_classifies_a_folder(script, way):
    assert script(SCRIPT, "in", "p.csv", way) == (0, EXPECTED, "", True)


def test_so_does_one_whose_standard_streams_are_closed(script):
    assert script(SCRIPT, "in", "p.csv", "no standard streams") == (0, "the main module runs\n", "", True)


def test_so_does_one_from_standard_input(script):
    with SCRIPT.open("rb") as file:
        assert script("-", "in", "p.csv", stdin=file) == (0, EXPECTED, "", True)


def test_modules_in_the_working_folder_do_not_stand_in_for_libraries(script, folder):
    for name in SHADOWS:
        (folder / name).write_text("raise SystemExit('the wrong module')")
    try:
        for way in ("plain", "macos"):
            assert script(SCRIPT, "in", "p.csv", way) == (0, EXPECTED, "", True)
    finally:
        for name in SHADOWS:
            (folder / name).unlink()


@pytest.mark.parametrize("way", ["plain", "macos"])
def test_workers_run_the_package_that_the_script_found(script, folder, tmp_path, way):
    shutil.copytree(ROOT / "batch_infer", tmp_path / "batch_infer", ignore=shutil.ignore_patterns("__pycache__"))
    contract = tmp_path / "batch_infer" / "contract.py"
    contract.write_text(contract.read_text().replace('OK: Final = "ok"', 'OK: Final = "fine"'))
    shutil.copy(folder / "expected.csv", folder / "before.csv")
    expected = folder / "expected.csv"
    expected.write_text(expected.read_text().replace('"ok"', '"fine"'))
    history = folder / "p.history.csv"  # it has a column for each status, also for those of the other package
    history.unlink(missing_ok=True)
    try:
        assert script(SCRIPT, "in", "p.csv", way, tmp_path) == (0, EXPECTED, "", True)
    finally:
        history.unlink()
        os.replace(folder / "before.csv", expected)


def test_so_does_a_notebook_cell(folder):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    (folder / "random.py").write_text("raise SystemExit('the wrong module')")
    code = "from batch_infer import OnnxClassifier, run_job\nOnnxClassifier()\nrun_job(['in'], out='p.csv').exit_code"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    try:
        nbclient.NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}, timeout=DEADLINE).execute()
        (output,) = notebook.cells[0].outputs
        assert output["data"]["text/plain"] == "0"
        assert (folder / "p.csv").read_bytes() == (folder / "expected.csv").read_bytes()
    finally:
        (folder / "random.py").unlink()
        (folder / "p.csv").unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says which processes a run has")
@pytest.mark.parametrize("way", ["plain", "macos"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_ctrl_c_while_workers_start_ends_them_all(folder, tmp_path, way, count):
    (tmp_path / "p.csv").write_text("old")
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "in", tmp_path / "p.csv", way],
        cwd=folder, env=clean_environment(), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_until(lambda: len(members(process.pid)) >= min(count, 3 + (way == "plain")) or process.poll() is not None)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=DEADLINE)
    assert process.returncode == -signal.SIGINT
    assert stderr.decode().count("Traceback") == 1
    assert stderr.decode().endswith("KeyboardInterrupt\n")
    wait_until(lambda: not members(process.pid))
    assert (tmp_path / "p.csv").read_text() == "old"
    assert not list(tmp_path.glob(".*"))


CUSTOM = """
import os, sys, threading, time
if sys.flags.safe_path:
    {fault}
threading.Thread(target=time.sleep, args=(600,), daemon=True).start()  # so that the command cannot fork
"""


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            "os.write(2, b'libc.so: not found\\n'); os._exit(127)",
            "in a fresh Python, libc.so: not found; try --workers 1",
        ),
        ("sys.modules['numpy'] = None", "in a fresh Python, ModuleNotFoundError: import of numpy halted"),
        ("os.kill(os.getpid(), 9)", "a worker process died (exit codes [-9, -9]; -9 is often the out-of-memory killer"),
        ("os._exit(3)", "a worker process died (exit codes [3, 3]; "),
    ],
)
def test_a_fresh_interpreter_that_dies_while_starting_is_one_line(folder, tmp_path, fault, words):
    (tmp_path / "sitecustomize.py").write_text(CUSTOM.format(fault=fault))
    (tmp_path / "p.csv").write_text("old")
    done = subprocess.run(
        [sys.executable, "-m", "batch_infer", folder / "in", "--out", tmp_path / "p.csv", "--workers", "2"],
        env=clean_environment(PYTHONPATH=str(tmp_path)),
        capture_output=True, check=False, timeout=DEADLINE,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)
    assert done.stderr.decode().startswith("batch-infer: ")
    assert words in done.stderr.decode()
    assert (tmp_path / "p.csv").read_text() == "old"


def test_the_command_with_another_thread_in_its_process_gives_the_same_rows(script, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(CUSTOM.format(fault="pass"))
    environment = clean_environment(PYTHONPATH=str(tmp_path))
    arguments = ("-m", "batch_infer", "in", "--out", "p.csv", "--no-report", "--workers", "2")
    assert script(*arguments, env=environment) == (0, "", "", True)


@pytest.mark.parametrize("way", ["plain", "macos"])
def test_a_file_that_crashes_a_worker_is_a_row_from_a_script_too(few, script, tmp_path, way):
    for number in range(COUNT):
        save_png(tmp_path / "in" / f"{number:04}.png", few.images[0])
    (tmp_path / "in" / "1500.png").write_bytes(b"FAULT segfault")
    environment = clean_environment(PYTHONPATH=str(ROOT / "tests" / "support" / "faults"))
    code, stdout, _, _ = script(SCRIPT, tmp_path / "in", tmp_path / "p.csv", way, env=environment)
    assert (code, stdout) == (0, EXPECTED.replace("code 0", "code 3"))
    bad = [(Path(row["path"]).name, row["error"]) for row in read_rows(tmp_path / "p.csv") if row["error"]]
    assert bad == [("1500.png", "unreadable")]


def test_images_that_are_sent_to_workers_arrive(few, script, tmp_path):
    (tmp_path / "x.idx").write_bytes(idx_bytes(np.tile(few.images, (40, 1, 1))))
    assert script(SCRIPT, tmp_path / "x.idx", tmp_path / "p.csv")[:3] == (0, EXPECTED, "")
    assert len(read_rows(tmp_path / "p.csv")) == 40 * 300


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says which processes a run has")
def test_workers_end_with_a_script_that_is_killed_although_another_process_holds_their_sockets(few, tmp_path):
    (tmp_path / "x.idx").write_bytes(idx_bytes(np.tile(few.images, (2_000, 1, 1))))  # seconds of work
    process = subprocess.Popen(
        [sys.executable, SCRIPT, tmp_path / "x.idx", tmp_path / "p.csv", "forks"],
        env=clean_environment(), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        forked = wait_until(lambda: len(members(process.pid)) == 5 or process.poll() is not None)
        assert forked
        assert process.poll() is None
        process.kill()
        process.wait()
        wait_until(lambda: len(members(process.pid)) == 1)  # the one that the script forked
    finally:
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says which processes a run has")
def test_workers_whose_parent_is_killed_finish_their_work(folder, tmp_path):
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "in", tmp_path / "p.csv"],
        cwd=folder, env=clean_environment(), start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_until(lambda: len(members(process.pid)) == 4)
    (server,) = (pid for pid in members(process.pid) if int(stat_of(pid)[1]) == process.pid)
    os.kill(server, signal.SIGKILL)
    stdout, stderr = process.communicate(timeout=DEADLINE)
    assert (process.returncode, stdout.decode(), stderr) == (0, EXPECTED, b"")
    assert len(read_rows(tmp_path / "p.csv")) == COUNT
    wait_until(lambda: not members(process.pid))
