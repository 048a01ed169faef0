"""OnnxClassifier: opens and checks an exported model, and runs it on arrays of images."""

import hashlib
import os
import threading
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from batch_infer.classifier.metadata import read_metadata
from batch_infer.classifier.model_file import BUNDLED_MODEL, read_model
from batch_infer.classifier.model_graph import check_graph
from batch_infer.classifier.output_checks import check_outputs
from batch_infer.classifier.protection import SECONDS, limited_memory, limited_time
from batch_infer.contract import (
    CLASSES,
    IMAGE_SIZE,
    INPUT_NAME,
    LOGITS_NAME,
    MODEL_BATCH,
    PROBABILITIES_NAME,
)
from batch_infer.errors import ModelError
from batch_infer.given import describe_given
from batch_infer.paths import show_path
from batch_infer.predictions import quantize
from batch_infer.runtime import import_onnxruntime

_SHAPES: Final = {
    INPUT_NAME: ("tensor(uint8)", [IMAGE_SIZE, IMAGE_SIZE]),
    LOGITS_NAME: ("tensor(float)", [CLASSES]),
    PROBABILITIES_NAME: ("tensor(float)", [CLASSES]),
}
_EXPORT: Final = "make one with: python -m export onnx"
_opening = threading.Lock()  # opening changes what all threads share: the limit on memory, and standard error


