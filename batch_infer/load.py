"""Some of a chunk's inputs → images in MNIST's form, and what was wrong with the others."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from batch_infer.contract import ERROR_CODES, IMAGE_SIZE
from batch_infer.decode import Picture, decode
from batch_infer.errors import ImageFault
from batch_infer.escape import escape_path
from batch_infer.files import read_file
from batch_infer.formed import mnist_formed
from batch_infer.normalizer import normalize
from batch_infer.png import decode_plain
from batch_infer.sources import Chunk, Files, IdxSlice

Fault = tuple[str, str, str]  # path, code, detail

_SHAPE = (IMAGE_SIZE, IMAGE_SIZE)


class Loaded(NamedTuple):
    """What was read: images `(m, 28, 28)` uint8, errors `(m,)` uint8 (0 is none), and faults for the log."""

    images: npt.NDArray[np.uint8]
    errors: npt.NDArray[np.uint8]
    faults: list[Fault]


def load(chunk: Chunk, rows: npt.NDArray[np.int64], fit: str) -> Loaded:
    """Read some of a chunk's images.

    Args:
        chunk: the chunk.
        rows: `(m,)` which of its images.
        fit: `auto` brings every picture to MNIST's form; `never` refuses what is not 28×28 in one 8-bit channel.

    Raises:
        DamagedIdxError: the chunk is a piece of a damaged IDX file.
    """
    return _load_files(chunk, rows, fit) if isinstance(chunk, Files) else _load_slice(chunk, rows, fit)


def fault_code(name: str) -> int:
    """The number of an error code in a column of errors."""
    return ERROR_CODES.index(name) + 1


def _load_files(chunk: Files, rows: npt.NDArray[np.int64], fit: str) -> Loaded:
    images, faults = np.zeros((len(rows), *_SHAPE), np.uint8), {}
    square = np.zeros(len(rows), np.bool_)  # 28×28: looked at all together, as most of them pass as they are
    for number, row in enumerate(rows.tolist()):
        try:
            if row in chunk.faults:
                raise ImageFault(*chunk.faults[row])
            data = read_file(chunk.paths[row])
            grey = decode_plain(data)
            if grey is None or grey.shape != _SHAPE:
                picture = decode(data) if grey is None else Picture(grey, one_channel=True)
                if fit != "auto" or picture.grey.shape != _SHAPE:
                    images[number] = _fitted(picture, fit)
                    continue
                grey = picture.grey
            images[number] = grey
            square[number] = True
        except ImageFault as fault:
            faults[number] = fault
    if fit == "auto" and square.any():
        for number in np.flatnonzero(square & ~mnist_formed(images)).tolist():
            try:
                images[number] = _normalized(images[number])
            except ImageFault as fault:
                images[number] = 0
                faults[number] = fault
    return _loaded(images, faults, lambda number: escape_path(chunk.paths[rows[number]]))


def _load_slice(chunk: IdxSlice, rows: npt.NDArray[np.int64], fit: str) -> Loaded:
    pictures = chunk.read()
    if len(rows) < len(pictures):
        pictures = pictures[rows]
    if pictures.shape[1:] == _SHAPE:
        return _loaded(pictures, {})
    images, faults = np.zeros((len(rows), *_SHAPE), np.uint8), {}
    for number, picture in enumerate(pictures):
        try:
            images[number] = _fitted(Picture(picture, one_channel=True), fit)
        except ImageFault as fault:
            faults[number] = fault
    return _loaded(images, faults, lambda number: f"{escape_path(chunk.source.path)}[{chunk.start + rows[number]}]")


def _loaded(images: npt.NDArray[np.uint8], faults: dict[int, ImageFault], name: Callable[[int], str] = str) -> Loaded:
    errors = np.zeros(len(images), np.uint8)
    for number, fault in faults.items():
        errors[number] = fault_code(fault.code)
    return Loaded(
        images, errors, [(name(number), faults[number].code, faults[number].detail) for number in sorted(faults)]
    )


def _fitted(picture: Picture, fit: str) -> npt.NDArray[np.uint8]:
    if fit == "auto":
        return _normalized(picture.grey)
    if picture.grey.shape != _SHAPE or not picture.one_channel:
        height, width = picture.grey.shape
        channels = "one channel of 8 bits" if picture.one_channel else "several channels, 16 bits or a rotation"
        raise ImageFault(
            "wrong_shape", f"{width}×{height} pixels, {channels}; expected 28×28, one channel of 8 bits (or --fit auto)"
        )
    return picture.grey


def _normalized(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    image = normalize(grey)
    if image is None:
        raise ImageFault("no_digit", "nothing stands out of the background")
    return image
