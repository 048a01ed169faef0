"""Exit codes: each with its one line, what was there stays, and which of several decides."""

import fcntl
import os
import resource

import pytest
from support.helpers import read_rows, save_png

pytestmark = pytest.mark.slow  # starts many processes

LONG = "y" * 245


@pytest.fixture
def locked(tmp_path):
    """The lock of p.csv, held."""
    with (tmp_path / "p.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_no_input_is_exit_4_and_the_old_output_stays(run, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "p.csv").write_text("old")
    done = run("in", "--out", "p.csv")
    assert (done.code, done.stdout, done.stderr) == (
        4, "", ("batch-infer: no image found in in (skipped: nothing); is the disk mounted? "
                "nothing was published, what was there stays\n"),
    )  # fmt: skip
    assert (tmp_path / "p.csv").read_text() == "old"


def test_a_missing_input_is_exit_2_and_nothing_is_published(run, few_idx, tmp_path):
    (tmp_path / "p.csv").write_text("old")
    done = run(few_idx, "gone", "--out", "p.csv")
    assert (done.code, done.stderr) == (2, "batch-infer: gone: no such file or folder; check the INPUT\n")
    assert (tmp_path / "p.csv").read_text() == "old"
    assert not (tmp_path / "p.run.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no INPUT: name an image, a folder or an IDX file; try: batch-infer --help"),
        (["x", "-0"], "-0 goes with --files-from FILE"),
        (["x", "--quiet", "--verbose"], "--quiet and --verbose exclude each other; give one of them"),
        (["x", "--out", "p.txt"], "--out p.txt: expected a name ending in .csv, .csv.gz, .jsonl or .parquet"),
        (["--files-from", "gone"], "--files-from gone: cannot be read: No such file or directory"),
        (["x", "--labels", "gone"], "x: no such file or folder; check the INPUT"),
        ([""], "'': no such file or folder; the name is empty: is a variable not set?"),
        (["names", "--out", ".csv"], "--out .csv: expected a name before the suffix, such as preds.csv"),
        (["names/x"], "names/x: no such file or folder; check the INPUT"),
        (
            ["--files-from", "names"],
            "a.png%0D: no such file or folder; the list has Windows line ends: remove them with dos2unix",
        ),
        (["--files-from", "nul"], "a%00b: no file name contains a NUL; if the list is separated by NULs, add -0"),
        (["--files-from", "\x1b[1m\n"], "--files-from %1B[1m%0A: cannot be read: No such file or directory"),
        (
            ["x", "--max-errors", "1\n\x1b[1m"],
            "--max-errors 1\\n\\x1b[1m: expected a count such as 20, or a share such as 2%",
        ),
    ],
)
def test_wrong_usage_is_exit_2_with_one_line(run, tmp_path, arguments, message):
    (tmp_path / "names").write_bytes(b"a.png\r\n")
    (tmp_path / "nul").write_bytes(b"a\0b")
    done = run(*arguments)
    assert (done.code, done.stdout, done.stderr) == (2, "", f"batch-infer: {message}\n")


@pytest.mark.parametrize(
    "arguments", [["x", "--unknown"], ["x", "--fit", "never-ever"], ["x", "--workers", "two"], ["x", "--min-accuracy"]]
)
def test_a_wrong_option_is_exit_2_with_one_line_that_names_help(run, arguments):
    done = run(*arguments)
    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert done.stderr.startswith("batch-infer: ")
    assert done.stderr.endswith("Try: batch-infer --help\n")


def test_a_missing_output_folder_is_exit_6(run, few_idx):
    done = run(few_idx, "--out", "gone/p.csv")
    assert (done.code, done.stdout, done.stderr) == (
        6, "", "batch-infer: gone: no such folder for the outputs; make it first: mkdir -p\n",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("out", "blocked", "message"),
    [
        ("p.csv", "p.run.json", "./p.run.json: is a folder; a file is written there; move it away"),
        ("p.csv", "p.mistakes.csv", "./p.mistakes.csv: is a folder; a file is written there; move it away"),
        ("p.csv", "p.state", "p.state: is a folder; a file is written there; move it away"),
        ("names/p.csv", "x", "names: is a file; the outputs need a folder"),
        (f"{LONG}.csv", "x", f"./{LONG}.report.html: cannot be written: File name too long; what was there stays"),
    ],
)  # fmt: skip
def test_where_one_of_the_outputs_cannot_be_is_exit_6_before_any_work(run, few_idx, tmp_path, out, blocked, message):
    (tmp_path / "names").touch()
    (tmp_path / blocked).mkdir()
    done = run(few_idx, "--out", out)
    assert (done.code, done.stdout, done.stderr) == (6, "", f"batch-infer: {message}\n")
    assert sorted(os.listdir(tmp_path)) == sorted(["names", blocked])


