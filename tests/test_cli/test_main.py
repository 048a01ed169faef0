"""The options of the command batch-infer: names of inputs, outputs, reports, --version, --model-info, --help."""

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.helpers import DEADLINE, clean_environment, read_rows, save_png
from support.terminal import at_a_terminal

import batch_infer

COLUMNS = ["path", "index", "label", "prediction", "confidence", "status", "error"]


def test_without_out_the_rows_go_into_a_pipe_as_csv(run, few_idx, tmp_path):
    done = run(few_idx)
    assert (done.code, done.stderr) == (0, "")
    table = list(csv.reader(io.StringIO(done.stdout)))
    assert (table[0], len(table)) == (COLUMNS, 301)
    assert os.listdir(tmp_path) == []


def test_at_a_terminal_the_rows_are_a_table_unless_a_gate_keeps_them(pngs, tmp_path):
    (pngs("0.png") / "x.png").write_bytes(b"broken")
    code, shown = at_a_terminal("in", "--max-errors", "0", cwd=tmp_path, streams="stdout")
    assert (code, "prediction" in shown, "the outputs are published" in shown) == (8, True, True)
    code, shown = at_a_terminal("in", "--max-errors", "0", "--on-failed-gate", "keep", cwd=tmp_path, streams="stdout")
    assert (code, "prediction" in shown, "the old outputs stay" in shown) == (8, False, True)
    assert "Traceback" not in shown


def test_the_rows_in_a_pipe_are_those_of_the_file(run, few_idx, tmp_path):
    run(few_idx, "--out", "p.csv")
    assert run(few_idx).stdout.encode() == (tmp_path / "p.csv").read_bytes()


def test_reports_can_be_had_without_a_predictions_file(run, labelled, tmp_path):
    (tmp_path / "reports").mkdir()
    done = run(labelled, "--report-dir", "reports")
    assert (done.code, len(done.stdout.splitlines())) == (0, 301)
    account = json.loads((tmp_path / "reports" / "predictions.run.json").read_text())
    assert account["predictions_sha256"] == hashlib.sha256(done.stdout.encode()).hexdigest()


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
        "b.accuracy.csv", "b.confusion.csv", "b.history.csv", "b.mistakes.csv", "b.report.html", "b.run.json",
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
    done = subprocess.run(
        [command, few_idx], env=clean_environment(), capture_output=True, timeout=DEADLINE, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, ",".join(f'"{name}"' for name in COLUMNS).encode())
