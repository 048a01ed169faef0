"""The pure function at the heart: a chunk of inputs → its predictions, as columns."""

from dataclasses import dataclass

import numpy as np

from batch_infer.classifier import OnnxClassifier
from batch_infer.contract import CLASSES, ERROR, LOW_CONFIDENCE, OK, STATUSES, UNKNOWN
from batch_infer.inference.load import load
from batch_infer.inputs.chunks import Chunk, Files, IdxSlice
from batch_infer.paths import escape_path, escape_paths
from batch_infer.predictions import Fault, Predictions, fault_code, to_millionths

_OK, _LOW, _ERROR = (STATUSES.index(status) for status in (OK, LOW_CONFIDENCE, ERROR))


@dataclass(frozen=True)
class Settings:
    """What a user may choose about classifying.

    Attributes:
        fit: `auto` brings other shapes to 28×28; `never` refuses them.
        min_confidence: in millionths; rows below get the status `low_confidence`.
        probabilities: whether the output has `prob_0 … prob_9`.
    """

    fit: str = "auto"
    min_confidence: int = 0
    probabilities: bool = False


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
        images, errors[todo], faults = load(chunk, todo, settings.fit)
        probabilities = classifier.predict_proba(images)
        if not np.isfinite(probabilities.sum()):
            finite = np.isfinite(probabilities).all(axis=1)
            errors[todo[~finite & (errors[todo] == 0)]] = fault_code("non_finite")
            probabilities[~finite] = 0
        millionths[todo] = to_millionths(probabilities)
    predictions = np.argmax(millionths, axis=1).astype(np.int8)
    confidence = millionths[np.arange(count), predictions]
    statuses = np.where(confidence < settings.min_confidence, _LOW, _OK).astype(np.uint8)
    failed = errors != 0
    statuses[failed], predictions[failed] = _ERROR, UNKNOWN
    if isinstance(chunk, Files):
        paths: list[str] | str = escape_paths(chunk.paths)
        start = None
    else:
        paths, start = escape_path(chunk.source.path), chunk.start
    return Predictions(paths, start, chunk.labels, predictions, millionths, statuses, errors, faults)


def damaged_row(path: str, detail: str) -> Predictions:
    """The one row that stands for a damaged IDX file."""
    shown = escape_path(path)
    return Predictions(
        paths=[shown],
        start=None,
        labels=np.full(1, UNKNOWN, np.int8),
        predictions=np.full(1, UNKNOWN, np.int8),
        millionths=np.zeros((1, CLASSES), np.int32),
        statuses=np.full(1, _ERROR, np.uint8),
        errors=np.full(1, fault_code("damaged_idx"), np.uint8),
        faults=[(shown, "damaged_idx", detail)],
    )
