"""The pure function at the heart: a chunk of inputs → its predictions, and those as an Arrow table."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from batch_infer.classifier import OnnxClassifier, to_millionths
from batch_infer.contract import CLASSES, ERROR, ERROR_CODES, IMAGE_SIZE, LOW_CONFIDENCE, OK, STATUSES
from batch_infer.decode import Picture, decode
from batch_infer.errors import ImageFault
from batch_infer.escape import escape_path
from batch_infer.files import read_file
from batch_infer.metrics import UNKNOWN
from batch_infer.normalizer import normalize
from batch_infer.sources import Chunk, Files, IdxSlice
from batch_infer.tables import record_batch, repeated, strings

Fault = tuple[str, str, str]  # path, code, detail
Loaded = tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], list[Fault]]

_SHAPE = (IMAGE_SIZE, IMAGE_SIZE)
_OK, _LOW, _ERROR = (STATUSES.index(status) for status in (OK, LOW_CONFIDENCE, ERROR))


@dataclass(frozen=True)
class Settings:
    """What a user may choose about classifying.

    Attributes:
        fit: `auto` brings other shapes to 28×28; `never` refuses them.
        min_confidence: in millionths; rows below get the status `low_confidence`.
        probabilities: whether the table has `prob_0 … prob_9`.
    """

    fit: str = "auto"
    min_confidence: int = 0
    probabilities: bool = False


@dataclass(frozen=True)
class Predictions:
    """The rows of one chunk, as columns.

    Attributes:
        paths: `(n,)` Arrow strings, escaped.
        start: index of the first image in its IDX file; None for image files.
        labels: `(n,)` int8, -1 where unknown.
        predictions: `(n,)` int8, -1 where there is none.
        millionths: `(n, 10)` int32 probabilities.
        statuses: `(n,)` uint8 positions in STATUSES.
        errors: `(n,)` uint8 positions in ERROR_CODES plus one; 0 is no error.
        faults: `(path, code, detail)` of each row with an error, for the log.
    """

    paths: pa.Array
    start: int | None
    labels: npt.NDArray[np.int8]
    predictions: npt.NDArray[np.int8]
    millionths: npt.NDArray[np.int32]
    statuses: npt.NDArray[np.uint8]
    errors: npt.NDArray[np.uint8]
    faults: list[Fault] = field(default_factory=list)

    def table(self, *, probabilities: bool) -> pa.RecordBatch:
        """The rows as an Arrow record batch with the columns of CONTRACT."""
        return record_batch(
            paths=self.paths,
            start=self.start,
            labels=self.labels,
            predictions=self.predictions,
            millionths=self.millionths,
            statuses=self.statuses,
            errors=self.errors,
            probabilities=probabilities,
        )


def classify(chunk: Chunk, classifier: OnnxClassifier, settings: Settings) -> Predictions:
    """Classify one chunk; depends on nothing but its arguments and the files they name.

    Raises:
        DamagedIdxError: the chunk is a piece of a damaged IDX file.
    """
    count = len(chunk.labels)
    millionths = np.zeros((count, CLASSES), np.int32) if chunk.known is None else chunk.known.copy()
    todo = np.arange(count) if chunk.known is None else np.flatnonzero(chunk.known[:, 0] < 0)
    errors = np.zeros(count, np.uint8)
    faults: list[Fault] = []
    if todo.size or (isinstance(chunk, IdxSlice) and chunk.damage):
        images, errors[todo], faults = load(chunk, todo, settings)
        probabilities = classifier.predict_proba(images)
        finite = np.logical_and.reduce(np.isfinite(probabilities), axis=1)
        errors[todo[~finite & (errors[todo] == 0)]] = _code("non_finite")
        millionths[todo] = to_millionths(np.where(finite[:, None], probabilities, 0))
    predictions = np.argmax(millionths, axis=1).astype(np.int8)
    confidence = millionths[np.arange(count), predictions]
    statuses = np.where(confidence < settings.min_confidence, _LOW, _OK).astype(np.uint8)
    failed = errors != 0
    statuses[failed], predictions[failed] = _ERROR, UNKNOWN
    paths, start = _names(chunk)
    return Predictions(paths, start, chunk.labels, predictions, millionths, statuses, errors, faults)


def damaged_row(path: str, detail: str) -> Predictions:
    """The one row that stands for a damaged IDX file."""
    shown = escape_path(path)
    return Predictions(
        paths=strings([shown.encode()]),
        start=None,
        labels=np.full(1, UNKNOWN, np.int8),
        predictions=np.full(1, UNKNOWN, np.int8),
        millionths=np.zeros((1, CLASSES), np.int32),
        statuses=np.full(1, _ERROR, np.uint8),
        errors=np.full(1, _code("damaged_idx"), np.uint8),
        faults=[(shown, "damaged_idx", detail)],
    )


def load(chunk: Chunk, rows: npt.NDArray[np.int64], settings: Settings) -> Loaded:
    """Read some of a chunk's images.

    Args:
        chunk: the chunk.
        rows: `(m,)` which of its images.
        settings: how to bring them to 28×28.

    Returns:
        Images `(m, 28, 28)` uint8, errors `(m,)` uint8, and faults for the log.

    Raises:
        DamagedIdxError: the chunk is a piece of a damaged IDX file.
    """
    pictures = chunk.read() if isinstance(chunk, IdxSlice) else None
    if pictures is not None and pictures.shape[1:] == _SHAPE:
        return pictures[rows], np.zeros(len(rows), np.uint8), []
    images = np.zeros((len(rows), *_SHAPE), np.uint8)
    errors = np.zeros(len(rows), np.uint8)
    faults = []
    for number, row in enumerate(rows.tolist()):
        try:
            picture = _picture(chunk, row) if pictures is None else Picture(pictures[row], one_channel=True)
            images[number] = _fit(picture, settings)
        except ImageFault as fault:
            errors[number] = _code(fault.code)
            faults.append((_name(chunk, row), fault.code, fault.detail))
    return images, errors, faults


def _picture(chunk: Chunk, row: int) -> Picture:
    assert isinstance(chunk, Files)
    if row in chunk.faults:
        raise ImageFault(*chunk.faults[row])
    return decode(read_file(chunk.paths[row]))


def _name(chunk: Chunk, row: int) -> str:
    if isinstance(chunk, Files):
        return escape_path(chunk.paths[row])
    return f"{escape_path(chunk.source.path)}[{chunk.start + row}]"


def _fit(picture: Picture, settings: Settings) -> npt.NDArray[np.uint8]:
    grey = picture.grey
    if settings.fit == "never":
        if grey.shape != _SHAPE or not picture.one_channel:
            height, width = grey.shape
            channels = "one channel of 8 bits" if picture.one_channel else "several channels, 16 bits or a rotation"
            raise ImageFault(
                "wrong_shape",
                f"{width}×{height} pixels, {channels}; expected 28×28, one channel of 8 bits (or --fit auto)",
            )
        return grey
    image = normalize(grey)
    if image is None:
        raise ImageFault("no_digit", "nothing stands out of the background")
    return image


def _names(chunk: Chunk) -> tuple[pa.Array, int | None]:
    if isinstance(chunk, Files):
        return strings([escape_path(path).encode() for path in chunk.paths]), None
    return repeated(escape_path(chunk.source.path).encode(), len(chunk.labels)), chunk.start


def _code(name: str) -> int:
    return ERROR_CODES.index(name) + 1
