"""Some of a chunk's inputs → images in MNIST's form, and what was wrong with the others.

The general decoder (Pillow) and the normaliser are imported when the first picture needs them: most jobs of MNIST's
own kind never do, and start the sooner.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from batch_infer.contract import IMAGE_SIZE
from batch_infer.decoding.png import decode_plain
from batch_infer.decoding.read import read_file
from batch_infer.errors import ImageFault
from batch_infer.inputs.chunks import Chunk, Files, IdxSlice
from batch_infer.normalization.mnist_format import mnist_formed
from batch_infer.paths import escape_path
from batch_infer.predictions import Fault, fault_code

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


def _load_files(chunk: Files, rows: npt.NDArray[np.int64], fit: str) -> Loaded:
    images, faults = np.zeros((len(rows), *_SHAPE), np.uint8), {}
    square = np.zeros(len(rows), np.bool_)  # 28×28: looked at all together, as most of them pass as they are
    for number, row in enumerate(rows.tolist()):
        try:
            if row in chunk.faults:
                raise ImageFault(*chunk.faults[row])
            data = read_file(chunk.paths[row])
            grey, one_channel = decode_plain(data), True
            if grey is None:
                grey, one_channel = _decoded(data)
            if grey.shape == _SHAPE and (one_channel or fit == "auto"):
                images[number] = grey
                square[number] = True
            else:
                images[number] = _fitted(grey, fit, one_channel=one_channel)
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
            images[number] = _fitted(picture, fit)
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


def _decoded(data: bytes) -> tuple[npt.NDArray[np.uint8], bool]:
    from batch_infer.decoding.decode import decode

    return decode(data)


def _fitted(grey: npt.NDArray[np.uint8], fit: str, *, one_channel: bool = True) -> npt.NDArray[np.uint8]:
    if fit == "auto":
        return _normalized(grey)
    height, width = grey.shape
    channels = "one channel of 8 bits" if one_channel else "several channels, 16 bits or a rotation"
    raise ImageFault(
        "wrong_shape", f"{width}×{height} pixels, {channels}; expected 28×28, one channel of 8 bits (or --fit auto)"
    )


def _normalized(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    from batch_infer.normalization.pipeline import normalize

    image = normalize(grey)
    if image is None:
        raise ImageFault("no_digit", "nothing stands out of the background")
    return image
