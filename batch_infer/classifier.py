"""OnnxClassifier: opens and checks an exported model, and runs it on arrays of images."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import (
    CLASSES,
    IMAGE_SIZE,
    INPUT_NAME,
    LOGITS_NAME,
    MODEL_BATCH,
    PROBABILITIES_NAME,
    SCHEMA_VERSION,
)
from batch_infer.errors import ModelError
from batch_infer.paths import escape_path
from batch_infer.predictions import quantize
from batch_infer.runtime import import_onnxruntime
from batch_infer.self_test import self_test_images

BUNDLED_MODEL: Final = Path(__file__).parent / "model" / "mnist-logistic.onnx"
_MAX_MODEL_BYTES: Final = 64 << 20
_SHAPES: Final = {
    INPUT_NAME: ("tensor(uint8)", [IMAGE_SIZE, IMAGE_SIZE]),
    LOGITS_NAME: ("tensor(float)", [CLASSES]),
    PROBABILITIES_NAME: ("tensor(float)", [CLASSES]),
}
# The self-test was scored by torch at export and is scored by ONNX Runtime here: the parity gate's tolerance, ten times
# as wide because this may be another CPU type.
_SELF_TEST_TOLERANCE: Final = 1e-4


class OnnxClassifier:
    """An exported model, checked, with one ONNX Runtime session of one thread.

    Attributes:
        path: where the model was read from.
        name: the same, as messages have it.
        sha256: of the file's bytes, in hexadecimal.
        metadata: what the exporter wrote: JSON values by key.

    Raises:
        ModelError: the file cannot be read, or is no model as the contract has it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        model_bytes: bytes | None = None,
        optimize: bool = True,
    ) -> None:
        """Open a model.

        Args:
            path: an ONNX file that `python -m export onnx` wrote; None for the bundled model.
            model_bytes: the file's content, if it was read already; `path` then only names it.
            optimize: let ONNX Runtime rewrite the graph (off only to prove that it makes no difference).
        """
        self.path = Path(BUNDLED_MODEL if path is None else path)
        self.name = escape_path(str(self.path))
        data = read_model(self.path) if model_bytes is None else model_bytes
        self.sha256 = hashlib.sha256(data).hexdigest()
        self._session = self._open(data, optimize)
        self._check_signature()
        self.metadata = self._read_metadata()
        self._run_self_test()

    def logits(self, images: npt.NDArray[np.uint8], *, batch: int = MODEL_BATCH) -> npt.NDArray[np.float32]:
        """Compute the logits `(N, 10)` float32 of images `(N, 28, 28)` uint8, light ink on dark."""
        return self._run(LOGITS_NAME, images, batch)

    def predict_proba(self, images: npt.NDArray[np.uint8], *, batch: int = MODEL_BATCH) -> npt.NDArray[np.float32]:
        """Compute the class probabilities of images.

        Args:
            images: `(N, 28, 28)` uint8, light ink on dark; a single `(28, 28)` image will do.
            batch: rows in one call of the model; the last call is padded to it.

        Returns:
            `(N, 10)` float32, rows sum to 1.

        Raises:
            ValueError: another shape or dtype.
        """
        return self._run(PROBABILITIES_NAME, images, batch)

    def predict(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """Classify images `(N, 28, 28)` uint8 → `(N,)` int64, 0–9; ties go to the lowest class."""
        return np.argmax(quantize(self.predict_proba(images)), axis=1)

    def _run(self, output: str, images: npt.NDArray[np.uint8], batch: int) -> npt.NDArray[np.float32]:
        if images.ndim == 2:
            images = images[None]
        if images.dtype != np.uint8 or images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
            raise ValueError(f"expected images (N, 28, 28) uint8, got {images.shape} {images.dtype}")
        results = np.empty((len(images), CLASSES), np.float32)
        for start in range(0, len(images), batch):
            rows = images[start : start + batch]
            padded = rows
            if len(rows) < batch:
                padded = np.zeros((batch, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
                padded[: len(rows)] = rows
            (result,) = self._session.run([output], {INPUT_NAME: padded})
            results[start : start + batch] = result[: len(rows)]
        return results

    def _open(self, data: bytes, optimize: bool) -> Any:
        ort = import_onnxruntime()
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        levels = ort.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimize else levels.ORT_DISABLE_ALL
        # A hostile model may name files as its weights: let it look for them where no file can be.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
        try:
            return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions have no common base but Exception
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"{self.name}: ONNX Runtime refuses it: {reason}") from error

    def _check_signature(self) -> None:
        found = {
            node.name: (node.type, node.shape[1:], isinstance(node.shape[0], int))
            for node in (*self._session.get_inputs(), *self._session.get_outputs())
        }
        expected = {name: (kind, shape, False) for name, (kind, shape) in _SHAPES.items()}
        if found != expected:
            shown = ", ".join(f"{name} {kind} {shape}" for name, (kind, shape, _) in sorted(found.items()))
            raise ModelError(
                f"{self.name}: expected input images uint8 [batch, 28, 28] and outputs logits and probabilities "
                f"float32 [batch, 10]; it has {shown[:300]}; make one with: python -m export onnx"
            )

    def _read_metadata(self) -> dict[str, Any]:
        properties = self._session.get_modelmeta().custom_metadata_map
        try:
            metadata = {key: _json(value) for key, value in properties.items()}
            version, known = metadata["schema_version"], np.asarray(metadata["canary"]["logits"], np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"{self.name}: its metadata lack {error}; make a model with: python -m export onnx"
            ) from error
        if version != SCHEMA_VERSION or known.shape != (len(self_test_images()), CLASSES):
            raise ModelError(
                f"{self.name}: made by another version (schema {version}, expected {SCHEMA_VERSION}); export it again"
            )
        return metadata

    def _run_self_test(self) -> None:
        """Score pictures whose logits are known: all 0, all 255 (so that no weight can hide a NaN), and a digit."""
        found, expected = self.logits(self_test_images()), np.asarray(self.metadata["canary"]["logits"])
        if not np.isfinite(found).all():
            raise ModelError(f"{self.name}: its weights are not all finite; train and export it again")
        slack = _SELF_TEST_TOLERANCE * (1 + np.abs(expected).max(axis=1, keepdims=True))
        if not (np.abs(found - expected) <= slack).all():
            raise ModelError(f"{self.name}: it does not give the known answer in its self-test; export it again")


def read_model(path: Path) -> bytes:
    """Read a model file once, whole.

    Raises:
        ModelError: missing, unreadable, empty, no regular file or beyond 64 MB.
    """
    name = escape_path(str(path))
    try:
        if not path.is_file():
            if path.exists():
                raise ModelError(f"{name}: not a regular file; expected a model from: python -m export onnx")
            raise ModelError(f"{name}: no such model file; make one with: python -m export onnx --out {name}")
        size = path.stat().st_size
        if not 0 < size <= _MAX_MODEL_BYTES:
            raise ModelError(f"{name}: {size:,} bytes; expected a model of 1 byte to {_MAX_MODEL_BYTES >> 20} MB")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{name}: cannot be read: {error.strerror}") from error


def _json(value: str) -> Any:
    """Decode a metadata value; the standard `Image.*` keys are plain words and stay as they are."""
    try:
        return json.loads(value)
    except ValueError:
        return value
