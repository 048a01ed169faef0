"""Images of an IDX file, plain or gzip, read without trusting any byte."""

import contextlib
import gzip
import math
import os
import struct
from collections.abc import Iterator
from typing import IO, Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import IMAGE_SIZE
from batch_infer.errors import NOTHING_PUBLISHED, STAYS, DamagedIdxError, InputLostError
from batch_infer.inputs.idx_format import UINT8, inflated, open_at_once, open_idx, parse_header, read_checked
from batch_infer.paths import escape_path

_MAX_PIXELS_PER_IMAGE: Final = 4096 * 4096
_BLOCK: Final = 1 << 18  # bytes inflated at a time where they are only checked


class IdxImages:
    """An IDX file of uint8 images that was found sound; memory use does not grow with their number.

    A gzip file is inflated to its checksum once, before the first of its images counts: what is damaged is known from
    the start. A file that changes later ends the run.

    Attributes:
        path: the file.
        compressed: whether it is gzip.
        shape: `(count, rows, columns)` from the header; the data have been checked against it.
        data_offset: where the data begin, in bytes.
        token: size, mtime, inode and device of the file that was checked.

    Raises:
        DamagedIdxError: header and data do not agree; the text says what was found and what was expected.
        OSError: the file cannot be read.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        with open_idx(path) as file:
            status = os.fstat(file.fileno())
            self.token = token_of(status)
            self.compressed = isinstance(file, gzip.GzipFile)  # isal's class is one, too
            header = read_checked(lambda: parse_header(file))
            if header.type_code != UINT8 or len(header.shape) != 3:
                what = "labels" if len(header.shape) == 1 else f"{len(header.shape)}-dimensional data"
                hint = "; flattened digits? reshape them to (N, 28, 28)" if header.shape[1:] == (IMAGE_SIZE**2,) else ""
                raise DamagedIdxError(
                    f"expected images (type 0x08, 3 dimensions), found {what} (type 0x{header.type_code:02x}){hint}"
                )
            self.shape: tuple[int, int, int] = header.shape
            self.data_offset = header.data_offset
            count, rows, columns = self.shape
            if count and not 0 < rows * columns <= _MAX_PIXELS_PER_IMAGE:
                raise DamagedIdxError(f"the header says {rows}×{columns} pixels an image; expected 1 to 4096×4096")
            if self.compressed:
                self._inflate_to_checksum(file)
                return
            expected, found = self.data_offset + count * rows * columns, status.st_size
            if found != expected:
                raise DamagedIdxError(f"the header says {count} images, so {expected} bytes; the file has {found}")

    def read(self, start: int, count: int) -> npt.NDArray[np.uint8]:
        """Read images `start … start + count` of a plain file → `(count, rows, columns)` uint8.

        Read, not memory-mapped, so that a file that shrinks meanwhile causes an error and not a SIGBUS.

        Raises:
            InputLostError: the file is not the one that was checked, or cannot be read any more.
        """
        _, rows, columns = self.shape
        buffer = np.empty((count, rows, columns), np.uint8)
        with self._open_again() as file:
            file.seek(self.data_offset + start * rows * columns)
            _fill(file, buffer)
        return buffer

    def read_all(self) -> npt.NDArray[np.uint8]:
        """Read all images, plain or gzip → `(count, rows, columns)` uint8.

        Raises:
            InputLostError: the file is not the one that was checked, or cannot be read any more.
        """
        count = self.shape[0]
        if not self.compressed or not count:
            return self.read(0, count)
        (images,) = self.stream(count)
        return images

    def stream(self, chunk: int) -> Iterator[npt.NDArray[np.uint8]]:
        """Inflate a gzip file in chunks of at most `chunk` images → `(n, rows, columns)` uint8 each.

        Raises:
            InputLostError: the file is not the one that was checked, or cannot be read any more.
        """
        count, rows, columns = self.shape
        with self._open_again() as file:
            read_checked(lambda: parse_header(file))
            for start in range(0, count, chunk):
                buffer = np.empty((min(chunk, count - start), rows, columns), np.uint8)
                _fill(file, buffer)
                yield buffer
            self._refuse_more(file)

    def _inflate_to_checksum(self, file: IO[bytes]) -> None:
        """Inflate all data of a gzip file and discard them; at most one byte more than the header says.

        Raises:
            DamagedIdxError: bad checksum, data cut off, or bytes left over.
        """
        left = math.prod(self.shape)
        block = np.empty(min(left, _BLOCK), np.uint8)  # the same one again and again: it stays in the processor's cache
        while left:
            _fill(file, block[:left])
            left -= min(left, _BLOCK)
        self._refuse_more(file)

    def _refuse_more(self, file: IO[bytes]) -> None:
        """Read past the end of the data: there gzip verifies its checksum."""
        if read_checked(lambda: file.read(1)):
            raise DamagedIdxError(f"the header says {self.shape[0]} images; there are more bytes behind them")

    @contextlib.contextmanager
    def _open_again(self) -> Iterator[IO[bytes]]:
        """Open the file that was checked; whatever is wrong with it now came later.

        Raises:
            InputLostError: it changed, or cannot be read any more.
        """
        try:
            with open(self.path, "rb", opener=open_at_once) as file:
                self._require_same(os.fstat(file.fileno()))
                with inflated(file) if self.compressed else file as content:
                    yield content
                self._require_same(os.stat(self.path))
        except (DamagedIdxError, OSError) as error:
            with contextlib.suppress(OSError):
                self._require_same(os.stat(self.path))  # it may have been changed while it was read
            what = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise InputLostError(f"{escape_path(self.path)}: cannot be read any more: {what}; {STAYS}") from error

    def _require_same(self, status: os.stat_result) -> None:
        if token_of(status) != self.token:
            raise InputLostError(
                f"{escape_path(self.path)}: was changed during the run; {NOTHING_PUBLISHED}; "
                "run again when nothing writes to it"
            )


def idx_bytes(array: npt.NDArray[np.uint8]) -> bytes:
    """Encode a uint8 array of any shape as an IDX file."""
    header = struct.pack(f">HBB{array.ndim}I", 0, UINT8, array.ndim, *array.shape)
    return header + np.ascontiguousarray(array).tobytes()


def token_of(status: os.stat_result) -> tuple[int, int, int, int]:
    """Identify the content of a file without reading it: `(size, mtime_ns, inode, device)`."""
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev


def _fill(file: IO[bytes], buffer: npt.NDArray[np.uint8]) -> None:
    """Fill the whole buffer from the file."""
    view = buffer.reshape(-1).data
    while view:
        size = read_checked(lambda: file.readinto(view))  # type: ignore[attr-defined]  # noqa: B023 - called at once
        if not size:
            raise DamagedIdxError("the data are cut off: fewer bytes than the header says")
        view = view[size:]
