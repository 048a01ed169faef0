"""The command as a process: what it says on standard error, closed and broken streams, cron."""

import json
import os
import subprocess
import sys

import pytest
from support.helpers import DEADLINE, clean_environment, read_rows, save_png

from batch_infer.inputs.arrays.idx import idx_bytes

pytestmark = pytest.mark.slow  # starts many processes


def shell(script: str, *arguments, cwd=None, **environment) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script in which "$@" is `python -m batch_infer` with the arguments."""
    return subprocess.run(
        ["/bin/sh", "-c", script, "sh", sys.executable, "-m", "batch_infer", *map(str, arguments)],
        env=clean_environment(**environment),
        cwd=cwd,
        capture_output=True,
        timeout=DEADLINE,
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
        f"batch-infer: {bad_folder}/b.png: not_an_image (unknown format; expected PNG, JPEG, TIFF, BMP, GIF, "
        "WebP, AVIF, HEIC or PBM/PGM/PPM)\n"
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


def test_with_json_lines_what_ends_a_run_is_an_object_too(run, tmp_path):
    (tmp_path / "in").mkdir()
    done = run("in", "--out", "p.csv", "--log-format", "json")
    record = json.loads(done.stderr)
    assert (done.code, record["level"]) == (4, "error")
    assert record["message"].startswith("no image found in in ")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_closes_the_pipe_early_is_no_error(mnist, tmp_path, unbuffered):
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
    assert (process.wait(timeout=DEADLINE), stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_standard_output_on_a_full_disk_is_exit_6(few_idx):
    done = shell('exec "$@" > /dev/full', few_idx)
    assert (done.returncode, done.stderr) == (
        6, b"batch-infer: standard output: cannot be written: No space left on device\n",
    )  # fmt: skip


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("buffering", ["", "1"])
@pytest.mark.parametrize("option", ["--help", "--version", "--model-info"])
def test_so_is_it_for_what_is_printed_on_demand(option, buffering):
    done = shell('exec "$@" > /dev/full', option, PYTHONUNBUFFERED=buffering)
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


def test_from_cron_success_says_nothing_and_writes_nowhere_else(labelled, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(
        ["/usr/bin/env", "-i", "LC_ALL=C", "/bin/sh", "-c", 'exec "$@" <&-', "sh",
         sys.executable, "-m", "batch_infer", labelled, "--out", out / "p.csv"],
        cwd="/", start_new_session=True, capture_output=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert sorted(os.listdir(out)) == [
        "p.accuracy.csv", "p.confusion.csv", "p.csv", "p.history.csv", "p.lock", "p.mistakes.csv", "p.report.html",
        "p.run.json",
    ]  # fmt: skip


def test_from_cron_under_lc_all_c_names_beyond_ascii_come_out_as_utf_8(few, tmp_path):
    save_png(tmp_path / "in" / "grüße.png", few.images[0])
    done = subprocess.run(
        ["/usr/bin/env", "-i", "LC_ALL=C",
         sys.executable, "-m", "batch_infer", tmp_path / "in", "--out", tmp_path / "p.csv"],
        cwd="/", start_new_session=True, capture_output=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert [row["path"] for row in read_rows(tmp_path / "p.csv")] == [f"{tmp_path}/in/grüße.png"]
