"""Runs whose workers are stopped, and the processes of a run; only on Linux, which has /proc."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from support.helpers import DEADLINE, YIELDING, clean_environment

Result = TypeVar("Result")


def stat_of(pid: int | str) -> list[str] | None:
    """State, parent, group and so on of a process; None if it is gone or a zombie."""
    try:
        fields = (
            Path("/proc", str(pid), "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields


def members(group: int) -> set[int]:
    """The living processes of a group."""
    stats = {pid: stat_of(pid) for pid in os.listdir("/proc") if pid.isdigit()}
    return {int(pid) for pid, fields in stats.items() if fields is not None and int(fields[2]) == group}


def wait_until(condition: Callable[[], Result]) -> Result:
    """Poll until the condition holds, or fail the test."""
    end = time.monotonic() + DEADLINE
    while not (result := condition()):
        if time.monotonic() > end:
            raise TimeoutError("it did not happen")
        time.sleep(0.005)
    return result


def is_waiting(pid: int) -> bool:
    """Whether a process has been asleep for a while: it is waiting for others."""
    looks = set()
    for _ in range(3):
        fields = stat_of(pid)
        looks.add(
            None if fields is None else (fields[0], *fields[11:13])
        )  # the state, the time in user and kernel mode
        time.sleep(0.02)
    (look, *others) = looks
    return not others and look is not None and look[0] == "S"


class Stalled:
    """A run whose two workers are stopped by SIGSTOP: as they start, or later, when rows are being collected.

    Attributes:
        out: the predictions file.
        process: the run.
        pid: id of its process, and of its process group.
        workers: process ids of its workers.
    """

    def __init__(self, source: Path, out: Path, *, later: bool = False) -> None:
        if sys.platform != "linux":
            pytest.skip("/proc says which processes a run has")
        self.out = out
        old = out.read_bytes() if out.exists() else None
        while not self._start(source, later=later):  # it finished before it could be stopped
            self.kill()
            for path in out.parent.glob("p.*"):
                path.unlink()
            if old is not None:
                out.write_bytes(old)

    def _start(self, source: Path, *, later: bool) -> bool:
        self.process = subprocess.Popen(
            [*YIELDING, sys.executable, "-m", "batch_infer", source, "--out", self.out, "--workers", "2"],
            env=clean_environment(),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.pid = self.process.pid
        wait_until(lambda: len(members(self.pid)) == 3 or self.process.poll() is not None)
        if later:
            wait_until(lambda: self._has_collected() or self.process.poll() is not None)
        self.workers = members(self.pid) - {self.pid}
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGSTOP)
        return len(self.workers) == 2 and self.process.poll() is None

    def _has_collected(self) -> bool:
        with contextlib.suppress(FileNotFoundError):
            return any(path.stat().st_size for path in self.out.parent.glob(".batch-infer-*"))
        return False

    def send(self, number: int, *workers: int) -> None:
        """Send a signal to some workers, or to all processes at once; the parent continues once it took effect."""
        os.kill(self.pid, signal.SIGSTOP)
        for worker in workers:
            os.kill(worker, number)
        if number == signal.SIGKILL:
            wait_until(lambda: not members(self.pid) & set(workers))
        for worker in self.workers - set(workers):
            os.kill(worker, signal.SIGCONT)
        if not workers:
            os.killpg(self.pid, number)
        os.kill(self.pid, signal.SIGCONT)

    def murder(self) -> None:
        """Kill only the parent, by a signal that it cannot catch; the workers hold its pipes open."""
        self.process.kill()
        if self.process.wait(timeout=DEADLINE) != -signal.SIGKILL:
            raise RuntimeError("it had ended before")

    def end(self, number: int) -> tuple[int, str, str]:
        """Send a signal to the parent → its exit code, stdout and stderr."""
        self.process.send_signal(number)
        stdout, stderr = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, stdout.decode(), stderr.decode()

    def kill(self) -> None:
        """Kill whatever is left of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.communicate()
