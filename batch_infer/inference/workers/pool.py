"""Map a task over chunks on all cores, results in order: assigns chunks to workers and waits for them."""

import heapq
import logging
import select
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Final

from batch_infer.errors import NOTHING_PUBLISHED, WorkerError
from batch_infer.inference.task import ChunkResult, ChunkTask, ModelInfo
from batch_infer.inference.workers import crashes
from batch_infer.inference.workers.messages import pack, pack_chunk
from batch_infer.inference.workers.process import UNKNOWN_END
from batch_infer.inference.workers.start_up import Starter, WorkerProcess, end_workers
from batch_infer.inference.workers.worker import BUG, DONE, READY, REFUSED, SHORT
from batch_infer.inputs.chunks import Chunk

log = logging.getLogger("batch_infer")

_CHUNKS_PER_WORKER: Final = 2  # sent at a time: the next one is ready when the worker finishes one
_WINDOW: Final = 8  # chunks per worker that are in progress or wait for an earlier one, at most; this limits memory
_CHECK_INTERVAL: Final = 1.0  # seconds; how often to check which image a silent worker is working on


class InProcess:
    """One worker: this process.

    Attributes:
        info: the model that was opened.

    Raises:
        ModelError: the model is refused.
    """

    def __init__(self, task: ChunkTask) -> None:
        self.info, self._work = task.open()

    def map(self, chunks: Iterable[Chunk]) -> Iterator[ChunkResult]:
        """Process the chunks one after another."""
        return map(self._work, chunks)

    def __enter__(self) -> "InProcess":
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Workers:
    """Several worker processes, each with a session of its own.

    They end when the parent ends, however it ends, because their connection to it breaks. If the system allows fewer
    processes, there are fewer; if it allows none, entering this gives an `InProcess`.

    Attributes:
        info: the model that they opened.

    Raises:
        ModelError: the model is refused.
        WorkerError: they died.
    """

    info: ModelInfo

    def __init__(self, task: ChunkTask, count: int) -> None:
        self._task = task
        self._count = count
        self._starter = Starter()
        self._workers: list[WorkerProcess] = []
        self._shortage = ""
        self._crashes = crashes.Crashes()
        self._done: dict[int, ChunkResult] = {}
        self._again: list[tuple[int, Chunk]] = []  # a heap: chunks whose worker died

    def __enter__(self) -> "Workers | InProcess":
        try:
            while len(self._workers) < self._count and self._start():
                pass
            codes: list[int] = []
            reason = ""
            while any(worker.info is None for worker in self._workers):
                for worker in self._wait(None):
                    codes.append(self._remove(worker))
                    reason = reason or worker.reason
            if not self._workers and not self._shortage:
                raise crashes.start_failure(reason) if reason else crashes.deaths(codes)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        if self._shortage:
            log.info("%d of %d worker processes: %s", len(self._workers), self._count, self._shortage)
        return self if self._workers else InProcess(self._task)

    def map(self, chunks: Iterable[Chunk]) -> Iterator[ChunkResult]:
        """Process the chunks, as many at a time as there are workers; yield the results in the chunks' order.

        Raises:
            WorkerError: workers died and no file is to blame, or too many files are.
        """
        waiting = enumerate(chunks)
        sent = yielded = 0
        exhausted = False
        while True:
            while self._again or (not exhausted and sent - yielded < _WINDOW * self._count):
                worker = min(self._workers, key=lambda worker: len(worker.assigned))
                if len(worker.assigned) == _CHUNKS_PER_WORKER:
                    break
                numbered = heapq.heappop(self._again) if self._again else next(waiting, None)
                if numbered is None:
                    exhausted = True
                    break
                sent = max(sent, numbered[0] + 1)
                worker.assigned.append(numbered)
                worker.channel.post(pack_chunk(numbered[1]))
            if yielded in self._done:
                yield self._done.pop(yielded)
                yielded += 1
            elif exhausted and sent == yielded:
                return
            else:
                for worker in self._wait(_CHECK_INTERVAL):
                    self._replace(worker, overdue=False)
                for worker in [worker for worker in self._workers if worker.seconds_at_image() > crashes.MAX_SECONDS]:
                    self._replace(worker, overdue=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end_workers(self._workers, at_once=kind is not None)
        self._starter.close()

    def _start(self) -> bool:
        """Start one more worker, if the system allows it."""
        try:
            self._starter.start(self._workers)
        except OSError as error:
            self._shortage = error.strerror or str(error)
            return False
        self._workers[-1].channel.post(pack(self._task))
        return True

    def _wait(self, seconds: float | None) -> list[WorkerProcess]:
        """Wait until a worker can be written to or has written; handle its messages → those that have ended."""
        poll = select.poll()
        workers = {worker.channel.fileno(): worker for worker in self._workers}
        for descriptor, worker in workers.items():
            poll.register(descriptor, select.POLLIN | (select.POLLOUT if worker.channel.has_unsent else 0))
        ready = [workers[descriptor] for descriptor, _ in poll.poll(None if seconds is None else seconds * 1000)]
        for worker in ready:
            worker.channel.flush()
            for (kind, content), bulk in worker.channel.receive():
                self._handle(worker, kind, content, bulk)
        return [worker for worker in ready if worker.channel.ended]

    def _handle(self, worker: WorkerProcess, kind: str, content: Any, bulk: bytes) -> None:
        """Handle one message of a worker."""
        if kind == DONE:
            number, chunk = worker.assigned.popleft()
            self._done[number] = replace(content, encoded=bulk, keys=chunk.keys)
        elif kind == READY:
            self.info = worker.info = content
        elif kind == SHORT:
            self._shortage = worker.shortage = content
        elif kind == REFUSED:
            raise content
        elif kind == BUG:
            raise RuntimeError(f"a worker failed:\n{content}")

    def _replace(self, worker: WorkerProcess, *, overdue: bool) -> None:
        """Replace a worker that died or takes too long with a new one; its chunks are processed again."""
        image = worker.current_image
        code = self._remove(worker)
        if worker.assigned:
            late = overdue and worker.current_image == image  # it may have moved on at the last moment
            number, chunk = worker.assigned.popleft()
            if late:
                chunk = self._crashes.after_timeout(chunk, worker.row)
            elif not overdue and not worker.shortage and crashes.is_own_fault(worker.row, code):
                chunk = self._crashes.after_crash(chunk, worker.row, code)
            elif not overdue:
                self._crashes.once_more(number, code, worker.shortage)
            for numbered in ((number, chunk), *worker.assigned):
                heapq.heappush(self._again, numbered)
        if not self._start() and not self._workers:
            raise WorkerError(f"no worker process can be started any more: {self._shortage}; {NOTHING_PUBLISHED}")

    def _remove(self, worker: WorkerProcess) -> int:
        """End a worker, after handling its last messages → its exit code."""
        worker.kill()  # harmless if it is dead already
        code = worker.wait()
        for (kind, content), bulk in worker.channel.receive():
            self._handle(worker, kind, content, bulk)
        self._workers.remove(worker)
        worker.channel.close()
        return UNKNOWN_END if code is None else code
