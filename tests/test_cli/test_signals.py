"""What every command does as a process: signals, and output in whatever encoding there is."""

import signal
import subprocess
import sys

import pytest
from support.helpers import DEADLINE, ROOT, Finished, clean_environment

pytestmark = pytest.mark.slow  # starts many processes

SIGNALLED = """
import os, signal, sys, time
from batch_infer.cli.process import run_app
def app(**_):
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    time.sleep(1)
    return 0
run_app(app, "command")
"""


LOADING = """
    import batch_infer.runtime
    def loaded(): print("loaded" if "onnxruntime" in sys.modules else "half")
    try: batch_infer.runtime.import_onnxruntime()
    finally: loaded()
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


FURTHER = """
import os, signal, sys, time
from batch_infer.cli.process import run_app
first, second = (getattr(signal, name) for name in sys.argv[1:])
def app(**_):
    try:
        os.kill(os.getpid(), first)
        time.sleep(1)
    finally:
        os.kill(os.getpid(), second)
        print("put away")
run_app(app, "command")
"""


@pytest.mark.parametrize("second", ["SIGTERM", "SIGHUP", "SIGINT"])
@pytest.mark.parametrize(("first", "code"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)])
def test_a_further_signal_does_not_disturb_what_the_first_one_puts_away(python, first, code, second):
    done = python(FURTHER, first, second)
    assert (done.code, done.stdout, done.stderr.count("\n")) == (code, "put away\n", 1)


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_while_onnxruntime_is_loaded_is_one_line(python, name, code):
    load = (
        "class Loader:\n def find_spec(self, name, *_):\n  if name == 'onnxruntime.capi.onnxruntime_pybind11_state': "
    )
    load += "os.kill(os.getpid(), getattr(signal, sys.argv[1]))\nsys.meta_path.insert(0, Loader())\n"
    program = SIGNALLED.replace("    os.kill(os.getpid(), getattr(signal, sys.argv[1]))\n    time.sleep(1)\n", LOADING)
    assert LOADING in program
    done = python(program.replace("def app", load + "def app"), name)
    assert (done.code, done.stderr.count("\n")) == (code, 1)
    assert done.stdout == "loaded\n"


COMMAND = """
import os, runpy, signal, sys
class Loader:
    def find_spec(self, name, *_):
        if name == library:
            os.kill(os.getpid(), signal.SIGINT)
library = sys.argv.pop(1)
sys.meta_path.insert(0, Loader())
runpy.run_module(sys.argv.pop(1), run_name="__main__")
"""


@pytest.mark.parametrize(
    ("name", "library", "arguments"),
    [
        ("batch-infer", "numpy", ["batch_infer", "in"]),
        ("train", "torch.nn", ["train", "run"]),
        ("export", "torch.nn", ["export", "onnx"]),
    ],
)
def test_an_interruption_while_a_command_loads_its_libraries_is_one_line(python, name, library, arguments):
    line = f"{name}: interrupted (SIGINT); the old output is untouched\n"
    assert python(COMMAND, library, *arguments) == Finished(130, "", line)


def test_an_interruption_inside_exec_is_the_same_exit_code(tmp_path):
    # Python itself would die of SIGINT where KeyboardInterrupt came out of exec, as in dataclasses and namedtuples.
    program = SIGNALLED.replace("    os.kill", "    exec('os.kill").replace("sys.argv[1]))\n", "sys.argv[1]))')\n")
    (tmp_path / "interrupted.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", "interrupted", "SIGINT"],
        env=clean_environment(PYTHONPATH=str(ROOT)),
        cwd=tmp_path,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    line = b"command: interrupted (SIGINT); the old output is untouched\n"
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", line)


@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT"])
def test_what_is_ignored_at_the_start_stays_ignored(
    tmp_path, name
):  # as under nohup, and in the background of a script
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED, name],
        env=clean_environment(),
        cwd=tmp_path,
        preexec_fn=lambda: signal.signal(getattr(signal, name), signal.SIG_IGN),
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
