"""What IDX files, arrays and tables have in common: many images in one file, read a slice at a time."""

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import IO, Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import IMAGE_SIZE
from batch_infer.errors import NOTHING_PUBLISHED, STAYS, DamagedArrayError, InputLostError
from batch_infer.inputs.arrays.inflate import open_at_once
from batch_infer.paths import escape_path

MAX_CHUNK_IMAGES: Final = 4096  # a multiple of contract.MODEL_BATCH
MAX_CHUNK_BYTES: Final = IMAGE_SIZE**2 << 14  # of larger images, fewer are a chunk
SAMPLE_SIZE: Final = 512  # images, by which the orientation is found
LEAST_SAMPLE: Final = 10  # with fewer, nothing can be said

Pictures = npt.NDArray[Any] | list[bytes]  # (n, rows, columns) real numbers; or the contents of n image files


class ArraySource(ABC):
    """A file of many images that was found sound; memory use does not grow with their number.

    What is damaged is known from the start: a subclass checks the file when it is made, and raises DamagedArrayError
    with what was found and what was expected, or OSError. A file that changes later ends the run.

    Attributes:
        kind: what a person calls such a file.
        path: the file as the user named it.
        file: the file itself; `path` may name one of several arrays in it.
        shape: the number of images; then rows and columns, if they are the same for all and known.
        dtype: of the pixels.
        sequential: whether the images can be read only in order, by one process, which then sends them to the workers.
        token: size, mtime, inode and device of the file that was checked.
        sample: the images at `sample_places`, if the check passed them anyway.
    """

    kind: ClassVar[str]
    path: str
    file: str
    shape: tuple[int, ...]
    dtype: npt.DTypeLike = np.uint8
    sequential: bool = False
    token: tuple[int, int, int, int]
    sample: Pictures | None = None

    @property
    def chunk_size(self) -> int:
        """The number of images that form a chunk."""
        rows, columns = self.shape[1:]
        return max(1, min(MAX_CHUNK_IMAGES, MAX_CHUNK_BYTES // max(1, rows * columns * np.dtype(self.dtype).itemsize)))

    @property
    def sample_places(self) -> npt.NDArray[np.int64]:
        """Which images are looked at to find the orientation, evenly spread → `(n,)`, ascending.

        At most 512, and no more than form a chunk; none at all where these are too few to say anything.
        """
        count = min(SAMPLE_SIZE, self.shape[0], self.chunk_size)
        if count < LEAST_SAMPLE:
            return np.empty(0, np.int64)
        return np.arange(count, dtype=np.int64) * self.shape[0] // count

    def labels(self) -> npt.NDArray[np.int8] | None:
        """The labels that the file itself holds → `(count,)` int8, -1 where unknown; None if it holds none.

        Raises:
            DamagedArrayError: what it holds are no labels of digits.
            InputLostError: the file was changed during the run, or cannot be read any more.
        """
        return None

    def read(self, start: int, count: int) -> Pictures:
        """Read images `start … start + count` → `(count, rows, columns)`; not if the source is sequential.

        Raises:
            InputLostError: the file is not the one that was checked, or cannot be read any more.
        """
        buffer = np.empty((count, *self.shape[1:]), self.dtype)
        with self._open_again() as file:
            self._read_into(file, start, buffer)
        return buffer

    @abstractmethod
    def stream(self, size: int) -> Iterator[Pictures]:
        """Read all images in order, `size` at a time; only if the source is sequential.

        Raises:
            InputLostError: the file is not the one that was checked, or cannot be read any more.
        """

    def read_sample(self) -> Pictures:
        """Read the images at `sample_places`.

        Raises:
            InputLostError: the file is not the one that was checked, or cannot be read any more.
        """
        if self.sample is not None:
            return self.sample
        places = self.sample_places
        if self.sequential:
            sampler = Sampler(places)
            for pictures in self.stream(self.chunk_size):
                sampler.see(pictures)
            return sampler.collected()
        buffer = np.empty((len(places), *self.shape[1:]), self.dtype)
        with self._open_again() as file:
            for number, place in enumerate(places.tolist()):
                self._read_into(file, place, buffer[number : number + 1])
        return buffer

    def _read_into(self, file: IO[bytes], start: int, buffer: npt.NDArray[Any]) -> None:
        """Read the images from number `start` on; not if the source is sequential."""
        raise NotImplementedError

    @contextlib.contextmanager
    def _open_again(self) -> Iterator[IO[bytes]]:
        """Open the file that was checked; whatever is wrong with it now came later.

        Raises:
            InputLostError: it changed, or cannot be read any more.
        """
        try:
            with open(self.file, "rb", opener=open_at_once) as file:
                self._require_same(os.fstat(file.fileno()))
                yield file
                self._require_same(os.stat(self.file))
        except (DamagedArrayError, OSError) as error:
            with contextlib.suppress(OSError):
                self._require_same(os.stat(self.file))  # it may have been changed while it was read
            what = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise InputLostError(f"{escape_path(self.path)}: cannot be read any more: {what}; {STAYS}") from error

    def _require_same(self, status: os.stat_result) -> None:
        if token_of(status) != self.token:
            raise InputLostError(
                f"{escape_path(self.path)}: was changed during the run; {NOTHING_PUBLISHED}; "
                "run again when nothing writes to it"
            )

    def __getstate__(self) -> dict[str, Any]:
        """What workers need of it: not what only the job uses, which may be large."""
        return {name: value for name, value in self.__dict__.items() if name not in {"sample", "_labels"}}


class Sampler:
    """Collects the images at certain places while all pass by."""

    def __init__(self, places: npt.NDArray[np.int64]) -> None:
        self._places = places
        self._seen = 0
        self._parts: list[Pictures] = []

    def see(self, pictures: Pictures) -> None:
        """Look at the next images."""
        first, last = np.searchsorted(self._places, (self._seen, self._seen + len(pictures)))
        chosen = self._places[first:last] - self._seen
        self._seen += len(pictures)
        if chosen.size:
            self._parts.append(
                [pictures[place] for place in chosen] if isinstance(pictures, list) else pictures[chosen]
            )

    def collected(self) -> Pictures:
        """What was collected."""
        if any(isinstance(part, list) for part in self._parts):
            return [picture for part in self._parts for picture in part]
        return np.concatenate(self._parts) if self._parts else np.empty((0, 1, 1), np.uint8)


def whole_chunks(pictures: Iterable[npt.NDArray[Any]], size: int) -> Iterator[npt.NDArray[Any]]:
    """Cut a stream of pieces `(n, rows, columns)` of any length into pieces of exactly `size`, but for the last."""
    held: list[npt.NDArray[Any]] = []
    count = 0
    for piece in pictures:
        held.append(piece)
        count += len(piece)
        while count >= size:
            joined = held[0] if len(held) == 1 else np.concatenate(held)
            yield joined[:size]
            held, count = [joined[size:]], count - size
    if count:
        yield np.concatenate(held)


def token_of(status: os.stat_result) -> tuple[int, int, int, int]:
    """Identify the content of a file without reading it: `(size, mtime_ns, inode, device)`."""
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev
