"""The pure function at the heart: a chunk of inputs → its predictions, as columns."""

from dataclasses import dataclass

import numpy as np

from batch_infer.classifier import OnnxClassifier
from batch_infer.contract import CLASSES, DOUBTFUL_PPM, ERROR, LOW_CONFIDENCE, OK, STATUSES, UNKNOWN
from batch_infer.inference.load import load
from batch_infer.inference.pictures import Pictures
from batch_infer.inference.position import Position
from batch_infer.inputs.chunks import Chunk, FileChunk, image_name
from batch_infer.paths import escape_path, escape_paths
from batch_infer.predictions import NOT_PROBABILITIES, Predictions, RowError, capped, error_number, quantize, valid_rows

_OK, _LOW, _ERROR = (STATUSES.index(status) for status in (OK, LOW_CONFIDENCE, ERROR))


@dataclass(frozen=True)
class Settings:
    """How to classify, as far as the user chooses.

    Attributes:
        fit: `auto` brings every picture to MNIST's format; `never` takes 28×28 ones as they are, refuses others.
        min_confidence: in ppm; rows below get the status `low_confidence`.
    """

    fit: str = "auto"
    min_confidence: int = 0


def classify(
    chunk: Chunk,
    classifier: OnnxClassifier,
    settings: Settings,
    position: Position | None = None,
    pictures: Pictures | None = None,
) -> Predictions:
    """Classify one chunk; depends only on its arguments and the files that they name.

    Args:
        chunk: the chunk.
        classifier: the model.
        settings: how to classify.
        position: where to note which image is being read, decoded or normalized.
        pictures: where to keep what the images look like, for the report.

    Raises:
        InputLostError: the file of many images was changed during the run, or cannot be read any more.
    """
    count = len(chunk.labels)
    ppm = np.zeros((count, CLASSES), np.int32) if chunk.cached_ppm is None else chunk.cached_ppm.copy()
    todo = np.arange(count) if chunk.cached_ppm is None else np.flatnonzero(chunk.cached_ppm[:, 0] < 0)
    numbers = np.zeros(count, np.uint8)
    row_errors: list[RowError] = []
    if todo.size:
        loaded = load(chunk, todo, settings.fit, position, originals=pictures is not None)
        images, numbers[todo], doubtful, row_errors = loaded[:4]
        if pictures is not None:
            pictures.add(todo, images, loaded.originals)
        probabilities = classifier.predict_proba(images)
        valid = valid_rows(probabilities)
        if not valid.all():
            wrong = todo[~valid & (numbers[todo] == 0)]
            numbers[wrong] = error_number("non_finite")
            row_errors = row_errors + [(image_name(chunk, int(row)), "non_finite", NOT_PROBABILITIES) for row in wrong]
            probabilities[~valid] = 0
        ppm[todo] = quantize(probabilities)
        if doubtful.any():
            ppm[todo[doubtful]] = capped(ppm[todo[doubtful]], DOUBTFUL_PPM)
    predictions = np.argmax(ppm, axis=1).astype(np.int8)
    confidence = ppm[np.arange(count), predictions]
    statuses = np.where(confidence < settings.min_confidence, _LOW, _OK).astype(np.uint8)
    failed = numbers != 0
    statuses[failed], predictions[failed] = _ERROR, UNKNOWN
    if isinstance(chunk, FileChunk):
        paths: list[str] | str = escape_paths(chunk.paths)
        start, pages = None, chunk.pages
    else:
        paths, start, pages = escape_path(chunk.source.path), chunk.start, None
    return Predictions(paths, start, chunk.labels, predictions, ppm, statuses, numbers, row_errors, pages)
