"""A standard stream whose reader may go away (`| head`): what is written after that is dropped, and is no error."""

import io
import os
import stat
from typing import Any, TextIO


def quiet_pipe(stream: TextIO) -> TextIO:
    """Make a standard stream one that outlives its reader.

    Args:
        stream: standard output or standard error.

    Returns:
        Another stream on the same descriptor if it is a pipe or a socket; otherwise the stream itself.
    """
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    try:
        descriptor = stream.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError):
        return stream
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return stream
    raw = _Pipe(descriptor, "wb", closefd=False)
    unbuffered = isinstance(stream.buffer, io.RawIOBase)  # PYTHONUNBUFFERED, python -u
    return io.TextIOWrapper(
        raw if unbuffered else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Pipe(io.FileIO):
    def write(self, data: Any, /) -> int:
        """Write, or drop everything from now on if nobody reads any more."""
        try:
            return super().write(data)
        except BrokenPipeError:
            # The descriptor itself: libraries in C write there, too.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return super().write(data)
