"""Loads inputs of a chunk → images in MNIST's format, and the errors of those that cannot be used.

The normalization is imported when the first picture needs it: most jobs on data in MNIST's format never do, and so
start faster.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from batch_infer.contract import IMAGE_SIZE
from batch_infer.decoding.decode import decode
from batch_infer.decoding.read import read_file
from batch_infer.errors import ImageError
from batch_infer.inference.image_errors import error_of_image
from batch_infer.inference.position import NOWHERE, Position
from batch_infer.inputs.chunks import Chunk, FileChunk, IdxChunk, image_name
from batch_infer.normalization.mnist_format import mnist_format_mask
from batch_infer.predictions import RowError, error_number

_SHAPE = (IMAGE_SIZE, IMAGE_SIZE)
# Code and detail by position. Not the exceptions themselves: they would keep alive what was read and decoded.
Errors = dict[int, tuple[str, str]]


class Loaded(NamedTuple):
    """Loaded images, and their errors.

    Attributes:
        images: `(m, 28, 28)` uint8, black for those with an error.
        error_numbers: `(m,)` uint8 positions in ERROR_CODES plus one; 0 means no error.
        errors: `(path, code, detail)` of each error, for the log.
    """

    images: npt.NDArray[np.uint8]
    error_numbers: npt.NDArray[np.uint8]
    errors: list[RowError]


def load(chunk: Chunk, rows: npt.NDArray[np.int64], fit: str, position: Position | None = None) -> Loaded:
    """Read some of a chunk's images; whatever goes wrong with one of them is an error of that one.

    Args:
        chunk: the chunk.
        rows: `(m,)` which of its images.
        fit: `auto` normalizes every picture to MNIST's format; `never` refuses those not 28×28 in one 8-bit channel.
        position: where to note, for the job that watches, which image is being read, decoded or normalized.

    Raises:
        InputLostError: the IDX file was changed during the run, or cannot be read any more.
    """
    at = [NOWHERE] if position is None else position
    loaded = _load_files(chunk, rows, fit, at) if isinstance(chunk, FileChunk) else _load_idx(chunk, rows, fit, at)
    at[0] = NOWHERE
    return loaded


def _load_files(chunk: FileChunk, rows: npt.NDArray[np.int64], fit: str, at: Position) -> Loaded:
    images = np.zeros((len(rows), *_SHAPE), np.uint8)
    errors: Errors = {}
    has_shape = np.zeros(len(rows), np.bool_)  # 28×28: tested all together, as most of them pass unchanged
    for number, row in enumerate(rows.tolist()):
        if row in chunk.errors:
            errors[number] = chunk.errors[row]
            continue
        at[0] = row
        try:
            grey, one_channel = decode(read_file(chunk.paths[row]))
            if grey.shape == _SHAPE and (one_channel or fit == "auto"):
                images[number] = grey
                has_shape[number] = True
            else:
                images[number] = _to_mnist_format(grey, fit, one_channel=one_channel)
        except BaseException as error:
            errors[number] = error_of_image(error)
    at[0] = NOWHERE
    if fit == "auto" and has_shape.any():
        others = np.flatnonzero(has_shape & ~mnist_format_mask(images))
        dark = mnist_format_mask(~images[others])  # normalize would find them one by one, 40 µs each
        images[others[dark]] ^= 255
        for number in others[~dark].tolist():
            at[0] = rows[number]
            try:
                images[number] = _normalize(images[number])
            except BaseException as error:
                images[number] = 0
                errors[number] = error_of_image(error)
    return _number_errors(images, errors, lambda number: image_name(chunk, rows[number]))


def _load_idx(chunk: IdxChunk, rows: npt.NDArray[np.int64], fit: str, at: Position) -> Loaded:
    pictures = chunk.read()
    if len(rows) < len(pictures):
        pictures = pictures[rows]
    if pictures.shape[1:] == _SHAPE:
        return _number_errors(pictures, {})
    images = np.zeros((len(rows), *_SHAPE), np.uint8)
    errors: Errors = {}
    for number, (row, picture) in enumerate(zip(rows.tolist(), pictures, strict=True)):
        if row in chunk.errors:
            errors[number] = chunk.errors[row]
            continue
        at[0] = row
        try:
            images[number] = _to_mnist_format(picture, fit)
        except BaseException as error:
            errors[number] = error_of_image(error)
    return _number_errors(images, errors, lambda number: image_name(chunk, rows[number]))


def _number_errors(images: npt.NDArray[np.uint8], errors: Errors, name: Callable[[int], str] = str) -> Loaded:
    """Convert errors by position to a column, and to entries for the log."""
    numbers = np.zeros(len(images), np.uint8)
    for number, (code, _) in errors.items():
        numbers[number] = error_number(code)
    return Loaded(images, numbers, [(name(number), *error) for number, error in sorted(errors.items())])


def _to_mnist_format(grey: npt.NDArray[np.uint8], fit: str, *, one_channel: bool = True) -> npt.NDArray[np.uint8]:
    if fit == "auto":
        return _normalize(grey)
    height, width = grey.shape
    channels = "one channel of 8 bits" if one_channel else "several channels, 16 bits or a rotation"
    raise ImageError(
        "wrong_shape", f"{width}×{height} pixels, {channels}; expected 28×28, one channel of 8 bits (or --fit auto)"
    )


def _normalize(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    from batch_infer.normalization.pipeline import normalize

    image = normalize(grey)
    if image is None:
        raise ImageError("no_digit", "nothing stands out of the background")
    return image
