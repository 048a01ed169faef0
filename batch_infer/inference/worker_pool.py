"""Map a task over chunks on all cores, results in order."""

import multiprocessing
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Final

import numpy as np

from batch_infer.errors import MnistLogisticError, WorkerError
from batch_infer.inference.task import ChunkResult, ChunkTask, ModelInfo
from batch_infer.inputs.chunks import Chunk, IdxChunk

_AHEAD: Final = 2  # chunks a worker has at a time: the next one is there when it finishes one
_WINDOW: Final = 8  # chunks per worker that may be under way or wait for an earlier one, which bounds the memory
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class InProcess:
    """One worker: this process."""

    def __init__(self, task: ChunkTask) -> None:
        self.info, self._work = task.open()

    def map(self, chunks: Iterable[Chunk]) -> Iterator[ChunkResult]:
        """Work on the chunks one after the other."""
        return map(self._work, chunks)

    def __enter__(self) -> "InProcess":
        return self

    def __exit__(self, *_: object) -> None:
        pass


class Workers:
    """Several worker processes, each with a session of its own.

    They end when the parent ends, however it does: their connection to it breaks.

    Attributes:
        info: the model that they opened.

    Raises:
        ModelError: the model is refused.
    """

    info: ModelInfo

    def __init__(self, task: ChunkTask, count: int) -> None:
        self._task = task
        self._count = count
        self._processes: list[Any] = []
        self._connections: list[Connection] = []

    def __enter__(self) -> "Workers":
        try:
            self._start()
            for connection in self._connections:
                self.info = self._receive(connection)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def _start(self) -> None:
        context: Any = multiprocessing.get_context(_start_method())
        # Not between a fork and the moment in which the process is on our list, or nobody would end it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            for _ in range(self._count):
                ours, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs, ours, self._task), daemon=True)
                process.start()
                theirs.close()
                self._processes.append(process)
                self._connections.append(ours)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def map(self, chunks: Iterable[Chunk]) -> Iterator[ChunkResult]:
        """Work on the chunks, as many at a time as there are workers; yield the results in the chunks' order."""
        waiting = enumerate(chunks)
        busy: dict[Connection, list[int]] = {connection: [] for connection in self._connections}
        done: dict[int, ChunkResult] = {}
        sent = yielded = 0
        exhausted = False
        while True:
            while not exhausted and sent - yielded < _WINDOW * len(busy):
                connection = min(busy, key=lambda connection: len(busy[connection]))
                if len(busy[connection]) == _AHEAD:
                    break
                number, chunk = next(waiting, (sent, None))
                if chunk is None:
                    exhausted = True
                    break
                self._send(connection, chunk)
                busy[connection].append(number)
                sent += 1
            while yielded in done:
                yield done.pop(yielded)
                yielded += 1
            working = [connection for connection, numbers in busy.items() if numbers]
            if not working:
                return
            for ready in wait(working):
                assert isinstance(ready, Connection)
                done[busy[ready].pop(0)] = self._receive(ready)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections:
            connection.close()
        for process in self._processes:
            if error is not None or kind is not None:
                process.kill()
            process.join(timeout=1)
            if process.is_alive():
                process.kill()
                process.join()

    def _send(self, connection: Connection, chunk: Chunk) -> None:
        try:
            _send_chunk(connection, chunk)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._death() from error

    def _receive(self, connection: Connection) -> Any:
        try:
            kind, content = connection.recv()
            encoded = connection.recv_bytes() if kind == "done" else b""
        except (EOFError, OSError) as error:  # OSError also where a message breaks off
            raise self._death() from error
        if kind == "refused":
            raise content
        if kind == "bug":
            raise RuntimeError(f"a worker failed:\n{content}")
        if kind == "done":
            return replace(content, encoded=encoded)
        return content

    def _death(self) -> WorkerError:
        codes = []
        for process in self._processes:
            process.join(timeout=0.2)
            if process.exitcode is not None:
                codes.append(process.exitcode)
        return WorkerError(
            f"a worker process died (exit codes {codes}; -9 is often the out-of-memory killer: try fewer --workers); "
            "nothing was published, what was there stays"
        )


def _send_chunk(connection: Connection, chunk: Chunk) -> None:
    """Send a chunk; images that it holds go as they are, because pickling would copy them several times."""
    if not isinstance(chunk, IdxChunk) or chunk.images is None:
        connection.send((chunk, None))
        return
    connection.send((replace(chunk, images=None), chunk.images.shape))
    view = chunk.images.reshape(-1).data
    while view:
        view = view[os.write(connection.fileno(), view) :]


def _receive_chunk(connection: Connection) -> Chunk:
    """Receive what `_send_chunk` sent."""
    chunk, shape = connection.recv()
    if shape is None:
        return chunk
    images = np.empty(shape, np.uint8)
    view = images.reshape(-1).data
    while view:
        size = os.readv(connection.fileno(), [view])
        if not size:
            raise EOFError
        view = view[size:]
    return replace(chunk, images=images)


def _start_method() -> str:
    """Fork where that is safe, as it is by far the fastest.

    It is not with other threads, nor after ONNX Runtime was loaded (a session made before a fork hangs after it).
    """
    loaded = {"onnxruntime", "torch"} & sys.modules.keys()
    return "fork" if sys.platform == "linux" and not loaded and threading.active_count() == 1 else "spawn"


def _serve(connection: Connection, parents_end: Connection, task: ChunkTask) -> None:
    """A worker's life: open the model, work on chunks until the connection ends."""
    parents_end.close()  # or the connection would not end with the parent
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    try:
        try:
            info, work = task.open()
        except MnistLogisticError as error:
            connection.send(("refused", error))
            return
        connection.send(("ready", info))
        for chunk in _read_ahead(connection):
            result = work(chunk)
            connection.send(("done", replace(result, encoded=b"")))
            connection.send_bytes(result.encoded)  # the bulk goes as it is: pickling would copy it twice
    except (BrokenPipeError, ConnectionResetError):
        return
    except Exception:  # the parent reports it as the bug it is
        connection.send(("bug", traceback.format_exc()))


def _read_ahead(connection: Connection) -> Iterator[Chunk]:
    """Receive chunks in a thread, so that parent and worker never wait for each other to read."""
    received: queue.SimpleQueue[Chunk | None] = queue.SimpleQueue()

    def receive() -> None:
        while True:
            try:
                received.put(_receive_chunk(connection))
            except (EOFError, OSError):
                received.put(None)
                return

    threading.Thread(target=receive, daemon=True).start()
    while (chunk := received.get()) is not None:
        yield chunk
