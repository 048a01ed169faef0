"""The command batch-infer as a process: options, exit codes, messages, cron."""

import csv
import fcntl
import hashlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.helpers import clean_environment, read_rows, save_png

import batch_infer
from batch_infer.inputs.idx import idx_bytes

LONG = "y" * 245
COLUMNS = ["path", "index", "label", "prediction", "confidence", "status", "error"]


@pytest.fixture
def few_idx(shared_files):
    return shared_files / "few.idx"


@pytest.fixture
def labelled(shared_files):
    return shared_files / "labelled" / "x-images-idx3-ubyte"


@pytest.fixture
def bad_folder(pngs):
    """Two good files and a broken one."""
    root = pngs("a.png", "c.png", folder="bad")
    (root / "b.png").write_bytes(b"broken")
    return root


@pytest.fixture
def locked(tmp_path):
    """The lock of p.csv, held."""
    with (tmp_path / "p.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def shell(script: str, *arguments, cwd=None, **environment) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script in which "$@" is `python -m batch_infer` with the arguments."""
    return subprocess.run(
        ["/bin/sh", "-c", script, "sh", sys.executable, "-m", "batch_infer", *map(str, arguments)],
        env=clean_environment(**environment),
        cwd=cwd,
        capture_output=True,
        timeout=120,
        check=False,
    )


def test_a_run_that_classifies_everything_is_exit_0_and_says_nothing(run, few_idx, tmp_path):
    done = run(few_idx, "--out", tmp_path / "p.csv")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")


def test_verbose_says_one_line(run, labelled):
    done = run(labelled, "--out", "p.csv", "--verbose")
    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (0, "", 1)
    assert done.stderr.startswith("batch-infer: 300 images · 300 ok · accuracy 9")
    assert done.stderr.endswith(" s → p.csv\n")


def test_verbose_as_json_is_one_object(run, few_idx):
    done = run(few_idx, "--out", "p.csv", "--verbose", "--log-format", "json")
    record = json.loads(done.stderr)
    assert (record["level"], set(record)) == ("info", {"time", "level", "message"})
    assert record["message"].startswith("300 images · 300 ok · ")


def test_error_rows_are_exit_3_with_a_line_for_each_and_one_for_all(run, bad_folder, tmp_path):
    done = run(bad_folder, "--out", tmp_path / "p.csv")
    assert (done.code, done.stdout) == (3, "")
    assert done.stderr == (
        f"batch-infer: {bad_folder}/b.png: not_an_image (unknown format; expected PNG, JPEG, BMP, GIF, WebP or "
        "PBM/PGM/PPM)\n"
        "batch-infer: 1 of 3 inputs could not be read (1 not_an_image); they are rows with status=error\n"
    )
    assert len(read_rows(tmp_path / "p.csv")) == 3


def test_quiet_leaves_the_line_for_all(run, bad_folder, tmp_path):
    done = run(bad_folder, "--out", tmp_path / "p.csv", "--quiet")
    assert (done.code, done.stderr) == (
        3, "batch-infer: 1 of 3 inputs could not be read (1 not_an_image); they are rows with status=error\n",
    )  # fmt: skip


def test_error_rows_as_json_have_a_path_and_a_code(run, bad_folder, tmp_path):
    done = run(bad_folder, "--out", tmp_path / "p.csv", "--log-format", "json")
    first, second = map(json.loads, done.stderr.splitlines())
    assert (first["level"], first["path"], first["code"]) == ("warning", f"{bad_folder}/b.png", "not_an_image")
    assert second["level"] == "error"


def test_no_control_byte_of_a_name_reaches_the_log(run, tmp_path):
    (tmp_path / "in").mkdir()
    with open(os.fsencode(tmp_path) + b"/in/\x1b[31m\n\xff.png", "wb") as file:
        file.write(b"broken")
    done = run("in", "--out", "p.csv")
    assert done.stderr.startswith("batch-infer: in/%1B[31m%0A%FF.png: not_an_image (")
    assert len(done.stderr.splitlines()) == 2


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
        (["x", "--out", "p.txt"], "--out p.txt: expected a name ending in .csv, .csv.gz or .parquet"),
        (["--files-from", "gone"], "--files-from gone: cannot be read: No such file or directory"),
        (["x", "--labels", "gone"], "x: no such file or folder; check the INPUT"),
        ([""], "'': no such file or folder; an INPUT is empty: is a variable not set?"),
        (["names", "--out", ".csv"], "--out .csv: expected a name before the suffix, as preds.csv"),
        (["names/x"], "names/x: no such file or folder; check the INPUT"),
        (
            ["--files-from", "names"],
            "a.png%0D: no such file or folder; the list has Windows line ends: remove them with dos2unix",
        ),
        (["--files-from", "nul"], "a%00b: no file name holds a NUL; for --files-from with NULs add -0"),
        (["--files-from", "\x1b[1m\n"], "--files-from %1B[1m%0A: cannot be read: No such file or directory"),
        (["x", "--max-errors", "1\n\x1b[1m"], "--max-errors 1\\n\\x1b[1m: expected a count as 20, or a share as 2%"),
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
        (f"{LONG}.csv", "x", f"./{LONG}.accuracy.csv: cannot be written: File name too long; what was there stays"),
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


# Where several codes apply: 130/143, 1, 6, 5, 7, 2, 8, 4, 3, 0, in this order.


def test_of_output_and_model_the_output_decides(run, few_idx):
    assert run(few_idx, "--out", "gone/p.csv", "--model", "gone.onnx").code == 6


def test_of_output_and_missing_input_the_output_decides(run):
    assert run("gone", "--out", "gone/p.csv").code == 6


@pytest.mark.usefixtures("locked")
def test_of_model_and_lock_the_model_decides(run, few_idx):
    assert run(few_idx, "--out", "p.csv", "--model", "gone.onnx").code == 5


def test_of_model_and_missing_input_the_model_decides(run, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not ONNX")
    assert run("gone", "--out", "p.csv", "--model", "model.onnx").code == 5


def test_of_model_and_no_input_the_model_decides(run, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not ONNX")
    (tmp_path / "in").mkdir()
    assert run("in", "--out", "p.csv", "--model", "model.onnx").code == 5


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


def test_of_labels_that_do_not_fit_and_no_input_the_labels_decide(run, tmp_path):
    (tmp_path / "in").mkdir()
    assert run("in", "--labels", "gone.csv", "--out", "p.csv").code == 2


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


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 4, 5])
@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_a_signal_once_the_publication_began_does_not_stop_it(program, labelled, tmp_path, number, at):
    # "The old output is untouched" would be a lie; reports, predictions and account of one run stand side by side.
    (tmp_path / "p.csv").write_text("old")
    done = program("faults.at_rename", number, at, labelled, "--out", "p.csv", "--incremental")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    account = json.loads((tmp_path / "p.run.json").read_text())
    assert account["predictions_sha256"] == hashlib.sha256((tmp_path / "p.csv").read_bytes()).hexdigest()
    assert (account["exit_code"], account["published"]) == (0, True)


def test_with_json_lines_what_ends_a_run_is_an_object_too(run, tmp_path):
    (tmp_path / "in").mkdir()
    done = run("in", "--out", "p.csv", "--log-format", "json")
    record = json.loads(done.stderr)
    assert (done.code, record["level"]) == (4, "error")
    assert record["message"].startswith("no image found in in ")


def test_of_gate_and_error_rows_the_gate_decides(run, bad_folder):
    assert run(bad_folder, "--max-errors", "0", "--out", "p.csv").code == 8


def test_of_a_passed_gate_and_error_rows_the_error_rows_decide(run, bad_folder, few):
    save_png(bad_folder / "7" / "x.png", few.images[0])
    assert run(bad_folder / "7", bad_folder / "b.png", "--min-accuracy", "0", "--out", "p.csv").code == 3


def test_without_out_the_rows_go_into_a_pipe_as_csv(run, few_idx, tmp_path):
    done = run(few_idx)
    assert (done.code, done.stderr) == (0, "")
    table = list(csv.reader(io.StringIO(done.stdout)))
    assert (table[0], len(table)) == (COLUMNS, 301)
    assert os.listdir(tmp_path) == []


def test_the_rows_in_a_pipe_are_those_of_the_file(run, few_idx, tmp_path):
    run(few_idx, "--out", "p.csv")
    assert run(few_idx).stdout.encode() == (tmp_path / "p.csv").read_bytes()


def test_reports_can_be_had_without_a_predictions_file(run, labelled, tmp_path):
    (tmp_path / "reports").mkdir()
    done = run(labelled, "--report-dir", "reports")
    assert (done.code, len(done.stdout.splitlines())) == (0, 301)
    account = json.loads((tmp_path / "reports" / "predictions.run.json").read_text())
    assert account["predictions_sha256"] == hashlib.sha256(done.stdout.encode()).hexdigest()


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_closes_the_pipe_early_causes_no_traceback(mnist, tmp_path, unbuffered):
    (tmp_path / "x").write_bytes(idx_bytes(mnist.images[:3_000]))  # more rows than a pipe holds
    process = subprocess.Popen(
        [sys.executable, "-m", "batch_infer", tmp_path / "x"],
        env=clean_environment(PYTHONUNBUFFERED=unbuffered),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.read(6) == b'"path"'
    process.stdout.close()
    stderr = process.stderr.read().decode()
    process.stderr.close()
    assert (process.wait(timeout=60), stderr) == (6, "batch-infer: standard output: cannot be written: Broken pipe\n")


def test_standard_output_on_a_full_disk_is_exit_6(few_idx):
    done = shell('exec "$@" > /dev/full', few_idx)
    assert (done.returncode, done.stderr) == (
        6, b"batch-infer: standard output: cannot be written: No space left on device\n",
    )  # fmt: skip


def test_a_closed_standard_output_is_exit_6_and_no_traceback(few_idx):
    done = shell('exec "$@" >&-', few_idx)
    assert (done.returncode, len(done.stderr.splitlines())) == (6, 1)


def test_with_a_closed_standard_error_the_run_succeeds(few_idx, tmp_path):
    done = shell('exec "$@" 2>&-', few_idx, "--out", tmp_path / "p.csv")
    assert (done.returncode, done.stdout) == (0, b"")
    assert len(read_rows(tmp_path / "p.csv")) == 300


def test_with_a_closed_standard_error_nothing_is_said_elsewhere(few_idx, tmp_path):
    done = shell('exec "$@" 2>&-', few_idx, "--out", tmp_path / "gone" / "p.csv")
    assert (done.returncode, done.stdout) == (6, b"")


def test_reading_names_from_a_closed_standard_input_is_wrong_usage():
    done = shell('exec "$@" <&-', "--files-from", "-")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_names_come_from_a_file_one_a_line(run, shared_files, tmp_path):
    (tmp_path / "names").write_text(f"{shared_files}/pngs/00003.png\n\n{shared_files}/pngs/00001.png")
    run("--files-from", "names", "--out", "p.csv")
    assert [row["path"] for row in read_rows(tmp_path / "p.csv")] == [
        f"{shared_files}/pngs/00003.png", f"{shared_files}/pngs/00001.png",
    ]  # fmt: skip


def test_names_come_behind_the_inputs_of_the_command_line(run, shared_files, tmp_path):
    (tmp_path / "names").write_text(f"{shared_files}/pngs/00003.png\n")
    run(shared_files / "pngs" / "00005.png", "--files-from", "names", "--out", "p.csv")
    assert [row["path"][-9:] for row in read_rows(tmp_path / "p.csv")] == ["00005.png", "00003.png"]


@pytest.mark.parametrize("source", ["-", "names"])
def test_names_may_be_separated_by_nul(run, few, tmp_path, source):
    names = [b"new\nline.png", b"not\xffutf8.png", b" blank .png"]
    save_png(tmp_path / "source.png", few.images[0])
    for name in names:
        os.link(tmp_path / "source.png", os.path.join(os.fsencode(tmp_path), name))
    content = b"\0".join(names) + b"\0"
    (tmp_path / "names").write_bytes(content)
    done = run("--files-from", source, "-0", "--out", "p.csv", stdin=content)
    assert (done.code, done.stderr) == (0, "")
    assert [row["path"] for row in read_rows(tmp_path / "p.csv")] == ["new%0Aline.png", "not%FFutf8.png", " blank .png"]


def test_names_come_from_standard_input(run, shared_files, tmp_path):
    done = run("--files-from", "-", "--out", "p.csv", stdin=f"{shared_files}/pngs/00003.png\n".encode())
    assert (done.code, len(read_rows(tmp_path / "p.csv"))) == (0, 1)


def test_an_empty_list_of_names_is_no_input(run):
    assert run("--files-from", "-", "--out", "p.csv", stdin=b"").code == 4


def test_no_report_and_report_dir_decide_about_the_reports(run, labelled, tmp_path):
    (tmp_path / "reports").mkdir()
    run(labelled, "--out", "a.csv", "--no-report")
    run(labelled, "--out", "b.csv", "--report-dir", "reports")
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "a.lock", "b.csv", "b.lock", "reports"]
    assert sorted(os.listdir(tmp_path / "reports")) == [
        "b.accuracy.csv", "b.confusion.csv", "b.mistakes.csv", "b.run.json",
    ]  # fmt: skip


def test_the_version_is_shown(run):
    done = run("--version")
    assert (done.code, done.stdout, done.stderr) == (0, f"{batch_infer.__version__}\n", "")


def test_the_metadata_of_the_model_are_shown_as_json(run, classifier):
    done = run("--model-info")
    content = json.loads(done.stdout)
    assert (done.code, content["sha256"], content["classes"]) == (0, classifier.sha256, list(range(10)))
    assert content["recipe"] == classifier.metadata["recipe"]


def test_the_metadata_of_a_refused_model_are_not_shown(run):
    done = run("--model-info", "--model", "gone.onnx")
    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (5, "", 1)


def test_help_names_every_exit_code_and_is_exit_0(run):
    done = run("--help")
    assert (done.code, done.stderr) == (0, "")
    for code in (0, 2, 3, 4, 5, 6, 7, 8):
        assert f"{code} " in done.stdout


def test_the_installed_command_does_the_same(few_idx):
    command = Path(sys.executable).with_name("batch-infer")
    done = subprocess.run([command, few_idx], env=clean_environment(), capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, ",".join(f'"{name}"' for name in COLUMNS).encode())


def test_from_cron_success_says_nothing_and_writes_nowhere_else(labelled, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(
        ["/usr/bin/env", "-i", "LC_ALL=C", "/bin/sh", "-c", 'exec "$@" <&-', "sh",
         sys.executable, "-m", "batch_infer", labelled, "--out", out / "p.csv"],
        cwd="/", start_new_session=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert sorted(os.listdir(out)) == [
        "p.accuracy.csv", "p.confusion.csv", "p.csv", "p.lock", "p.mistakes.csv", "p.run.json",
    ]  # fmt: skip


def test_from_cron_under_lc_all_c_names_beyond_ascii_come_out_as_utf_8(few, tmp_path):
    save_png(tmp_path / "in" / "grüße.png", few.images[0])
    done = subprocess.run(
        ["/usr/bin/env", "-i", "LC_ALL=C",
         sys.executable, "-m", "batch_infer", tmp_path / "in", "--out", tmp_path / "p.csv"],
        cwd="/", start_new_session=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert [row["path"] for row in read_rows(tmp_path / "p.csv")] == [f"{tmp_path}/in/grüße.png"]


def test_reports_are_published_before_the_predictions_and_the_account_last(program, labelled):
    done = program("faults.at_rename", "names", 0, labelled, "--out", "p.csv")
    assert done.stdout.split() == ["p.accuracy.csv", "p.confusion.csv", "p.mistakes.csv", "p.csv", "p.run.json"]


@pytest.mark.parametrize("kill_at", [1, 4, 5])
def test_after_a_kill_the_output_is_old_or_new_and_the_account_tells_which(program, run, labelled, tmp_path, kill_at):
    old, new = b"old\n", run(labelled).stdout.encode()
    (tmp_path / "p.csv").write_bytes(old)
    (tmp_path / "p.run.json").write_text(json.dumps({"predictions_sha256": hashlib.sha256(old).hexdigest()}))
    done = program("faults.at_rename", "SIGKILL", kill_at, labelled, "--out", "p.csv")
    assert done.code == -signal.SIGKILL
    content = (tmp_path / "p.csv").read_bytes()
    assert content == (old if kill_at <= 4 else new)
    belongs = (
        json.loads((tmp_path / "p.run.json").read_text())["predictions_sha256"] == hashlib.sha256(content).hexdigest()
    )
    assert belongs == (content == old)


def loaded(program, *arguments) -> set[str]:
    """Which of the libraries that are loaded late or never a fresh interpreter has after the command, or without it."""
    done = program("watched.libraries", *arguments)
    assert done.code == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_importing_the_package_loads_none_of_its_libraries(program):
    assert loaded(program) == set()


def test_a_whole_job_with_labels_loads_no_training_library(program, labelled):
    assert loaded(program, labelled, "--out", "p.csv") == {"onnxruntime", "pandas"}


@pytest.mark.parametrize("out", ["p.csv", "p.csv.gz"])
def test_a_whole_job_without_labels_loads_no_pandas_either(program, shared_files, out):
    assert loaded(program, shared_files / "pngs", "--out", out) == {"onnxruntime"}


def test_version_loads_nothing(program):
    assert loaded(program, "--version") == set()
