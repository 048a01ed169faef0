"""Messages for what people type: each says what is wrong, and what to type instead."""

import os
import subprocess
import sys

import numpy as np
import pytest
from support.helpers import DEADLINE, clean_environment

from batch_infer.errors import MnistLogisticError, NoInputError, UsageError
from batch_infer.job.run import run_job


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("-", "standard input is read for names only: --files-from -"),
        ("*.png", "no file matches, or nothing has expanded the wildcard: name the folder"),
        ("~/scans", "nothing has expanded ~ to your home folder: write the whole path, or $HOME"),
        ("$HOME/scans", "nothing has put in the value of the variable: remove the single quotes"),
        (
            "https://example.org/a.png",
            "URLs are not read: download it first (curl -O), and name the file or its folder",
        ),
        ("C:\\scans\\a.png", "this is a path of Windows: in WSL, C:\\x is /mnt/c/x"),
        ("gone", "check the INPUT"),
    ],
)
def test_an_input_that_is_missing_for_a_reason(name, hint):
    with pytest.raises(UsageError) as caught:
        run_job([name])
    assert str(caught.value) == f"{name}: no such file or folder; {hint}"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"labels": "~/l.csv"}, "--labels ~/l.csv: cannot be read: No such file or directory; nothing has expanded ~ "),
        ({"out": "~/gone/p.csv"}, "~/gone: no such folder for the outputs; nothing has expanded ~ "),
        ({"out": "-"}, "--out -: expected a name ending in .csv, .csv.gz, .jsonl or .parquet"),
        ({"model": "-"}, "-: no such model file; standard input is read for names only"),
    ],
)
def test_so_are_the_files_of_options(pngs, option, message):
    with pytest.raises(MnistLogisticError) as caught:
        run_job([pngs("a.png")], **option)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_list_in_utf_16_is_wrong_usage(run, tmp_path, encoding):
    (tmp_path / "names").write_text("in/a.png\n", encoding=encoding)
    done = run("--files-from", "names")
    assert (done.code, done.stderr) == (
        2,
        (
            "batch-infer: --files-from names: is UTF-16, as PowerShell writes it; save it as UTF-8: "
            "iconv -f UTF-16 -t UTF-8\n"
        ),
    )


def test_a_list_may_begin_with_a_byte_order_mark(run, pngs, tmp_path):
    pngs("a.png")
    (tmp_path / "names").write_text("in/a.png\n", encoding="utf-8-sig")
    assert run("--files-from", "names", "--out", "p.csv").code == 0


def test_an_empty_list_is_exit_4(run):
    assert run("--files-from", "-").stderr == (
        "batch-infer: no INPUT: the list of names (--files-from) is empty; "
        "nothing was published, what was there stays\n"
    )
    with pytest.raises(NoInputError):
        run_job([])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("img", "inputs: expected a list of paths, not a single one; write ['img']"),
        (b"img", "inputs: expected a list of paths, not a single one; write [b'img']"),
        (7, "inputs: expected a list of paths: 'int' object is not iterable"),
        ([7], "inputs: expected a list of paths: expected str, bytes or os.PathLike object, not int"),
    ],
)
def test_run_job_takes_a_list(inputs, message):
    with pytest.raises(UsageError) as caught:
        run_job(inputs)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ([np.zeros((28, 28), np.uint8)], r"a list of 1 \(make it an array: numpy\.stack\(…\)\)"),
        ("a.png", r"str 'a\.png' \(for files: run_job"),
        (None, "NoneType"),
    ],
)
def test_predict_says_what_it_was_given(classifier, given, shown):
    with pytest.raises(ValueError, match=rf"^expected images \(N, 28, 28\) uint8 as a NumPy array, got {shown}"):
        classifier.predict(given)


@pytest.mark.parametrize(
    ("package", "arguments", "message"),
    [
        (
            "batch_infer",
            ["x", "--fit", "no"],
            "batch-infer: Invalid value for '--fit': 'no' is not one of 'auto', 'never'.",
        ),
        (
            "batch_infer",
            ["x", "--workers", "1.5"],
            "batch-infer: Invalid value for '--workers': expected a whole number.",
        ),
        (
            "batch_infer",
            ["x", "--min-accuracy", "high"],
            "batch-infer: Invalid value for '--min-accuracy': expected a number.",
        ),
        ("train", ["rum"], "train: No such command 'rum'. Did you mean 'run'?"),
        ("export", ["nnx"], "export: No such command 'nnx'. Did you mean 'onnx'?"),
    ],
)
def test_wrong_options_are_one_plain_sentence(tmp_path, package, arguments, message):
    done = subprocess.run(
        [sys.executable, "-m", package, *arguments], cwd=tmp_path, env=clean_environment(),
        capture_output=True, text=True, timeout=DEADLINE, check=False,
    )  # fmt: skip
    call = {"batch_infer": "batch-infer", "train": "train", "export": "python -m export"}[package]
    assert (done.returncode, done.stderr) == (2, f"{message} Try: {call} --help\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", ["batch_infer --help", "train run --help", "export --version", "train --version"])
def test_a_reader_that_goes_away_is_no_error(tmp_path, command, unbuffered):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", *command.split()], cwd=tmp_path, env=clean_environment(PYTHONUNBUFFERED=unbuffered),
        stdout=write, stderr=subprocess.PIPE, timeout=DEADLINE, check=False,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