class OnnxClassifier:
    """An exported model, checked, with one ONNX Runtime session of one thread.

    Attributes:
        path: where the model was read from.
        name: the path, escaped for messages.
        sha256: SHA-256 of the file, in hexadecimal.
        metadata: what the exporter wrote: JSON values by key.

    Raises:
        ModelError: the file cannot be read, or is not a model that follows the contract.
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
            model_bytes: content of the file, if it was already read; `path` is then only its name.
            optimize: let ONNX Runtime rewrite the graph (switched off only to prove that it makes no difference).
        """
        self.path = Path(BUNDLED_MODEL if path is None else path)
        self.name = show_path(str(self.path))
        data = read_model(self.path) if model_bytes is None else model_bytes
        self.sha256 = hashlib.sha256(data).hexdigest()
        properties = check_graph(data, self.name)
        with _opening:
            self._open_and_check(data, properties, optimize)

    def logits(self, images: npt.NDArray[np.uint8], *, batch: int = MODEL_BATCH) -> npt.NDArray[np.float32]:
        """Compute the logits `(N, 10)` float32 of images `(N, 28, 28)` uint8, light ink on dark."""
        return self._collect(LOGITS_NAME, images, batch)

    def predict_proba(self, images: npt.NDArray[np.uint8], *, batch: int = MODEL_BATCH) -> npt.NDArray[np.float32]:
        """Compute the class probabilities of images.

        Args:
            images: `(N, 28, 28)` uint8, light ink on dark; a single `(28, 28)` image is accepted, too.
            batch: rows per call of the model; the last call is padded to this many.

        Returns:
            `(N, 10)` float32, rows sum to 1.

        Raises:
            ValueError: no array, or wrong shape or dtype.
        """
        return self._collect(PROBABILITIES_NAME, images, batch)

    def predict(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """Classify images `(N, 28, 28)` uint8 → `(N,)` int64, 0–9; ties go to the lowest class.

        Raises:
            ValueError: no array, or wrong shape or dtype.
        """
        return np.argmax(quantize(self.predict_proba(images)), axis=1)

    def _collect(self, output: str, images: npt.NDArray[np.uint8], batch: int) -> npt.NDArray[np.float32]:
        if not isinstance(images, np.ndarray):
            # Not a TypeError: all that does not fit is a ValueError.
            raise ValueError(  # noqa: TRY004
                f"expected images (N, 28, 28) uint8 as a NumPy array, got {describe_given(images)}"
            )
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
            (result,) = self._run([output], padded)
            results[start : start + batch] = result[: len(rows)]
        return results

    def _run(self, outputs: list[str], images: npt.NDArray[np.uint8], options: Any = None) -> list[Any]:
        """Call the model once.

        Raises:
            ModelError: it fails, or its outputs differ from what it declares: sizes are known only now.
        """
        try:
            results: list[Any] = self._session.run(outputs, {INPUT_NAME: images}, options)
        except MemoryError:
            raise
        except Exception as error:  # ONNX Runtime's exceptions have no common base but Exception
            raise ModelError(f"{self.name}: ONNX Runtime fails to run it: {_reason(error)}; {_EXPORT}") from error
        for output, result in zip(outputs, results, strict=True):
            if (result.shape, result.dtype) != ((len(images), CLASSES), np.float32):
                raise ModelError(
                    f"{self.name}: its {output} are {result.shape} {result.dtype}; "
                    f"expected ({len(images)}, {CLASSES}) float32; {_EXPORT}"
                )
        return results

    def _try(self, images: npt.NDArray[np.uint8], limit: Any) -> tuple[Any, Any]:
        """Compute logits and probabilities of one batch, under a limit."""
        try:
            logits, probabilities = self._run([LOGITS_NAME, PROBABILITIES_NAME], images, limit)
        except ModelError as error:
            if limit.terminate:
                raise ModelError(f"{self.name}: it takes more than {SECONDS} s for one batch; {_EXPORT}") from error
            raise
        return logits, probabilities

    def _open_and_check(self, data: bytes, properties: dict[str, str], optimize: bool) -> None:
        ort = import_onnxruntime()
        limit = ort.RunOptions()
        try:
            with limited_memory(), limited_time(limit):
                self._session = self._open(ort, data, optimize)
                self._check_signature()
                self.metadata, known = read_metadata(properties, self.name)
                check_outputs(lambda images: self._try(images, limit), known, self.name)
        except ModelError:
            raise
        except Exception as error:  # a hostile file can raise anything; ONNX Runtime's exceptions have no common base
            raise ModelError(f"{self.name}: ONNX Runtime refuses it: {_reason(error)}; {_EXPORT}") from error

    @staticmethod
    def _open(ort: Any, data: bytes, optimize: bool) -> Any:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        levels = ort.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimize else levels.ORT_DISABLE_ALL
        # Otherwise ONNX Runtime would also try its own format on bytes that were checked as ONNX.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        # A hostile model may name files as its weights: make it look for them where no file can be.
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", os.devnull)
        return ort.InferenceSession(
            data,
            options,
            providers=["CPUExecutionProvider"],
            # No constant folding while it opens: it could take any time and cannot be stopped. The exporter has already
            # folded constants.
            disabled_optimizers=["ConstantFolding"],
            enable_fallback=0,  # it would print to standard output and retry the same thing
        )

    def _check_signature(self) -> None:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        found = {
            node.name: (node.type, node.shape[1:], bool(node.shape) and not isinstance(node.shape[0], int))
            for node in (*inputs, *outputs)
        }
        expected = {name: (kind, shape, True) for name, (kind, shape) in _SHAPES.items()}
        if found != expected or [node.name for node in inputs] != [INPUT_NAME]:
            shown = " and ".join(
                f"{kind} {', '.join(_describe_value(node) for node in nodes)[:200]}"
                for kind, nodes in (("input", inputs), ("output", outputs))
            )
            raise ModelError(
                f"{self.name}: expected input images uint8 [batch, 28, 28] and outputs logits and probabilities "
                f"float32 [batch, 10]; it has {shown}; {_EXPORT} (of weights of your own: --weights FILE)"
            )


def _describe_value(node: Any) -> str:
    """Name, data type and shape of an input or output, as a person writes them."""
    kind = node.type.removeprefix("tensor(").removesuffix(")")
    kind = {"float": "float32", "double": "float64"}.get(kind, kind)
    return f"{node.name} {kind} [{', '.join(str(axis or '?') for axis in node.shape)}]"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
