"""Images of an IDX file, plain or gzip, read without trusting any byte."""

import gzip
import os
import struct
from collections.abc import Iterator
from typing import IO, Any, Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import IMAGE_SIZE
from batch_infer.errors import DamagedArrayError
from batch_infer.inputs.arrays.idx_format import UINT8, parse_header
from batch_infer.inputs.arrays.inflate import fill, inflated, open_inflated, read_checked
from batch_infer.inputs.arrays.source import ArraySource, Sampler, token_of

_MAX_PIXELS_PER_IMAGE: Final = 4096 * 4096
_BLOCK: Final = 1 << 18  # bytes inflated at a time where they are only checked


class IdxImages(ArraySource):
    """An IDX file of uint8 images that was found sound.

    A gzip file is inflated to its checksum once, before the first of its images counts.

    Attributes:
        shape: `(count, rows, columns)` from the header; the data have been checked against it.
        data_offset: where the data begin, in bytes.

    Raises:
        DamagedArrayError: header and data do not agree; the text says what was found and what was expected.
        OSError: the file cannot be read.
    """

    kind = "IDX file"
    shape: tuple[int, int, int]

    def __init__(self, path: str) -> None:
        self.path = self.file = path
        with open_inflated(path) as file:
            status = os.fstat(file.fileno())
            self.token = token_of(status)
            self.sequential = isinstance(file, gzip.GzipFile)  # isal's class is one, too
            header = read_checked(lambda: parse_header(file))
            if header.type_code != UINT8 or len(header.shape) != 3:
                what = "labels" if len(header.shape) == 1 else f"{len(header.shape)}-dimensional data"
                hint = "; flattened digits? reshape them to (N, 28, 28)" if header.shape[1:] == (IMAGE_SIZE**2,) else ""
                raise DamagedArrayError(
                    f"expected images (type 0x08, 3 dimensions), found {what} (type 0x{header.type_code:02x}){hint}"
                )
            self.shape = header.shape
            self.data_offset = header.data_offset
            count, rows, columns = self.shape
            if count and not 0 < rows * columns <= _MAX_PIXELS_PER_IMAGE:
                raise DamagedArrayError(f"the header says {rows}×{columns} pixels an image; expected 1 to 4096×4096")
            if self.sequential:
                self._inflate_to_checksum(file)
                return
            expected, found = self.data_offset + count * rows * columns, status.st_size
            if found != expected:
                raise DamagedArrayError(f"the header says {count} images, so {expected} bytes; the file has {found}")

    def read_all(self) -> npt.NDArray[np.uint8]:
        """Read all images, plain or gzip → `(count, rows, columns)` uint8.

        Raises:
            InputLostError: the file is not the one that was checked, or cannot be read any more.
        """
        count = self.shape[0]
        if not self.sequential or not count:
            return np.asarray(self.read(0, count))
        (images,) = self.stream(count)
        return images

    def stream(self, size: int) -> Iterator[npt.NDArray[np.uint8]]:
        """Inflate a gzip file in chunks of at most `size` images → `(n, rows, columns)` uint8 each."""
        count, rows, columns = self.shape
        with self._open_again() as packed, inflated(packed) as file:
            read_checked(lambda: parse_header(file))
            for start in range(0, count, size):
                buffer = np.empty((min(size, count - start), rows, columns), np.uint8)
                fill(file, buffer)
                yield buffer
            self._refuse_more(file)

    def _read_into(self, file: IO[bytes], start: int, buffer: npt.NDArray[Any]) -> None:
        # Read, not memory-mapped, so that a file that shrinks meanwhile causes an error and not a SIGBUS.
        _, rows, columns = self.shape
        file.seek(self.data_offset + start * rows * columns)
        fill(file, buffer)

    def _inflate_to_checksum(self, file: IO[bytes]) -> None:
        """Inflate all data of a gzip file, keeping only the sample; at most one byte more than the header says.

        Raises:
            DamagedArrayError: bad checksum, data cut off, or bytes left over.
        """
        left, rows, columns = self.shape
        sampler = Sampler(self.sample_places)
        size = max(1, _BLOCK // max(1, rows * columns))
        # The same one again and again: it stays in the processor's cache.
        block = np.empty((min(left, size), rows, columns), np.uint8)
        while left:
            images = block[:left]
            fill(file, images)
            sampler.see(images)
            left -= len(images)
        self._refuse_more(file)
        self.sample = sampler.collected()

    def _refuse_more(self, file: IO[bytes]) -> None:
        """Read past the end of the data: there gzip verifies its checksum."""
        if read_checked(lambda: file.read(1)):
            raise DamagedArrayError(f"the header says {self.shape[0]} images; there are more bytes behind them")


def idx_bytes(array: npt.NDArray[np.uint8]) -> bytes:
    """Encode a uint8 array of any shape as an IDX file."""
    header = struct.pack(f">HBB{array.ndim}I", 0, UINT8, array.ndim, *array.shape)
    return header + np.ascontiguousarray(array).tobytes()
