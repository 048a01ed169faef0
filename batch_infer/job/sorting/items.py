"""The rows of a run as things to be laid into folders: files, and images that are in a file with others."""

import functools
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from batch_infer.decoding.decode import decode
from batch_infer.decoding.formats import detect_format
from batch_infer.decoding.pixels.bit_depth import stack_to_8_bit
from batch_infer.decoding.read import read_file
from batch_infer.decoding.structure.limits import MAX_PIXELS
from batch_infer.errors import ImageError, InputLostError
from batch_infer.inference.folders import FOLDERS, NOWHERE
from batch_infer.inputs.arrays.open_array import file_of
from batch_infer.inputs.chunks import ArrayChunk, FileChunk, chunks
from batch_infer.inputs.inventory import ArrayInput, Inventory
from batch_infer.job.sorting.names import picture_name

_ERROR = FOLDERS.index("error")
_TURNED = "\0transposed"  # after the path of a file whose images are laid upright: other pictures than if they were not


@dataclass(frozen=True)
class Item:
    """A row of the run, and where it belongs.

    Attributes:
        folder: one of FOLDERS; empty if there is nothing to lay anywhere.
        file: the file that it is, or is in; absolute, the links to its folder resolved.
        path: that file, as the list names it.
        position: index in that file, or -1.
        name: which it should get.
        content: makes the bytes of a file for it; None if it is a file itself.
    """

    folder: str
    file: str
    path: str
    position: int
    name: str
    content: Callable[[], bytes] | None = None


def items(inventory: Inventory, folders: bytes | bytearray) -> Iterator[Item]:
    """The rows of a run in order; images of files that were changed since they were classified are left out.

    Args:
        inventory: the inputs.
        folders: of each row, as `folders_of` gives them.
    """
    end = 0
    for entry in inventory.entries:
        start, end = end, end + entry.row_count
        row = start
        try:
            for chunk in chunks(Inventory([entry])):
                here = folders[row : row + len(chunk.labels)]
                yield from _files(chunk, here) if isinstance(chunk, FileChunk) else _images(chunk, here)
                row += len(chunk.labels)
        except InputLostError:  # of a file that can only be read in order
            path = entry.path if isinstance(entry, ArrayInput) else ""
            yield from (Item("", path, path, -1, "") for _ in range(row, end))


def _files(chunk: FileChunk, folders: bytes | bytearray) -> Iterator[Item]:
    resolve = functools.lru_cache(maxsize=1)(os.path.realpath)
    read = functools.lru_cache(maxsize=1)(read_file)  # all pages of a file follow each other
    for row, folder in enumerate(folders):
        path = file_of(chunk.paths[row]) if chunk.errors else chunk.paths[row]
        above, name = os.path.split(path)
        file = os.path.join(resolve(above), name)
        page = -1 if chunk.pages is None else int(chunk.pages[row])
        if folder == NOWHERE:
            yield Item("", file, file, page, name)
        elif page < 0:
            yield Item(FOLDERS[folder], file, file, page, name)
        elif folder == _ERROR:  # what could not be decoded is not tried again: the whole file shows it
            name = os.path.splitext(picture_name(file, page))[0] + os.path.splitext(name)[1]
            yield Item(FOLDERS[folder], file, file, page, name)
        else:
            content = functools.partial(_decoded, functools.partial(read, path), page)
            yield Item(FOLDERS[folder], file, file, page, picture_name(file, page), content)


def _images(chunk: ArrayChunk, folders: bytes | bytearray) -> Iterator[Item]:
    path = chunk.source.path
    above, name = os.path.split(path)
    place = os.path.realpath(above)
    file = os.path.join(place, os.path.basename(chunk.source.file))
    key = os.path.join(place, name) + _TURNED * chunk.turned
    found = functools.cache(lambda: _pictures(chunk))  # read only if one of them is not there yet
    for row, folder in enumerate(folders):
        position = chunk.start + row
        failed = folder == _ERROR
        name = picture_name(path, position)
        if failed and len(chunk.source.shape) == 1:  # a table of files, of which this one could not be decoded
            name = os.path.splitext(name)[0] + ".bin"
        content = functools.partial(_content, found, row, turned=chunk.turned, failed=failed)
        yield Item(FOLDERS[folder], file, key, position, name, content)


def _pictures(chunk: ArrayChunk) -> npt.NDArray[np.uint8] | list[bytes]:
    found: Any = chunk.read()
    return found if isinstance(found, list) or found.dtype == np.uint8 else stack_to_8_bit(found)[0]


def _content(
    found: Callable[[], npt.NDArray[np.uint8] | list[bytes]], row: int, *, turned: bool, failed: bool
) -> bytes:
    picture = found()[row]
    if not isinstance(picture, bytes):
        return _png(picture.T if turned else picture)
    if failed or (not turned and detect_format(picture) == "PNG"):
        return picture  # a file in a table, as it is
    return _decoded(lambda: picture, None, turned=turned)


def _decoded(read: Callable[[], bytes], page: int | None, *, turned: bool = False) -> bytes:
    grey = decode(read(), page).grey
    return _png(grey.T if turned else grey)


def _png(grey: npt.NDArray[np.uint8]) -> bytes:
    """A grey picture (H, W) as a PNG."""
    if grey.size > MAX_PIXELS:
        raise ImageError("too_large", f"{grey.size:,} pixels; expected at most {MAX_PIXELS:,}")
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(grey)).save(buffer, "PNG")
    return buffer.getvalue()
