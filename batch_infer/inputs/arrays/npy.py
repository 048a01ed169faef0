"""NumPy's arrays of images: a `.npy` file, or such a file that lies uncompressed inside another."""

import ast
import math
import os
from collections.abc import Iterator
from typing import IO, Any, ClassVar, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from batch_infer.contract import IMAGE_SIZE
from batch_infer.errors import DamagedArrayError
from batch_infer.first_bytes import NPY
from batch_infer.inputs.arrays.inflate import fill, open_at_once
from batch_infer.inputs.arrays.source import ArraySource, token_of

_MAX_HEADER: Final = 1 << 16  # bytes; NumPy writes 128, and refuses more than 10,000
_MAX_SIDE: Final = 4096  # pixels
_MAX_ASPECT: Final = 4  # of a single picture; what is longer is rather a list of flattened ones
_EXPECTED: Final = "expected images of shape (n, 28, 28) or another size, or (n, 784)"


class NpyHeader(NamedTuple):
    """What the header of an array says: its element type, whether its first index varies fastest, its shape."""

    dtype: np.dtype[Any]
    fortran_order: bool
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of bytes of data."""
        return math.prod(self.shape) * self.dtype.itemsize


class NpyImages(ArraySource):
    """An array of images that was found sound.

    Attributes:
        shape: `(count, rows, columns)`.

    Raises:
        DamagedArrayError: header and size do not agree, or it does not hold images.
        OSError: the file cannot be read.
    """

    kind: ClassVar[str] = "NumPy array"

    def __init__(self, path: str, file: str | None = None, place: tuple[int, int] | None = None) -> None:
        """Check the array.

        Args:
            path: as the user named it.
            file: the file, if it is not named `path`.
            place: offset and size in bytes of the array in the file, if it is a part.
        """
        self.path, self.file = path, path if file is None else file
        with open(self.file, "rb", opener=open_at_once) as content:
            status = os.fstat(content.fileno())
            self.token = token_of(status)
            offset, size = (0, status.st_size) if place is None else place
            content.seek(offset)
            header = parse_npy_header(content)
            self._offset = content.tell()
        self.dtype, self._fortran_order = header.dtype, header.fortran_order
        self._flattened = header.shape[1:] == (IMAGE_SIZE**2,)  # its pixels stand row by row
        self.shape = images_shape(header)
        expected, found = self._offset - offset + header.size, size
        if found != expected:
            raise DamagedArrayError(f"the header says shape {header.shape}, so {expected} bytes; there are {found}")

    def stream(self, size: int) -> Iterator[npt.NDArray[Any]]:
        """Never called: any image can be read by itself."""
        raise NotImplementedError

    def _read_into(self, file: IO[bytes], start: int, buffer: npt.NDArray[Any]) -> None:
        count, rows, columns = self.shape
        pixels, step = rows * columns, np.dtype(self.dtype).itemsize
        if not self._fortran_order:
            file.seek(self._offset + start * pixels * step)
            fill(file, buffer)
            return
        # The first pixels of all images stand side by side, then the second ones, column by column.
        line = np.empty(len(buffer), self.dtype)
        for pixel in range(pixels):
            file.seek(self._offset + (pixel * count + start) * step)
            fill(file, line)
            column, row = divmod(pixel, rows) if not self._flattened else divmod(pixel, columns)[::-1]
            buffer[:, row, column] = line


def parse_npy_header(file: IO[bytes]) -> NpyHeader:
    """Read the header of an array.

    Raises:
        DamagedArrayError: the bytes are not such a header, or the array holds anything but real numbers.
    """
    head = file.read(8)
    if head[:6] != NPY or len(head) < 8:
        raise DamagedArrayError("not a NumPy array: its first bytes are not NumPy's")
    width = 2 if head[6] == 1 else 4
    length = int.from_bytes(file.read(width), "little")
    text = file.read(min(length, _MAX_HEADER))
    if head[6] not in {1, 2, 3} or not text or len(text) != length:
        raise DamagedArrayError("the header of the array is cut off, or of an unknown version")
    try:
        content = ast.literal_eval(text.decode("latin-1").strip())
        descr, fortran_order, shape = content["descr"], content["fortran_order"], content["shape"]
        dtype = np.dtype(descr) if isinstance(descr, str) else np.dtype("V1")
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError) as error:
        raise DamagedArrayError("the header of the array cannot be read") from error
    if not isinstance(shape, tuple) or not all(type(side) is int and 0 <= side < 1 << 40 for side in shape):
        raise DamagedArrayError("the header of the array cannot be read")
    if dtype.hasobject:
        raise DamagedArrayError(
            "an array of Python objects (a pickle), which is never read; in Python: "
            "np.save('digits.npy', np.stack(list(x)).astype('uint8'))"
        )
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise DamagedArrayError(f"an array of type {dtype}; expected grey values (bool, integers or floats)")
    return NpyHeader(dtype, bool(fortran_order), shape)


def images_shape(header: NpyHeader) -> tuple[int, int, int]:
    """The shape of an array as images → `(count, rows, columns)`.

    Raises:
        DamagedArrayError: it does not hold grey images.
    """
    shape = header.shape
    if len(shape) == 4 and 1 in {shape[1], shape[3]}:  # one channel, first or last
        shape = shape[:3] if shape[3] == 1 else (shape[0], *shape[2:])
    if len(shape) == 2 and shape[1] == IMAGE_SIZE**2:
        shape = (shape[0], IMAGE_SIZE, IMAGE_SIZE)
    elif len(shape) == 2 and min(shape) > 1 and max(shape) <= _MAX_ASPECT * min(shape):
        shape = (1, *shape)
    if len(shape) != 3 or (shape[0] and not (0 < shape[1] <= _MAX_SIDE and 0 < shape[2] <= _MAX_SIDE)):
        raise DamagedArrayError(f"an array of shape {header.shape}; {_EXPECTED}{_hint(header.shape)}")
    return shape[0], shape[1], shape[2]


def _hint(shape: tuple[int, ...]) -> str:
    if len(shape) == 4 and (shape[3] in {3, 4} or shape[1] in {3, 4}):
        return f"; colour? make it grey: x.mean(axis={3 if shape[3] in {3, 4} else 1})"
    if len(shape) == 1:
        return "; labels?"
    side = math.isqrt(shape[1]) if len(shape) == 2 else 0
    return f"; flattened? reshape it: x.reshape(-1, {side}, {side})" if side > 1 and side**2 == shape[1] else ""
