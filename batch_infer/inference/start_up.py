"""How a worker process is started, watched and ended; what it is given to do is not decided here."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from batch_infer.inference.messages import Channel
from batch_infer.inference.position import NOWHERE, number_in, shared_memory
from batch_infer.inference.task import ModelInfo
from batch_infer.inference.worker import SIGNALS, serve
from batch_infer.inputs.chunks import Chunk

_SPARE_FILES: Final = 12  # descriptors that are left for outputs, reports and the state
_FILES_OF_ONE: Final = 6  # that starting a worker takes
_LOOK: Final = 2.0  # seconds between two looks that count
_PATIENCE: Final = 2.0  # seconds; what SIGKILL has not ended by then waits for a dead disk, and nobody waits for it


class WorkerProcess:
    """A worker, as the job sees it.

    Attributes:
        channel: its socket.
        info: the model that it opened; None as long as it did not.
        assigned: number and chunk of what it was sent and has not answered, the one that it works on first.
        shortage: what the system refused it, if it ended for that reason.
    """

    def __init__(self, process: Any, channel: Channel, memory: Any) -> None:
        self.channel = channel
        self.info: ModelInfo | None = None
        self.assigned: deque[tuple[int, Chunk]] = deque()
        self.shortage = ""
        self._process = process
        self._memory = memory
        self._position = number_in(memory)
        self._looked = (self.place, time.monotonic(), 0.0)

    @property
    def row(self) -> int:
        """Which image of the chunk that it works on it is at; NOWHERE between images."""
        return self._position[0]

    @property
    def place(self) -> tuple[int, int] | None:
        """The number of its chunk and the row that it is at; None between images."""
        row = self.row
        return None if row == NOWHERE or not self.assigned else (self.assigned[0][0], row)

    def seconds_at_image(self) -> float:
        """How long it was seen at the image that it is at; to be called often.

        Only time in which somebody looks counts: the whole job may be stopped and continued.
        """
        place, looked, seconds = self._looked
        now = time.monotonic()
        seconds = seconds + min(now - looked, _LOOK) if place is not None and place == self.place else 0.0
        self._looked = (self.place, now, seconds)
        return seconds

    def kill(self) -> None:
        """End it at once, whatever it does."""
        self._process.kill()

    def wait(self, seconds: float = _PATIENCE) -> int | None:
        """Wait for its end → its exit code (of a signal: the negative number); None if it goes on."""
        self._process.join(seconds)
        code: int | None = self._process.exitcode
        return code

    def abandon(self) -> None:
        """Let Python not wait for it when it exits itself."""
        multiprocessing.process._children.discard(self._process)  # type: ignore[attr-defined]  # noqa: SLF001


def start_worker(workers: list[WorkerProcess]) -> WorkerProcess:
    """Start a worker process; it waits for its task.

    Args:
        workers: those that run already; the new one is added.

    Raises:
        OSError: the system refuses it: no more processes, memory, or open files.
    """
    _require_files()
    method = start_method()
    context: Any = multiprocessing.get_context(method)
    memory = shared_memory(inherited=method == "fork")
    ends = context.Pipe()
    ours, theirs = ends
    inherited = [worker.channel.fileno() for worker in workers] + [ours.fileno()] if method == "fork" else []
    process = context.Process(target=_run, args=(theirs, inherited, memory), daemon=True)
    # Not between a fork and the moment in which the process is known, or nobody would end it. Nothing waits in here:
    # the task, which may be larger than what a pipe takes, follows later.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        process.start()
        worker = WorkerProcess(process, Channel(os.dup(ours.fileno())), memory)
        workers.append(worker)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for end in ends:
            end.close()
    return worker


def end_workers(workers: Iterable[WorkerProcess], *, at_once: bool) -> None:
    """Close the sockets of workers, at which they end, and see that they do.

    Args:
        workers: the workers.
        at_once: kill them; otherwise they have a moment.
    """
    left = list(workers)
    for worker in left:
        if at_once:
            worker.kill()
        worker.channel.close()
    for _ in range(2):
        end = time.monotonic() + _PATIENCE
        left = [worker for worker in left if worker.wait(max(0, end - time.monotonic())) is None]
        for worker in left:
            worker.kill()
    for worker in left:
        worker.abandon()


def start_method() -> str:
    """Fork where that is safe, as it is by far the fastest.

    It is not with other threads, nor after ONNX Runtime was loaded (a session made before a fork hangs after it).
    """
    loaded = {"onnxruntime", "torch"} & sys.modules.keys()
    return "fork" if sys.platform == "linux" and not loaded and threading.active_count() == 1 else "spawn"


def _run(connection: Any, inherited: list[int], memory: Any) -> None:
    """Be the worker process."""
    for descriptor in inherited:  # or the sockets would not close with the job's end
        with contextlib.suppress(OSError):
            os.close(descriptor)
    serve(connection.fileno(), memory)


def _require_files() -> None:
    """Raise EMFILE now rather than when the outputs are opened."""
    with contextlib.ExitStack() as stack:
        for _ in range(_SPARE_FILES + _FILES_OF_ONE):
            stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))
