"""The main loop of a worker: open the model, process chunks until the job closes its end of the socket."""

import os
import queue
import signal
import threading
import traceback
from collections.abc import Iterator
from dataclasses import replace

from batch_infer.errors import MnistLogisticError
from batch_infer.inference.limits import describe_shortage, limit_worker
from batch_infer.inference.position import NOWHERE, number_in
from batch_infer.inference.task import ChunkTask
from batch_infer.inference.workers.messages import pack, receive, send, unpack_chunk
from batch_infer.inputs.chunks import Chunk
from batch_infer.signals import ENDING_SIGNALS

# A worker's answers: READY once, with the model's info; DONE for each chunk; or the reason why it, or the run, ends.
READY, DONE, REFUSED, SHORT, BUG = "ready", "done", "refused", "short", "bug"


def serve(descriptor: int, memory: int) -> None:
    """Work for the job at the other end of a socket.

    Args:
        descriptor: the worker's end; the first message is the task, all others are chunks.
        memory: descriptor of where to note which image it is working on (`position.shared_memory`).
    """
    leave_signals_to_the_job()
    silence()
    limit_worker()
    try:
        _serve(descriptor, memory)
    except (BrokenPipeError, ConnectionResetError, EOFError):
        return
    except MnistLogisticError as error:
        send(descriptor, pack((REFUSED, error)))
    except Exception as error:
        reason = describe_shortage(error)
        send(descriptor, pack((BUG, traceback.format_exc()) if reason is None else (SHORT, reason)))


main = serve  # what a fresh interpreter calls


def _serve(descriptor: int, memory: int) -> None:
    position = number_in(memory)
    task: ChunkTask = receive(descriptor)[0]
    info, work = task.open(position)
    send(descriptor, pack((READY, info)))
    for chunk in _read_ahead(descriptor):
        result = work(chunk)
        position[0] = NOWHERE
        send(descriptor, pack((DONE, replace(result, encoded=b"")), result.encoded))


def _read_ahead(descriptor: int) -> Iterator[Chunk]:
    """Receive chunks in a thread, so that the next one is ready when one is finished."""
    received: queue.SimpleQueue[Chunk | Exception] = queue.SimpleQueue()

    def receive_all() -> None:
        try:
            while True:
                received.put(unpack_chunk(*receive(descriptor)))
        except (EOFError, ConnectionResetError):
            os._exit(0)  # the job or its process has ended: nobody waits for the current result
        except Exception as error:  # re-raised where the chunk is awaited
            received.put(error)

    try:
        threading.Thread(target=receive_all, daemon=True).start()
    except RuntimeError:  # no more threads may be started: then without reading ahead
        while True:
            yield unpack_chunk(*receive(descriptor))
    while True:
        chunk = received.get()
        if isinstance(chunk, Exception):
            raise chunk
        yield chunk


def leave_signals_to_the_job() -> None:
    """Ignore Ctrl-C and a hangup, which reach the whole process group: the job decides, and its end is seen as EOF.

    SIGTERM, which is sent to one process, ends this one.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)


def silence() -> None:
    """Send file descriptor 2 to /dev/null: C libraries print there why they crash, and the job prints its own line."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
