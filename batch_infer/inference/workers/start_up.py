"""Starts, watches and ends worker processes; their work is assigned elsewhere."""

import contextlib
import os
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Final

from batch_infer.inference.position import NOWHERE, number_in, shared_memory
from batch_infer.inference.task import ModelInfo
from batch_infer.inference.workers.fork_server import ForkServer
from batch_infer.inference.workers.messages import Channel
from batch_infer.inference.workers.process import Interpreter, Process, fork
from batch_infer.inference.workers.worker import serve
from batch_infer.inputs.chunks import Chunk
from batch_infer.runtime import is_own_process
from batch_infer.signals import signals_held

_SPARE_FILES: Final = 12  # descriptors reserved for outputs, reports and the state
_FILES_PER_WORKER: Final = 6  # descriptors that starting one worker needs
_MAX_GAP: Final = 2.0  # seconds; of a longer gap between two checks only this much counts
_END_TIMEOUT: Final = 2.0  # seconds; a killed process that has not ended by then hangs on a dead disk: do not wait


class WorkerProcess:
    """A worker process, as seen by the job.

    Attributes:
        channel: its socket.
        info: the model that it opened; None until then.
        assigned: numbers and chunks that it was sent and has not returned; it works on the first.
        shortage: what the system refused it, if it ended for that reason.
    """

    def __init__(self, process: Process, channel: Channel, position: memoryview) -> None:
        self.channel = channel
        self.info: ModelInfo | None = None
        self.assigned: deque[tuple[int, Chunk]] = deque()
        self.shortage = ""
        self._process = process
        self._position = position
        self._last_check = (self.current_image, time.monotonic(), 0.0)

    @property
    def row(self) -> int:
        """Which image of its current chunk it is working on; NOWHERE between images."""
        return self._position[0]

    @property
    def current_image(self) -> tuple[int, int] | None:
        """The number of its current chunk and the row in it; None between images."""
        row = self.row
        return None if row == NOWHERE or not self.assigned else (self.assigned[0][0], row)

    def seconds_at_image(self) -> float:
        """How long it has been seen working on the current image; to be called often.

        A long gap between two calls does not count in full, as the whole job may have been stopped and continued.
        """
        image, checked, seconds = self._last_check
        now = time.monotonic()
        seconds = seconds + min(now - checked, _MAX_GAP) if image is not None and image == self.current_image else 0.0
        self._last_check = (self.current_image, now, seconds)
        return seconds

    def kill(self) -> None:
        """Kill it at once, whatever it is doing."""
        self._process.kill()

    @property
    def reason(self) -> str:
        """Why it could not begin its work, once it has ended; empty if it did not say."""
        return self._process.reason

    def wait(self, seconds: float = _END_TIMEOUT) -> int | None:
        """Wait for its end → its exit code (negative for a signal); None if it is still running."""
        return self._process.wait(seconds)


class Starter:
    """Starts workers: by fork where that is safe, otherwise through a fresh interpreter, which forks them on Linux.

    They never run the caller's main module.
    """

    def __init__(self) -> None:
        self._server: ForkServer | None = None

    def start(self, workers: list[WorkerProcess]) -> None:
        """Start a worker process; it waits for its task.

        Args:
            workers: those that are running; the new one is added.

        Raises:
            OSError: the system refuses it: no more processes, memory, or open files.
        """
        _require_files()
        ours, theirs = socket.socketpair()
        # No signals between the start and the moment in which the process is registered, or nobody would end it.
        # Nothing in here blocks: the task, which may be larger than the socket's buffer, is sent later.
        with signals_held(), ours, theirs:
            memory = shared_memory()
            try:
                process = self._start(theirs, memory, [worker.channel.fileno() for worker in workers] + [ours.fileno()])
                workers.append(WorkerProcess(process, Channel(os.dup(ours.fileno())), number_in(memory)))
            finally:
                os.close(memory)

    def close(self) -> None:
        """End what was started besides the workers."""
        if self._server is not None:
            self._server.close(_END_TIMEOUT)
            self._server = None

    def _start(self, theirs: socket.socket, memory: int, inherited: list[int]) -> Process:
        if _is_fork_safe():

            def run() -> None:
                for descriptor in inherited:  # otherwise the sockets would stay open when the job ends
                    os.close(descriptor)
                serve(theirs.fileno(), memory)

            return fork(run)
        if sys.platform != "linux":  # macOS: its libraries do not survive a fork
            return Interpreter(serve.__module__, theirs.fileno(), memory)
        if self._server is not None and self._server.has_ended:
            self.close()
        if self._server is None:
            self._server = ForkServer()
        return self._server.fork(theirs.fileno(), memory)


def end_workers(workers: Iterable[WorkerProcess], *, at_once: bool) -> None:
    """Close the sockets of workers, which makes them end, and make sure that they do.

    Args:
        workers: the workers.
        at_once: kill them; otherwise give them a moment to end.
    """
    left = list(workers)
    for worker in left:
        if at_once:
            worker.kill()
        worker.channel.close()
    for _ in range(2):  # the second time, they have been killed
        end = time.monotonic() + _END_TIMEOUT
        left = [worker for worker in left if worker.wait(max(0, end - time.monotonic())) is None]
        for worker in left:
            worker.kill()


def _is_fork_safe() -> bool:
    """Whether this process may fork workers, which is by far the fastest way.

    It may if it is our own command, so that we know what it has loaded; not with other threads, nor after ONNX Runtime
    was loaded (a session made before a fork hangs after it).
    """
    loaded = {"onnxruntime", "torch"} & sys.modules.keys()
    return sys.platform == "linux" and is_own_process() and not loaded and threading.active_count() == 1


def _require_files() -> None:
    """Raise EMFILE now rather than when the outputs are opened."""
    with contextlib.ExitStack() as stack:
        for _ in range(_SPARE_FILES + _FILES_PER_WORKER):
            stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))
