"""Put on PYTHONPATH by tests: makes the general decoder do real harm when a file's bytes tell it to.

A file that begins with `FAULT name argument` does what `FAULTS` has under that name, in whichever process decodes it.
The environment variable FAULT_SECONDS shortens the time that an image may take; FAULT_IMAGE is the value of a first
pixel at which normalizing crashes.
"""

import ctypes
import os
import signal
import tempfile
import time
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

import batch_infer.decoding.decode as decoding
from batch_infer.decoding.decoders.png import Picture
from batch_infer.inference.workers import crashes


def die(name: str) -> None:
    """Die of a signal, like a decoder that accesses memory out of bounds."""
    if name != "SIGKILL":
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.kill(os.getpid(), getattr(signal, name))
    time.sleep(60)


def die_once(name: str, path: str) -> None:
    """Die of a signal, but only the first time."""
    os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    die(name)


def fail() -> NoReturn:
    """Raise an unexpected exception."""
    raise IndexError("list index\nout of range")


def allocate() -> bytes:
    """Ask for 3 GB, and use them."""
    return bytes(3 << 30)


FAULTS: dict[str, Callable[..., object]] = {
    "die": die,
    "die_once": die_once,
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "exit": lambda: os._exit(7),
    "sleep": lambda: time.sleep(600),
    "hang": lambda: ctypes.PyDLL(None).sleep(600),  # in C, holding the GIL: no thread and no handler runs
    "fail": fail,
    "allocate": allocate,
    "say": lambda: os.write(2, b"libpng warning: bad text\n"),
    "leave": lambda: os.close(tempfile.mkstemp()[0]),
}
_decode = decoding.decode


def decode(data: bytes, page: int | None = None) -> Picture:
    """Do what the file says, or decode it."""
    if data.startswith(b"FAULT "):
        name, *arguments = data.decode().split()[1:]
        try:
            FAULTS[name](*arguments)
        except FileExistsError:
            return Picture(np.full((28, 28), 128, np.uint8), one_channel=True)
    return _decode(data, page)


decoding.decode = decode
if "FAULT_SECONDS" in os.environ:
    crashes.MAX_SECONDS = float(os.environ["FAULT_SECONDS"])  # type: ignore[misc]
if "FAULT_IMAGE" in os.environ:
    from batch_infer.normalization import pipeline

    _examine = pipeline.examine

    def examine(picture: npt.NDArray[Any], **options: Any) -> pipeline.Normalized:
        """Crash at the picture that is marked, or normalize."""
        if picture[0, 0] == int(os.environ["FAULT_IMAGE"]):
            ctypes.string_at(0)
        return _examine(picture, **options)

    pipeline.examine = examine
