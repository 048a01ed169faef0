"""Chunks of inputs, in the order of the inputs: units of work of at most a few thousand images."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import UNKNOWN
from batch_infer.inputs.arrays.source import ArraySource, Pictures
from batch_infer.inputs.inventory import ArrayInput, FileGroup, Inventory
from batch_infer.paths import escape_path

CHUNK: Final = 1024  # image files; a multiple of contract.MODEL_BATCH

KeptPicture = tuple[bytes | None, bytes]  # the original as a JPEG, if it is shown; what the model saw, 784 bytes
StateKey = tuple[bytes, int, str]  # absolute path; index of the first image or of the page, or -1; token of the file


@dataclass(frozen=True)
class FileChunk:
    """Some image files.

    Attributes:
        paths: as given by the operating system.
        labels: `(n,)` int8, -1 where unknown.
        errors: code and detail by position, of files already found to be unusable.
        cached_ppm: `(n, 10)` int32 probabilities from an earlier run, in parts per million; -1 in rows without.
        keys: where --incremental stores the result of each file; None where it is not to be stored.
        pages: `(n,)` int32 which page of the file, from 0, -1 for a file of one picture; None if all are such files.
        first_row: number of the first one's row in the predictions, from 0.
        kept_pictures: of rows with `cached_ppm`, by position, where --incremental has any.
    """

    paths: list[str]
    labels: npt.NDArray[np.int8]
    errors: dict[int, tuple[str, str]] = field(default_factory=dict)
    cached_ppm: npt.NDArray[np.int32] | None = None
    keys: tuple[StateKey | None, ...] = ()
    pages: npt.NDArray[np.int32] | None = None
    first_row: int = 0
    kept_pictures: dict[int, KeptPicture] = field(default_factory=dict)


@dataclass(frozen=True)
class ArrayChunk:
    """Some images of a file of many (IDX, an array, a table).

    Attributes:
        source: the file.
        start: index of the first image.
        labels: `(n,)` int8, -1 where unknown.
        images: if they had to be read in order (gzip, text); None: they are read when classified.
        errors: code and detail by position, of images already found to be unusable.
        turned: whether each image is to be transposed, as it is stored so.
        is_sample: whether these are the images by which that is found, instead of consecutive ones.
        cached_ppm: `(n, 10)` int32 probabilities from an earlier run, in parts per million; -1 in rows without.
        keys: a single one, under which --incremental stores the results of all images; None if it is not to.
        first_row: number of the first one's row in the predictions, from 0.
        kept_pictures: of rows with `cached_ppm`, by position, where --incremental has any.
    """

    source: ArraySource
    start: int
    labels: npt.NDArray[np.int8]
    images: Pictures | None = None
    errors: dict[int, tuple[str, str]] = field(default_factory=dict)
    turned: bool = False
    is_sample: bool = False
    cached_ppm: npt.NDArray[np.int32] | None = None
    keys: tuple[StateKey | None, ...] = ()
    first_row: int = 0
    kept_pictures: dict[int, KeptPicture] = field(default_factory=dict)

    def read(self) -> Pictures:
        """Read the images.

        Raises:
            InputLostError: the file was changed during the run, or cannot be read any more.
        """
        if self.images is not None:
            return self.images
        return self.source.read_sample() if self.is_sample else self.source.read(self.start, len(self.labels))


Chunk = FileChunk | ArrayChunk


def image_name(chunk: Chunk, row: int) -> str:
    """Name one image of a chunk for messages: its escaped path, with its index in brackets if the file has several."""
    if isinstance(chunk, FileChunk):
        page = -1 if chunk.pages is None else chunk.pages[row]
        return escape_path(chunk.paths[row]) + (f"[{page}]" if page >= 0 else "")
    return f"{escape_path(chunk.source.path)}[{chunk.start + row}]"


def chunks(inventory: Inventory) -> Iterator[Chunk]:
    """Cut the inputs into chunks; the cuts depend only on the inputs, not on the workers.

    An INPUT whose folders give the labels begins and ends with a chunk, so that what is right can be counted for it.

    Raises:
        InputLostError: a file of many images was changed during the run, or cannot be read any more.
    """
    first_row = 0
    for chunk in _cut(inventory):
        yield replace(chunk, first_row=first_row)
        first_row += len(chunk.labels)


def _cut(inventory: Inventory) -> Iterator[Chunk]:
    groups: list[FileGroup] = []
    for entry in inventory.entries:
        if isinstance(entry, FileGroup):
            if groups and groups[-1].labelled_by != entry.labelled_by:
                yield from _file_chunks(groups)
                groups = []
            groups.append(entry)
            continue
        yield from _file_chunks(groups)
        groups = []
        yield from _array_chunks(entry)
    yield from _file_chunks(groups)


def count_chunks(inventory: Inventory) -> int:
    """Count the chunks that `chunks` will make, without making them."""
    count = files = 0
    labelled_by = ""
    for entry in inventory.entries:
        if isinstance(entry, FileGroup):
            if entry.labelled_by != labelled_by:
                count, files, labelled_by = count - (-files // CHUNK), 0, entry.labelled_by
            files += len(entry.names)
            continue
        count += -(-files // CHUNK)
        count += 1 if entry.images is None else -(-entry.images.shape[0] // entry.images.chunk_size)
        files = 0
    return count + -(-files // CHUNK)


def _file_chunks(groups: list[FileGroup]) -> Iterator[FileChunk]:
    paths: list[str] = []
    labels = np.full(CHUNK, UNKNOWN, np.int8)
    pages: npt.NDArray[np.int32] | None = None
    errors: dict[int, tuple[str, str]] = {}
    for group in groups:
        start = 0
        while start < len(group.names):
            first, names = len(paths), group.names[start : start + CHUNK - len(paths)]
            paths += [group.prefix + name for name in names]
            if group.labels is not None:
                labels[first : len(paths)] = group.labels[start : start + len(names)]
            if group.paged:
                pages = np.full(CHUNK, -1, np.int32) if pages is None else pages
                pages[first : len(paths)] = np.arange(start, start + len(names))
            if group.error is not None:
                errors.update(dict.fromkeys(range(first, len(paths)), group.error))
            start += len(names)
            if len(paths) == CHUNK:
                yield FileChunk(paths, labels, errors, pages=pages)
                paths, labels, pages, errors = [], np.full(CHUNK, UNKNOWN, np.int8), None, {}
    if paths:
        yield FileChunk(paths, labels[: len(paths)], errors, pages=None if pages is None else pages[: len(paths)])


def _array_chunks(entry: ArrayInput) -> Iterator[Chunk]:
    source = entry.images
    if source is None:
        path, detail = entry.path, entry.damage
        yield FileChunk([path], np.full(1, UNKNOWN, np.int8), {0: ("damaged_idx", detail)})
        return
    count, size = source.shape[0], source.chunk_size

    def labels(start: int, end: int) -> npt.NDArray[np.int8]:
        # Made chunk by chunk: there may be very many.
        return np.full(end - start, UNKNOWN, np.int8) if entry.labels is None else entry.labels[start:end]

    if not source.sequential:
        for start in range(0, count, size):
            yield ArrayChunk(source, start, labels(start, min(start + size, count)), turned=entry.turned)
        return
    for number, images in enumerate(source.stream(size)):
        start = number * size
        yield ArrayChunk(source, start, labels(start, start + len(images)), images, turned=entry.turned)
