"""What every command does as a process: signals, and output in whatever encoding there is."""

import signal
import subprocess
import sys

import pytest
from support.helpers import DEADLINE, Finished, clean_environment

SIGNALLED = """
import os, signal, sys, time
from batch_infer.cli.process import run_app
def app(**_):
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    time.sleep(1)
    return 0
run_app(app, "command")
"""


@pytest.mark.parametrize(
    ("name", "code", "line"),
    [
        ("SIGTERM", 143, "terminated (SIGTERM)"),
        ("SIGHUP", 129, "hung up (SIGHUP)"),
        ("SIGINT", 130, "interrupted (SIGINT)"),
    ],
)
def test_a_signal_is_one_line_and_an_exit_code(python, name, code, line):
    assert python(SIGNALLED, name) == Finished(code, "", f"command: {line}; the old output is untouched\n")


def test_under_nohup_a_hang_up_is_ignored(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED, "SIGHUP"],
        env=clean_environment(),
        cwd=tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.slow
def test_a_hang_up_ends_a_training(small_mnist, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "train", "run", "--recipe", "pixels", "--epochs", "1000", "--validation-size", "500",
         "--patience", "1000", "--data", small_mnist, "--out", tmp_path / "run"],
        env=clean_environment(HOME=str(tmp_path)), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline().startswith(b"pixels: sgd on cpu")
    process.send_signal(signal.SIGHUP)
    _, stderr = process.communicate(timeout=DEADLINE)
    assert (process.returncode, stderr) == (129, b"train: hung up (SIGHUP); the old output is untouched\n")


def test_characters_that_standard_output_does_not_know_are_replaced():
    code = "from batch_infer.cli.process import run_app; run_app(lambda **_: print('✓ 28×28 → ö'), 'command')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=clean_environment(PYTHONIOENCODING="latin-1"),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "? 28×28 ? ö\n".encode("latin-1"), b"")