def test_a_disk_that_fills_up_is_exit_6_and_the_old_output_stays(run, few_idx, tmp_path):
    (tmp_path / "p.csv").write_text("old")
    done = run(few_idx, "--out", "p.csv", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
    assert (done.code, done.stderr) == (
        6,
        "batch-infer: p.csv: cannot be written: File too large; what was there stays\n",
    )
    assert (tmp_path / "p.csv").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["p.csv", "p.lock"]


def test_a_missed_gate_is_exit_8_with_a_line(run, labelled, tmp_path):
    done = run(labelled, "--out", "p.csv", "--min-accuracy", "1")
    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (8, "", 1)
    assert done.stderr.startswith("batch-infer: --min-accuracy 1.0: accuracy is 0.9")
    assert done.stderr.endswith(" of 300 labelled); the outputs are published\n")
    assert len(read_rows(tmp_path / "p.csv")) == 300


def test_an_unexpected_exception_is_exit_1_with_a_traceback_and_nothing_published(program, few_idx, tmp_path):
    (tmp_path / "p.csv").write_text("old")
    done = program("faults.at_rename", "bug", 0, few_idx, "--out", "p.csv")
    assert done.code == 1
    assert "ZeroDivisionError: a bug" in done.stderr
    assert (tmp_path / "p.csv").read_text() == "old"
    assert not list(tmp_path.glob(".batch-infer-*"))


def test_of_output_and_model_the_output_decides(run, few_idx):
    assert run(few_idx, "--out", "gone/p.csv", "--model", "gone.onnx").code == 6


def test_of_output_and_missing_input_the_output_decides(run):
    assert run("gone", "--out", "gone/p.csv").code == 6


@pytest.mark.usefixtures("locked")
def test_of_lock_and_model_the_lock_decides(run, few_idx):
    assert run(few_idx, "--out", "p.csv", "--model", "gone.onnx").code == 7


def test_of_a_missing_model_and_missing_input_the_model_decides(run):
    assert run("gone", "--out", "p.csv", "--model", "gone.onnx").code == 5


def test_of_missing_input_and_a_refused_model_the_input_decides(run, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not ONNX")
    assert run("gone", "--out", "p.csv", "--model", "model.onnx").code == 2


def test_of_no_input_and_a_refused_model_the_input_decides(run, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not ONNX")
    (tmp_path / "in").mkdir()
    assert run("in", "--out", "p.csv", "--model", "model.onnx").code == 4


def test_of_labels_that_do_not_fit_and_a_refused_model_the_labels_decide(run, few_idx, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not ONNX")
    assert run(few_idx, "--labels", "gone.csv", "--out", "p.csv", "--model", "model.onnx").code == 2


def test_of_a_refused_model_and_error_rows_the_model_decides(run, bad_folder, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not ONNX")
    assert run(bad_folder, "--max-errors", "0", "--out", "p.csv", "--model", "model.onnx").code == 5


@pytest.mark.usefixtures("locked")
def test_of_lock_and_missing_input_the_lock_decides(run):
    assert run("gone", "--out", "p.csv").code == 7


@pytest.mark.usefixtures("locked")
def test_of_lock_and_no_input_the_lock_decides(run, tmp_path):
    (tmp_path / "in").mkdir()
    assert run("in", "--out", "p.csv").code == 7


def test_of_labels_that_do_not_fit_and_error_rows_the_labels_decide(run, bad_folder):
    assert run(bad_folder, "--labels", "gone.csv", "--out", "p.csv").code == 2


def test_of_missing_input_and_no_input_the_missing_one_decides(run, tmp_path):
    (tmp_path / "in").mkdir()
    assert run("in", "gone", "--out", "p.csv").code == 2


def test_of_no_input_and_labels_that_do_not_fit_the_input_decides(run, tmp_path):
    (tmp_path / "in").mkdir()
    assert run("in", "--labels", "gone.csv", "--out", "p.csv").code == 4


def test_of_no_input_and_a_gate_without_labels_the_input_decides(run, tmp_path):
    (tmp_path / "in").mkdir()
    assert run("in", "--min-accuracy", "0.5", "--out", "p.csv").code == 4


def test_of_a_gate_without_labels_and_error_rows_the_usage_decides(run, bad_folder):
    assert run(bad_folder, "--min-accuracy", "0.5", "--max-errors", "0", "--out", "p.csv").code == 2


def test_of_two_gates_both_are_named(run, labelled, bad_folder):
    done = run(labelled, bad_folder, "--min-accuracy", "1", "--max-errors", "0", "--out", "p.csv")
    assert (done.code, done.stderr.count("; the outputs are published\n")) == (8, 2)


def test_of_a_bug_and_error_rows_the_bug_decides(program, bad_folder):
    done = program("faults.buggy_gates", bad_folder, "--out", "p.csv")
    assert (done.code, done.stderr.splitlines()[-1]) == (1, "ZeroDivisionError: integer division or modulo by zero")


def test_of_an_output_that_fills_up_and_a_gate_the_output_decides(run, labelled):
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))}
    assert run(labelled, "--min-accuracy", "1", "--out", "p.csv", **limit).code == 6


def test_of_gate_and_error_rows_the_gate_decides(run, bad_folder):
    assert run(bad_folder, "--max-errors", "0", "--out", "p.csv").code == 8


def test_of_a_passed_gate_and_error_rows_the_error_rows_decide(run, bad_folder, few):
    save_png(bad_folder / "7" / "x.png", few.images[0])
    assert run(bad_folder / "7", bad_folder / "b.png", "--min-accuracy", "0", "--out", "p.csv").code == 3
