"""A fresh interpreter that forks workers for a job whose own process cannot: its threads and libraries do not allow it.

The job asks over a socket: FORK (with the worker's descriptors), KILL, WAIT. Linux only.
"""

import contextlib
import os
import select
import signal
import socket
import struct
from typing import Final

from batch_infer.inference.limits import describe_shortage
from batch_infer.inference.workers.messages import pack, send
from batch_infer.inference.workers.process import UNKNOWN_END, Child, Interpreter, fork
from batch_infer.inference.workers.worker import SHORT, leave_signals_to_the_job, serve, silence

_REQUEST: Final = struct.Struct("!Bqd")  # what, which worker, seconds
_FORK, _KILL, _WAIT = range(3)
_ANSWER: Final = struct.Struct("!q?q")  # which worker, whether it has ended, exit code
_CHECK_INTERVAL: Final = 1000  # milliseconds; how often to check whether the job still lives


class ForkServer:
    """The job's side: starts the interpreter, and sends it requests.

    Raises:
        OSError: the system refuses the interpreter.
    """

    def __init__(self) -> None:
        self._count = 0
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self._interpreter = Interpreter(__name__, theirs.fileno())
        except BaseException:
            self._socket.close()
            raise

    def fork(self, *descriptors: int) -> "Forked":
        """Ask for a worker that calls `serve` with these descriptors."""
        self._count += 1
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has ended: seen at the worker's socket
            socket.send_fds(self._socket, [_REQUEST.pack(_FORK, self._count, 0)], descriptors)
        return Forked(self, self._count)

    def kill(self, number: int) -> None:
        """Ask to kill a worker."""
        with contextlib.suppress(OSError):  # it has ended
            self._socket.send(_REQUEST.pack(_KILL, number, 0))

    def wait(self, number: int, seconds: float) -> int | None:
        """Wait for a worker's end → its exit code; None if it is still running."""
        answer = b""
        with contextlib.suppress(OSError):  # it has ended
            self._socket.send(_REQUEST.pack(_WAIT, number, seconds))
            while (answer := self._socket.recv(_ANSWER.size)) and _ANSWER.unpack(answer)[0] != number:
                pass  # the answer to a request that a signal interrupted
        if answer:
            _, has_ended, code = _ANSWER.unpack(answer)
            return code if has_ended else None
        code = self._interpreter.wait(seconds)
        return UNKNOWN_END if code is None else code

    @property
    def reason(self) -> str:
        """Why it could not begin its work, once it has ended; empty if it did not say."""
        return self._interpreter.reason

    @property
    def has_ended(self) -> bool:
        """Whether the interpreter has ended, so that it cannot fork any more."""
        return self._interpreter.wait(0) is not None

    def close(self, seconds: float) -> None:
        """End the interpreter; after so many seconds at the latest."""
        with self._socket, contextlib.suppress(OSError):  # a process that the caller has forked may hold it open, too
            self._socket.shutdown(socket.SHUT_RDWR)
        if self._interpreter.wait(seconds) is None:
            self._interpreter.kill()
            self._interpreter.wait(seconds)


class Forked:
    """A worker that the server forked."""

    def __init__(self, server: ForkServer, number: int) -> None:
        self._server = server
        self._number = number

    @property
    def reason(self) -> str:
        """Why it could not begin its work, once it has ended; empty if it did not say."""
        return self._server.reason

    def kill(self) -> None:
        """Kill it at once, whatever it is doing; harmless if it has ended."""
        self._server.kill(self._number)

    def wait(self, seconds: float) -> int | None:
        """Wait for its end → its exit code (negative for a signal); None if it is still running."""
        return self._server.wait(self._number, seconds)


def main(descriptor: int) -> None:
    """Serve the job at the other end of a socket until it closes that, or ends."""
    leave_signals_to_the_job()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, as it may be inherited, it would lose the exit codes
    silence()
    control = socket.socket(fileno=descriptor)
    children: dict[int, Child] = {}
    descriptors: list[int] = []
    job, poll = os.getppid(), select.poll()
    poll.register(control, select.POLLIN)
    while True:
        # A process that the job's own has forked may hold the socket open when the job was killed.
        while not poll.poll(_CHECK_INTERVAL) and os.getppid() == job:
            pass
        request = b""
        if os.getppid() == job:
            request, descriptors, _, _ = socket.recv_fds(control, _REQUEST.size, 2)
        if not request:
            for worker in children.values():
                worker.kill()
            os._exit(0)  # without running the exit handlers of libraries
        what, number, seconds = _REQUEST.unpack(request)
        if what == _FORK:
            child = _fork(control, descriptors)
            if child is not None:
                children[number] = child
        elif what == _KILL and number in children:
            children[number].kill()
        elif what == _WAIT:
            code = children[number].wait(seconds) if number in children else UNKNOWN_END
            control.send(_ANSWER.pack(number, code is not None, code or 0))


def _fork(control: socket.socket, descriptors: list[int]) -> Child | None:
    """Fork a worker; if the system refuses, say so on its socket."""

    def run() -> None:
        control.close()
        serve(*descriptors)

    try:
        return fork(run)
    except OSError as error:
        send(descriptors[0], pack((SHORT, describe_shortage(error) or str(error))))
        return None
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
