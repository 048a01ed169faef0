"""Messages between the job and a worker over a socket: a pickled object followed by raw bytes.

The worker's end blocks. The job's end (`Channel`) never does: it must handle signals and watch the clock even if a
worker is stuck.
"""

import contextlib
import os
import pickle
import socket
import struct
from collections import deque
from dataclasses import replace
from itertools import accumulate
from typing import Any, Final

import numpy as np

from batch_infer.inputs.chunks import ArrayChunk, Chunk

_HEAD: Final = struct.Struct("!QQ")  # bytes of the object, bytes of the raw part
_BLOCK: Final = 1 << 20  # bytes


def pack_chunk(chunk: Chunk) -> list[memoryview]:
    """Make a message from a chunk, without the keys, which the job keeps.

    Its images are sent as raw bytes, because pickling would copy them several times.
    """
    chunk = replace(chunk, keys=())
    if not isinstance(chunk, ArrayChunk) or chunk.images is None:
        return pack((chunk, None))
    images, chunk = chunk.images, replace(chunk, images=None)
    if isinstance(images, list):
        return pack((chunk, [len(image) for image in images]), b"".join(images))
    return pack((chunk, (images.dtype.str, images.shape)), np.ascontiguousarray(images).reshape(-1).view(np.uint8).data)


def unpack_chunk(content: Any, bulk: bytearray) -> Chunk:
    """Undo `pack_chunk`; the keys are gone."""
    chunk, form = content
    if form is None:
        return chunk
    if isinstance(form, tuple):
        dtype, shape = form
        return replace(chunk, images=np.frombuffer(bulk, dtype).reshape(shape))
    ends = list(accumulate(form))
    return replace(chunk, images=[bytes(bulk[end - size : end]) for size, end in zip(form, ends, strict=True)])


def pack(content: Any, bulk: bytes | memoryview = b"") -> list[memoryview]:
    """Make a message: the buffers to send one after another."""
    pickled = pickle.dumps(content, pickle.HIGHEST_PROTOCOL)
    head = memoryview(_HEAD.pack(len(pickled), len(bulk)) + pickled)
    return [head, memoryview(bulk)] if len(bulk) else [head]


def send(descriptor: int, message: list[memoryview]) -> None:
    """Send a message, waiting as long as it takes."""
    for buffer in message:
        view = buffer
        while view:
            view = view[os.write(descriptor, view) :]


def receive(descriptor: int) -> tuple[Any, bytearray]:
    """Receive a message, waiting as long as it takes.

    Raises:
        EOFError: the other end is closed.
    """
    sizes = _HEAD.unpack(_read_exactly(descriptor, _HEAD.size))
    pickled, bulk = (_read_exactly(descriptor, size) for size in sizes)
    return pickle.loads(pickled), bulk  # noqa: S301 - from the process that started this one


def _read_exactly(descriptor: int, size: int) -> bytearray:
    content = bytearray(size)
    view = memoryview(content)
    while view:
        count = os.readv(descriptor, [view])
        if not count:
            raise EOFError
        view = view[count:]
    return content


class Channel:
    """The job's end of a worker's socket.

    Attributes:
        ended: the worker has closed its end; `receive` has returned what it sent before.
    """

    def __init__(self, descriptor: int) -> None:
        """Take ownership of a socket's descriptor."""
        os.set_blocking(descriptor, False)
        self.ended = False
        self._descriptor = descriptor
        self._out: deque[memoryview] = deque()
        self._in = bytearray()

    def fileno(self) -> int:
        """The descriptor, for a selector."""
        return self._descriptor

    @property
    def has_unsent(self) -> bool:
        """Whether data is waiting for the worker to read."""
        return bool(self._out)

    def post(self, message: list[memoryview]) -> None:
        """Send as much of a message as the socket accepts now; `flush` sends the rest."""
        self._out += message
        self.flush()

    def flush(self) -> None:
        """Send as much as the socket accepts now."""
        while self._out:
            try:
                count = os.write(self._descriptor, self._out[0])
            except BlockingIOError:
                return
            except (BrokenPipeError, ConnectionResetError):  # `receive` will see the end
                self._out.clear()
                return
            rest = self._out[0][count:]
            if rest:
                self._out[0] = rest
            else:
                self._out.popleft()

    def receive(self) -> list[tuple[Any, bytes]]:
        """Receive what has arrived: the messages that are complete by now."""
        while True:
            try:
                block = os.read(self._descriptor, _BLOCK)
            except BlockingIOError:
                break
            except ConnectionResetError:
                block = b""
            if not block:
                self.ended = True
                break
            self._in += block
        return self._complete()

    def close(self) -> None:
        """Close the socket, also for processes that the caller has forked meanwhile and that hold it open."""
        if self._descriptor >= 0:
            with socket.socket(fileno=self._descriptor) as end, contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._descriptor = -1

    def _complete(self) -> list[tuple[Any, bytes]]:
        messages = []
        start = 0
        while len(self._in) - start >= _HEAD.size:
            size, bulk = _HEAD.unpack_from(self._in, start)
            middle = start + _HEAD.size + size
            if len(self._in) < middle + bulk:
                break
            with memoryview(self._in) as view:
                content = pickle.loads(view[start + _HEAD.size : middle])  # noqa: S301 - from a process of ours
                messages.append((content, bytes(view[middle : middle + bulk])))
            start = middle + bulk
        del self._in[:start]
        return messages
