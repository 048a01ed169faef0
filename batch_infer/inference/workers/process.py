"""Processes that a job starts, by fork or as fresh interpreters: ending them, waiting for them."""

import contextlib
import fcntl
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from batch_infer.inference.position import unnamed_file
from batch_infer.runtime import LIBRARY_SETTINGS

UNKNOWN_END: Final = -signal.SIGKILL  # stands for an exit code that nobody knows: no file is to blame
_MIN_PAUSE, _MAX_PAUSE = 0.0005, 0.02  # seconds between two checks whether a process has ended
_PYTHON: Final = re.compile(r"(python|pypy)[0-9.]*t?d?m?(\.exe)?", re.IGNORECASE)
_ROOT: Final = str(Path(__file__).absolute().parents[3])  # where the package is
_MAX_MESSAGE: Final = 1 << 16  # bytes of what a fresh interpreter printed
# Runs in it. The package comes from where it was found here; all else in the order of sys.path.
_BOOTSTRAP: Final = """
import json, sys
root, sys.path[:], descriptors, module = json.loads(sys.argv[1])
sys.path.insert(0, root)
import batch_infer
del sys.path[0]
from importlib import import_module
import_module(module).main(*descriptors)
"""


class Process(Protocol):
    """A process that was started."""

    @property
    def reason(self) -> str:
        """Why it could not begin its work, once it has ended; empty if it did not say."""

    def kill(self) -> None:
        """Kill it at once, whatever it is doing; harmless if it has ended."""

    def wait(self, seconds: float) -> int | None:
        """Wait for its end → its exit code (negative for a signal); None if it is still running."""


class Child:
    """A process that was forked from this one."""

    reason = ""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._code: int | None = None

    def kill(self) -> None:
        """Kill it at once, whatever it is doing; harmless if it has ended."""
        if self._code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def wait(self, seconds: float) -> int | None:
        """Wait for its end → its exit code (negative for a signal); None if it is still running."""
        return _wait(self._poll, seconds)

    def _poll(self) -> int | None:
        if self._code is None:
            try:
                pid, status = os.waitpid(self._pid, os.WNOHANG)
            except ChildProcessError:  # somebody else waited for it
                self._code = UNKNOWN_END
            else:
                self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code


class Interpreter:
    """A fresh Python of ours: it never sees the caller's main module, nor what lies in the working folder.

    Attributes:
        reason: the last line that it printed before it began its work, once it has ended.
    """

    def __init__(self, module: str, *descriptors: int) -> None:
        """Start it; it calls the module's `main` with the descriptors, which it inherits.

        Raises:
            OSError: the system refuses it, or this process is not Python but a program that Python is embedded in.
        """
        import subprocess  # not needed where workers are forked

        command = [_python(), "-P", *_flags(), "-c", _BOOTSTRAP]
        paths = _import_path()
        self.reason = ""
        self._printed = unnamed_file()
        try:
            with contextlib.ExitStack() as stack:
                # Not 0 to 2, which they are where the caller has closed these: the interpreter gets its own there.
                inherited = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3) for descriptor in descriptors]
                for descriptor in inherited:
                    stack.callback(os.close, descriptor)
                self._process = subprocess.Popen(  # noqa: S603 - ourselves
                    [*command, json.dumps([_ROOT, paths, inherited, module])],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._printed,
                    pass_fds=inherited,
                    env={**LIBRARY_SETTINGS, **os.environ},
                )
        except BaseException:
            os.close(self._printed)
            raise

    def kill(self) -> None:
        """Kill it at once, whatever it is doing; harmless if it has ended."""
        self._process.kill()

    def wait(self, seconds: float) -> int | None:
        """Wait for its end → its exit code (negative for a signal); None if it is still running."""
        code = _wait(self._process.poll, seconds)
        if code is not None and self._printed >= 0:
            text = os.pread(self._printed, _MAX_MESSAGE, 0).decode(errors="replace")
            os.close(self._printed)
            self._printed = -1
            said = [line.strip() for line in text.split("\n") if line.strip()]
            self.reason = next((line for line in said if line.startswith("Fatal")), said[-1] if said else "")
        return code


def _wait(poll: Callable[[], int | None], seconds: float) -> int | None:
    """Ask for an exit code until there is one, for so many seconds at most."""
    end, pause = time.monotonic() + seconds, _MIN_PAUSE
    while (code := poll()) is None and time.monotonic() < end:
        time.sleep(pause)
        pause = min(2 * pause, _MAX_PAUSE)
    return code


def fork(run: Callable[[], object]) -> Child:
    """Fork a process that calls `run` and ends, without cleaning up what it inherited.

    Raises:
        OSError: the system refuses it.
    """
    pid = os.fork()
    if pid:
        return Child(pid)
    try:
        run()
        os._exit(0)
    finally:  # whatever was raised
        os._exit(1)


def _python() -> str:
    """The path of this interpreter.

    Raises:
        OSError: there is none: Python is embedded in another program, which must not be started a second time.
    """
    path: Any = sys.executable
    if not path or getattr(sys, "frozen", False) or not _PYTHON.fullmatch(os.path.basename(path)):
        raise OSError(f"Python is embedded in {path or 'another program'}")
    return str(path)


def _flags() -> list[str]:
    """Options that make a fresh interpreter read names and environment as this one does, whatever changed since."""
    flags = ["-X", f"utf8={int(sys.getfilesystemencoding() == 'utf-8')}"]
    return [*flags, "-E"] if sys.flags.ignore_environment else flags


def _import_path() -> list[str]:
    """This process's import path, the working folder last: a numpy.py there must not stand in for the library."""
    here = os.path.realpath(os.curdir)
    paths = [path for path in sys.path if isinstance(path, str)]
    return sorted(paths, key=lambda path: os.path.realpath(path or os.curdir) == here)
