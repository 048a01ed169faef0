"""The work on one chunk: classify it, encode its rows, count them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from batch_infer.classifier import OnnxClassifier
from batch_infer.contract import ERROR_CODES, UNKNOWN
from batch_infer.inference.classify import Settings, classify
from batch_infer.inference.folders import folders_of
from batch_infer.inference.orientation import Orientation, find_orientation
from batch_infer.inference.pictures import Pictures
from batch_infer.inference.position import Position
from batch_infer.inputs.chunks import ArrayChunk, Chunk, StateKey
from batch_infer.outputs.formats import Format
from batch_infer.predictions import Predictions
from batch_infer.reports.metrics import Tally, tally
from batch_infer.reports.samples import Choice, Chooser, Sample, shows_original
from batch_infer.runtime import import_onnxruntime


@dataclass(frozen=True)
class ChunkResult:
    """The result of a chunk.

    Attributes:
        encoded: its rows, in the output's format.
        tally: its counts.
        mistakes: its misclassified rows as an Arrow message (outputs.arrow.MISTAKES_SCHEMA); empty if there are none.
        errors: `(path, code, detail)` of its rows with an error.
        probabilities_ppm: `(n, 10)` int32, -1 in rows with an error; None unless the task keeps them.
        keys: those of the chunk; --incremental stores these probabilities under them.
        folders: of --sort-into, one byte per row (see folders_of); empty unless the task is to find them.
        orientation: of the file, if the chunk was a sample of it; all else is then empty.
        samples: rows that the report may show.
        first_row: the number of its first row in the predictions.
    """

    encoded: bytes = b""
    tally: Tally = field(default_factory=Tally)
    mistakes: bytes = b""
    errors: list[tuple[str, str, str]] = field(default_factory=list)
    probabilities_ppm: npt.NDArray[np.int32] | None = None
    keys: tuple[StateKey | None, ...] = ()
    orientation: Orientation | None = None
    folders: bytes = b""
    samples: list[Sample] = field(default_factory=list)
    first_row: int = 0


@dataclass(frozen=True)
class ModelInfo:
    """The model that a worker opened, and the version of ONNX Runtime."""

    path: str
    sha256: str
    metadata: dict[str, Any]
    onnxruntime: str


@dataclass(frozen=True)
class ChunkTask:
    """What a worker is to do; it is sent to the worker, which opens the model there.

    Attributes:
        model: the model's path, for messages.
        model_bytes: the model's content, read once by the job.
        settings: how to classify.
        format: how to encode the rows.
        keep_probabilities: whether to send the probabilities back, for the state of --incremental.
        find_folders: whether to find the folders of --sort-into.
        choose_samples: whether to send rows for the report back.
        pictures: whether to send pictures with them.
    """

    model: Path
    model_bytes: bytes
    settings: Settings
    format: Format
    keep_probabilities: bool = False
    find_folders: bool = False
    choose_samples: bool = False
    pictures: bool = False

    def open(self, position: Position | None = None) -> tuple[ModelInfo, Callable[[Chunk], ChunkResult]]:
        """Open the model → its ModelInfo, and the function that processes a chunk.

        Args:
            position: where to note which image is being processed.

        Raises:
            ModelError: the model is refused.
        """
        classifier, info = self._open_model()
        chooser = Chooser() if self.choose_samples else None
        return info, lambda chunk: self._work(chunk, classifier, position, chooser)

    def _open_model(self) -> tuple[OnnxClassifier, ModelInfo]:
        classifier = OnnxClassifier(self.model, model_bytes=self.model_bytes)
        return classifier, ModelInfo(
            str(self.model), classifier.sha256, classifier.metadata, import_onnxruntime().__version__
        )

    def _work(
        self, chunk: Chunk, classifier: OnnxClassifier, position: Position | None, chooser: Chooser | None
    ) -> ChunkResult:
        if isinstance(chunk, ArrayChunk) and chunk.is_sample:
            return ChunkResult(orientation=find_orientation(chunk, classifier, self.settings.fit))
        pictures = Pictures(chunk.kept_pictures) if self.pictures else None
        rows = classify(chunk, classifier, self.settings, position, pictures)
        counts = tally(
            labels=rows.labels,
            predictions=rows.predictions,
            probabilities_ppm=rows.probabilities_ppm,
            statuses=rows.statuses,
            error_numbers=rows.error_numbers,
        )
        kept = None
        if self.keep_probabilities:
            kept = np.where(rows.error_numbers[:, None] != 0, np.int32(-1), rows.probabilities_ppm)
        folders = folders_of(rows) if self.find_folders else b""
        chosen = {} if chooser is None else chooser.choose(rows, chunk.first_row)
        return ChunkResult(
            self.format.encode(rows),
            counts,
            _mistakes(rows),
            rows.errors,
            kept,
            chunk.keys,
            folders=folders,
            samples=[_sample(rows, row, choice, pictures, chunk.first_row) for row, choice in chosen.items()],
            first_row=chunk.first_row,
        )


def _sample(rows: Predictions, row: int, choice: Choice, pictures: Pictures | None, first_row: int) -> Sample:
    """Gather what the report shows of one row."""
    index = None
    if rows.start is not None:
        index = rows.start + row
    elif rows.pages is not None and rows.pages[row] >= 0:
        index = int(rows.pages[row])
    error = int(rows.error_numbers[row])
    return Sample(
        first_row + row,
        rows.paths if isinstance(rows.paths, str) else rows.paths[row],
        index,
        int(rows.labels[row]),
        int(rows.predictions[row]),
        tuple(rows.probabilities_ppm[row].tolist()),
        ERROR_CODES[error - 1] if error else "",
        choice,
        pictures.original(row) if pictures is not None and shows_original(choice) else None,
        pictures.seen(row) if pictures is not None and not error else None,
    )


def _mistakes(rows: Predictions) -> bytes:
    wrong = np.flatnonzero((rows.labels != UNKNOWN) & (rows.predictions != UNKNOWN) & (rows.labels != rows.predictions))
    if not wrong.size:
        return b""
    from batch_infer.outputs.arrow import MISTAKES_SCHEMA, record_batch, take

    columns = record_batch(rows, probabilities=False).select(MISTAKES_SCHEMA.names)
    return take(columns, wrong).serialize().to_pybytes()
