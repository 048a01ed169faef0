"""The work on one chunk for those who learn from pictures: load the labelled images, without classifying them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from batch_infer.classifier import BUNDLED_MODEL, OnnxClassifier, read_model
from batch_infer.contract import IMAGE_SIZE, UNKNOWN
from batch_infer.inference.classify import Settings
from batch_infer.inference.load import load
from batch_infer.inference.orientation import find_orientation
from batch_infer.inference.position import Position
from batch_infer.inference.task import ChunkResult, ChunkTask, ModelInfo
from batch_infer.inputs.chunks import ArrayChunk, Chunk
from batch_infer.outputs.formats import Csv

# What a result's `encoded` holds of each row: its label (-1 where unknown), its error as in `Loaded`, and its image.
_ROW: Final = np.dtype([("label", np.int8), ("error", np.uint8), ("image", np.uint8, (IMAGE_SIZE, IMAGE_SIZE))])


@dataclass(frozen=True)
class LoadTask(ChunkTask):
    """What a worker is to do; its results hold images instead of rows of an output."""

    @classmethod
    def make(cls) -> "LoadTask":
        """Make the task; the bundled model only finds the orientation of files of many images."""
        return cls(BUNDLED_MODEL, read_model(BUNDLED_MODEL), Settings(), Csv(probabilities=False))

    def open(self, position: Position | None = None) -> tuple[ModelInfo, Callable[[Chunk], ChunkResult]]:
        """Open the model → its ModelInfo, and the function that loads a chunk."""
        classifier, info = self._open_model()
        return info, lambda chunk: self._load(chunk, classifier, position)

    def _load(self, chunk: Chunk, classifier: OnnxClassifier, position: Position | None) -> ChunkResult:
        if isinstance(chunk, ArrayChunk) and chunk.is_sample:
            return ChunkResult(orientation=find_orientation(chunk, classifier, self.settings.fit))
        wanted = chunk.labels != UNKNOWN
        wanted[list(chunk.errors)] = True  # to be named, with a label or without
        rows = np.flatnonzero(wanted)
        loaded = load(chunk, rows, self.settings.fit, position)
        records = np.empty(len(rows), _ROW)
        records["label"], records["error"], records["image"] = chunk.labels[rows], loaded.error_numbers, loaded.images
        return ChunkResult(records.tobytes(), errors=loaded.errors, keys=chunk.keys)


def decode_rows(encoded: bytes) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int8], npt.NDArray[np.bool_]]:
    """Take a result apart → images `(n, 28, 28)`, labels `(n,)`, and which of them are usable `(n,)`."""
    records = np.frombuffer(encoded, _ROW)
    return records["image"], records["label"], records["error"] == 0
