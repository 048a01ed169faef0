"""Loads inputs of a chunk → images in MNIST's format, and the errors of those that cannot be used.

The normalization is imported when the first picture needs it: most jobs on data in MNIST's format never do, and so
start faster.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from batch_infer.contract import IMAGE_SIZE
from batch_infer.decoding.decode import decode
from batch_infer.decoding.pixels.bit_depth import is_flattened, stack_to_8_bit
from batch_infer.decoding.pixels.low_levels import LOW_PEAK, stretch_low
from batch_infer.decoding.pixels.thumbnail import thumbnail
from batch_infer.decoding.read import read_file
from batch_infer.errors import ImageError
from batch_infer.inference.image_errors import error_of_image
from batch_infer.inference.position import NOWHERE, Position
from batch_infer.inputs.chunks import ArrayChunk, Chunk, FileChunk, image_name
from batch_infer.normalization.mnist_format import mnist_format_mask
from batch_infer.predictions import RowError, error_number

_SHAPE = (IMAGE_SIZE, IMAGE_SIZE)
_AHEAD: Final = 256  # files that are read before the first of them is decoded
_AHEAD_BYTES: Final = 1 << 20  # or fewer, once they hold so much
# Code and detail by position. Not the exceptions themselves: they would keep alive what was read and decoded.
Errors = dict[int, tuple[str, str]]
Contents = Callable[[int], tuple[bytes, int | None]]  # row → its file, and the page of that if it has several


class _Notes(NamedTuple):
    """What is noted while images are read: which one is being read, and what `Loaded` has besides the images."""

    at: Position
    errors: Errors
    doubtful: npt.NDArray[np.bool_]
    originals: dict[int, npt.NDArray[np.uint8]] | None  # None: they are not wanted

    def keep(self, number: int, picture: npt.NDArray[np.uint8]) -> None:
        """Keep a small copy of a picture that is not in MNIST's format."""
        if self.originals is not None:
            self.originals[number] = thumbnail(picture)


class Loaded(NamedTuple):
    """Loaded images, and their errors.

    Attributes:
        images: `(m, 28, 28)` uint8, black for those with an error.
        error_numbers: `(m,)` uint8 positions in ERROR_CODES plus one; 0 means no error.
        doubtful: `(m,)` bool, where more than one digit may stand in the picture.
        errors: `(path, code, detail)` of each error, for the log.
        originals: small copies of the pictures that did not become images unchanged, `(h, w)` uint8, at most 96 px a
            side, by position; empty unless they were wanted.
    """

    images: npt.NDArray[np.uint8]
    error_numbers: npt.NDArray[np.uint8]
    doubtful: npt.NDArray[np.bool_]
    errors: list[RowError]
    originals: Mapping[int, npt.NDArray[np.uint8]] = MappingProxyType({})


def load(
    chunk: Chunk,
    rows: npt.NDArray[np.int64],
    fit: str,
    position: Position | None = None,
    *,
    originals: bool = False,
) -> Loaded:
    """Read some of a chunk's images; whatever goes wrong with one of them is an error of that one.

    The same picture becomes the same image, whether it comes from an image file or from a file of many.

    Args:
        chunk: the chunk.
        rows: `(m,)` which of its images.
        fit: `auto` normalizes every picture to MNIST's format; `never` refuses those not 28×28 in one 8-bit channel,
            and leaves the others as they are.
        position: where to note, for the job that watches, which image is being read, decoded or normalized.
        originals: whether to keep small copies of the pictures as they were.

    Raises:
        InputLostError: the file of many images was changed during the run, or cannot be read any more.
    """
    known = chunk.errors
    at = [NOWHERE] if position is None else position
    notes = _Notes(at, {}, np.zeros(len(rows), np.bool_), {} if originals else None)
    notes.errors.update(
        {number: known[row] for number, row in enumerate(rows.tolist() if known else ()) if row in known}
    )
    if isinstance(chunk, FileChunk):
        images = _read_files(_contents_of(chunk), rows, fit, notes)
    else:
        images = _read_array(chunk, rows, fit, notes)
    notes.at[0] = NOWHERE
    numbers = np.zeros(len(images), np.uint8)
    for number, (code, _) in notes.errors.items():
        numbers[number] = error_number(code)
    errors = sorted(notes.errors.items())
    named = [(image_name(chunk, rows[number]), *error) for number, error in errors]
    return Loaded(images, numbers, notes.doubtful, named, notes.originals or {})


def _contents_of(chunk: FileChunk) -> Contents:
    """Make the function that reads the file of a row; one of several pages is read once for all that follow."""
    paths, pages = chunk.paths, chunk.pages
    if pages is None:
        return lambda row: (read_file(paths[row]), None)
    last: tuple[str, bytes] | None = None

    def read(row: int) -> tuple[bytes, int | None]:
        nonlocal last
        page = int(pages[row])
        if page < 0:
            return read_file(paths[row]), None
        if last is None or last[0] != paths[row]:
            last = None  # before the next is read: each may have 64 MB
            last = paths[row], read_file(paths[row])
        return last[1], page

    return read


def _read_ahead(
    contents: Contents, rows: npt.NDArray[np.int64], notes: _Notes
) -> Iterator[tuple[int, int, bytes, int | None]]:
    """Read the files that have no error yet → number, row, content and page of each.

    Some are read before the first of them is yielded: if reading and decoding took turns, both would take a fifth more
    time (of small files; each finds the processor's caches full of the other).
    """
    at, errors = notes.at, notes.errors
    ahead: list[tuple[int, int, bytes, int | None]] = []
    size = 0
    for number, row in enumerate(rows.tolist()):
        if number in errors:
            continue
        at[0] = row
        try:
            data, page = contents(row)
        except BaseException as error:
            errors[number] = error_of_image(error)
            continue
        ahead.append((number, row, data, page))
        size += len(data)
        if len(ahead) == _AHEAD or size >= _AHEAD_BYTES:
            yield from ahead
            ahead, size = [], 0
    yield from ahead


