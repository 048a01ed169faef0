"""Captures what a C library prints on stderr: libtiff does, where a page is damaged, and Pillow does not stop it.

Only the lines that libtiff prints are kept back; whatever else is written meanwhile, by another thread, goes where it
was meant to go.
"""

import contextlib
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from typing import Final

# "Fax4Decode: Bad code word …", with the name of a function or the one that Pillow gives the file.
_OF_LIBTIFF: Final = re.compile(
    rb"^(?:_?TIFF|Fax|LZW|ZIP|ZSTD|JPEG|PackBits|Predictor|horizontal|Dump|tempfile\.tif)\S*: .*\n?"
    rb"|^: .* not configured.*\n?"  # of a codec that this libtiff was built without
    rb"|^Apparently should be .*\n?",  # the second line of one about JPEG's sampling
    re.MULTILINE,
)
_STDERR: Final = 2
_MAX_BYTES: Final = 1 << 16  # kept; a damaged page of a fax may have a line for each of its rows
_lock = threading.Lock()  # descriptor 2 is the whole process's


@contextlib.contextmanager
def libtiff_messages(messages: list[str]) -> Iterator[None]:
    """Capture libtiff's messages during a block.

    Args:
        messages: they are appended to it at the end of the block, without line ends.

    Raises:
        OSError: no file or descriptor can be had.
    """
    with _lock, tempfile.TemporaryFile(buffering=0) as file:
        try:
            saved = os.dup(_STDERR)
        except OSError:  # it is closed: libtiff would write to whatever is opened there next
            saved = -1
        os.dup2(file.fileno(), _STDERR)
        try:
            yield
        finally:
            if saved < 0:
                os.close(_STDERR)
            else:
                os.dup2(saved, _STDERR)
                os.close(saved)
            file.seek(0)
            written = file.read(_MAX_BYTES)
            messages += [line.decode(errors="replace").strip() for line in _OF_LIBTIFF.findall(written)]
            if others := _OF_LIBTIFF.sub(b"", written):
                with contextlib.suppress(OSError):
                    os.write(_STDERR, others)
