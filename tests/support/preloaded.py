"""Commands that need torch, as processes forked from one that has loaded the libraries already.

    python -m support.preloaded REQUESTS REPLIES

Loading torch, and what its optimizers and its exporter load late, takes longer than most of what tests let the commands
do. Each command still is a process of its own, with its arguments, folder, environment, streams and exit code. That the
commands start from nothing is shown by the tests that start them so: default runs, messages, signals.

REQUESTS and REPLIES are the numbers of two descriptors; a line of JSON goes through each for a command that is started
(its process number comes back), and for one that is waited for (its exit code; null if it still runs).
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NoReturn

from batch_infer.runtime import import_onnxruntime
from support.helpers import ROOT, argument

LIBRARIES: Final = (
    "torch._dynamo", "torch._export",
    "torch.onnx._internal.exporter._core", "torch.onnx._internal.exporter._onnx_program",
    "onnxscript.function_libs.torch_lib.ops", "onnxscript.optimizer", "onnxscript.version_converter", "onnx.reference",
    "networkx", "matplotlib.figure", "matplotlib.backends.backend_agg", "pandas", "train.cli", "train.trainer",
    "train.plots", "export.cli", "export.job", "export.source",
)  # fmt: skip


class Running:
    """A command that was started, and may still run."""

    def __init__(self, commands: "Preloaded", pid: int, streams: tuple[Path, Path]) -> None:
        self.pid = pid
        self._commands = commands
        self._streams = streams
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative after a signal; None while it runs."""
        if self._code is None:
            self._code = self._commands.ask({"wait": self.pid, "options": os.WNOHANG})
        return self._code

    def kill(self) -> None:
        """Kill it, unless it has ended already."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.finished()

    def finished(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end → its exit code, and what it wrote."""
        if self._code is None:
            self._code = self._commands.ask({"wait": self.pid, "options": 0})
        stdout, stderr = (stream.read_text() for stream in self._streams)
        return subprocess.CompletedProcess([], self._code or 0, stdout, stderr)


class Preloaded:
    """The process that has loaded the libraries, from its start to its end.

    Args:
        folder: for what the commands write on their streams.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started = 0
        requests, replies = os.pipe(), os.pipe()
        ours, theirs = (requests[1], replies[0]), (requests[0], replies[1])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.preloaded", *map(str, theirs)],
            pass_fds=theirs, stdin=subprocess.DEVNULL, cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "PYTHONPATH": str(ROOT / "tests")},
        )  # fmt: skip
        for descriptor in theirs:
            os.close(descriptor)
        self._requests, self._replies = os.fdopen(ours[0], "w"), os.fdopen(ours[1])

    def __enter__(self) -> "Preloaded":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._requests.close()  # the process ends when there are no more requests
        self._replies.close()
        self._process.wait()

    def ask(self, request: dict[str, Any]) -> Any:
        """Send a request → the reply."""
        self._requests.write(json.dumps(request) + "\n")
        self._requests.flush()
        return json.loads(self._replies.readline())

    def start(
        self, module: str, *arguments: object, cwd: Path, env: dict[str, str] | None = None, nice: int = 0
    ) -> Running:
        """Start `python -m MODULE ARGUMENTS…`; without `env` in the environment of the tests."""
        self._started += 1
        streams = self._folder / f"{self._started}.stdout", self._folder / f"{self._started}.stderr"
        request = {
            "module": module, "arguments": [argument(value) for value in arguments], "cwd": str(cwd),
            "streams": [str(stream) for stream in streams], "env": dict(os.environ) if env is None else env,
            "nice": nice,
        }  # fmt: skip
        return Running(self, self.ask(request), streams)

    def call(
        self, module: str, *arguments: object, cwd: Path, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m MODULE ARGUMENTS…` to its end."""
        return self.start(module, *arguments, cwd=cwd, env=env).finished()


def become(request: dict[str, Any]) -> NoReturn:
    """Run a command in this process, as if it had been started by itself, and end the process.

    What is loaded is not taken apart at the end: that takes half a second.
    """
    for number, name in enumerate(request["streams"], start=1):
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    os.nice(request["nice"])
    sys.argv[1:] = request["arguments"]
    code: object = 0
    try:
        runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
    atexit._run_exitfuncs()  # noqa: SLF001 - as the interpreter does at its end
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


def main() -> None:
    """Fork a process for each command that is asked for."""
    requests, replies = int(sys.argv[1]), int(sys.argv[2])
    for library in LIBRARIES:
        with contextlib.suppress(ModuleNotFoundError):  # a part of torch that another version does not have
            importlib.import_module(library)
    import_onnxruntime()
    with contextlib.suppress(ImportError, AttributeError):  # the exporter's table of functions, made once in a process
        importlib.import_module("torch.onnx._internal.exporter._registration").ONNXRegistry.from_torchlib()
    gc.freeze()
    with os.fdopen(requests) as lines:
        for line in lines:
            request = json.loads(line)
            if "wait" in request:
                pid, status = os.waitpid(request["wait"], request["options"])
                reply = os.waitstatus_to_exitcode(status) if pid else None
            else:
                reply = os.fork()
                if not reply:
                    lines.close()
                    os.close(replies)
                    become(request)
            os.write(replies, json.dumps(reply).encode() + b"\n")


if __name__ == "__main__":
    main()