def _read_files(
    contents: Contents, rows: npt.NDArray[np.int64], fit: str, notes: _Notes, *, turned: bool = False
) -> npt.NDArray[np.uint8]:
    images = np.zeros((len(rows), *_SHAPE), np.uint8)
    alike: list[int] = []  # 28×28: tested all together, as most of them pass unchanged
    at, errors, auto = notes.at, notes.errors, fit == "auto"
    for number, row, data, page in _read_ahead(contents, rows, notes):
        at[0] = row
        try:
            grey, one_channel, lossy = decode(data, page)
            if turned:
                grey = np.ascontiguousarray(grey.T)
            if grey.shape != _SHAPE:
                notes.keep(number, grey)
            if lossy and auto and grey.max() <= LOW_PEAK:
                raise ImageError("no_digit", "black, apart from what the compression adds")
            if grey.shape == _SHAPE and (one_channel or auto):
                images[number] = grey
                alike.append(number)
            else:
                _normalize(grey, fit, images, number, notes, one_channel=one_channel)
        except BaseException as error:
            errors[number] = error_of_image(error)
    return _fit_all(images, np.array(alike, np.int64), rows, notes) if fit == "auto" else images


def _read_array(chunk: ArrayChunk, rows: npt.NDArray[np.int64], fit: str, notes: _Notes) -> npt.NDArray[np.uint8]:
    found = chunk.read()
    if isinstance(found, list):
        return _read_files(lambda row: (found[row], None), rows, fit, notes, turned=chunk.turned)
    pictures = found if len(rows) == len(found) else found[rows]
    if chunk.turned:
        pictures = np.ascontiguousarray(pictures.transpose(0, 2, 1))
    if pictures.dtype != np.uint8:
        pictures, finite = stack_to_8_bit(pictures)
        wrong = ("non_finite", "NaN or infinity among the pixels")
        notes.errors.update(
            {number: wrong for number in np.flatnonzero(~finite).tolist() if number not in notes.errors}
        )
    good = np.arange(len(rows))
    if notes.errors:
        good = np.delete(good, list(notes.errors))
    if pictures.shape[1:] == _SHAPE:
        if notes.errors:
            pictures = pictures.copy()
            pictures[list(notes.errors)] = 0
        return _fit_all(pictures, good, rows, notes) if fit == "auto" else pictures
    images = np.zeros((len(rows), *_SHAPE), np.uint8)
    for number in good.tolist():
        notes.at[0] = rows[number]
        try:
            notes.keep(number, pictures[number])
            _normalize(pictures[number], fit, images, number, notes)
        except BaseException as error:
            notes.errors[number] = error_of_image(error)
    return images


def _fit_all(
    images: npt.NDArray[np.uint8],
    chosen: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
    notes: _Notes,
) -> npt.NDArray[np.uint8]:
    """Bring the chosen ones of 28×28 images to MNIST's format: all that are in it already are found together.

    Returns:
        A changed copy, or the images themselves where nothing was to be done.
    """
    notes.at[0] = NOWHERE
    others = chosen[~mnist_format_mask(images if len(chosen) == len(images) else images[chosen])]
    if not others.size:
        return images
    for number in others.tolist() if notes.originals is not None else ():
        notes.keep(number, images[number])
    images = images.copy()  # they may be the chunk's own
    pictures = stretch_low(images[others])
    inverted = ~pictures
    light, dark = mnist_format_mask(pictures), mnist_format_mask(inverted)
    # normalize would find these one by one, 40 µs each.
    images[others[light]], images[others[dark]] = pictures[light], inverted[dark]
    for index in np.flatnonzero(~light & ~dark).tolist():
        number = int(others[index])
        notes.at[0] = rows[number]
        try:
            _normalize(pictures[index], "auto", images, number, notes)
        except BaseException as error:
            images[number] = 0
            notes.errors[number] = error_of_image(error)
    return images


def _normalize(
    grey: npt.NDArray[np.uint8],
    fit: str,
    images: npt.NDArray[np.uint8],
    number: int,
    notes: _Notes,
    *,
    one_channel: bool = True,
) -> None:
    """Bring a picture to MNIST's format and put it into its place among the images."""
    height, width = grey.shape
    if is_flattened(grey.shape):
        raise ImageError(
            "wrong_shape", f"{width}×{height} pixels, a flattened digit; expected 28×28: reshape it to (28, 28)"
        )
    if fit != "auto":
        channels = "one channel of 8 bits" if one_channel else "several channels, 16 bits or a rotation"
        raise ImageError(
            "wrong_shape", f"{width}×{height} pixels, {channels}; expected 28×28, one channel of 8 bits (or --fit auto)"
        )
    from batch_infer.normalization.pipeline import SEVERAL_DIGITS, examine
    from batch_infer.normalization.several import OtherDigits

    seen = examine(grey)
    if seen.image is None:
        raise ImageError("no_digit", "nothing stands out of the background")
    if seen.others is OtherDigits.CERTAIN:
        raise ImageError("several_digits", SEVERAL_DIGITS)
    images[number] = seen.image
    notes.doubtful[number] = seen.others is OtherDigits.DOUBTFUL
