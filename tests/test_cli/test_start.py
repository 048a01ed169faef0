"""Ctrl-C while a command starts: one line and exit 130, from the first moment at which code of ours runs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.helpers import DEADLINE, MNIST, Finished, clean_environment

import batch_infer

pytestmark = pytest.mark.slow  # starts many processes: not for --quick

ROOT = Path(batch_infer.__file__).parents[1]
OURS = tuple(f"{ROOT / package}{os.sep}" for package in ("batch_infer", "train", "export"))
IMAGES = MNIST / "t10k-images-idx3-ubyte.gz"
EARLY = [*range(0, 40, 4), 60, 100, 200]  # ms
LATER = [400, 800, 1600]  # torch is being loaded
COMMANDS = {  # what they are called with, when they are interrupted, how they end if that is too late, and with what
    "batch-infer": (["-m", "batch_infer", IMAGES, "--out", "out.csv", "--workers", "1"], EARLY, 0, "out.csv"),
    "train": (
        ["-m", "train", "run", "--recipe", "pixels", "--epochs", "1", "--out", "out"],
        EARLY + LATER,
        0,
        "out/metrics.json",
    ),
    "export": (["-m", "export", "onnx", "--run", "out", "--out", "model.onnx"], EARLY + LATER, 5, ""),
}


def interrupted(command, milliseconds, folder, **options) -> Finished:
    process = subprocess.Popen(
        [str(part) for part in command],
        env=clean_environment(),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **options,
    )
    time.sleep(milliseconds / 1000)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=DEADLINE)
    return Finished(process.returncode, stdout.decode(), stderr.decode())


def is_pythons_own(done: Finished) -> bool:
    """Tell an interruption of Python's own start, before any code of ours; nothing can be done about its traceback."""
    early = done.stderr == "" or "Traceback" in done.stderr
    return early and done.code in {-signal.SIGINT, 130, 1} and not any(path in done.stderr for path in OURS)


def later_and_later(moments: list[int]) -> Iterator[int]:
    """The moments, and then others up to a minute: a busy machine may not have begun at the last of them."""
    yield from moments
    moment = max(moments)
    while moment < 60_000:
        moment = moment * 3 // 2
        yield moment


def check(command, name, moments, whole, result, root) -> None:
    """Interrupt a command at each of the moments: it ends as it should, or had ended already."""
    answered = False
    for number, moment in enumerate(later_and_later(moments)):
        if answered and number >= len(moments):
            break
        folder = root / str(moment)
        folder.mkdir()
        done = interrupted(command, moment, folder)
        if done.code == whole and (folder / result).exists():
            # It was over before; or the interpreter lost the signal at its start, which it reports and goes on.
            assert not any(path in done.stderr for path in OURS)
        elif not is_pythons_own(done):
            assert (done.code, done.stderr) == (130, f"{name}: interrupted (SIGINT); the old output is untouched\n")
            answered = True
    assert answered


@pytest.mark.parametrize("name", COMMANDS)
def test_an_interruption_while_a_command_starts_is_one_line_and_exit_130(tmp_path, name):
    arguments, *more = COMMANDS[name]
    check([sys.executable, *arguments], name, *more, tmp_path)


def test_an_interruption_of_the_installed_command_is_the_same(tmp_path):
    arguments, *more = COMMANDS["batch-infer"]
    command = Path(sys.executable).with_name("batch-infer")
    check([command, *arguments[2:]], "batch-infer", *more, tmp_path)


def test_who_ignores_interruptions_is_obeyed(tmp_path):
    # As nohup does, and a shell for what it starts in the background.
    command = [sys.executable, "-m", "batch_infer", IMAGES, "--out", "p.csv"]
    ignore = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)  # noqa: E731
    assert interrupted(command, 60, tmp_path, preexec_fn=ignore) == Finished(0, "", "")
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 10_001
