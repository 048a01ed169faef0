"""Conversion of a trained model to one self-contained ONNX file; the same weights give the same bytes."""

import contextlib
import hashlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any, Final

import onnx
import torch
from torch import Tensor, nn

from batch_infer.contract import IMAGE_SIZE, INPUT_NAME, LOGITS_NAME, PROBABILITIES_NAME, SCHEMA_VERSION
from batch_infer.self_test import self_test_images
from train.model.softmax import SoftmaxRegression

OPSETS: Final = (18, 19, 20, 21)  # what the exporter can write and IR version 10 allows
IR_VERSION: Final = 10
# Standard keys that describe the input to Windows ML and others (onnx, MetadataProps.md).
_IMAGE_KEYS: Final = {"Image.BitmapPixelFormat": "Gray8", "Image.NominalPixelRange": "NominalRange_0_255"}


class _Exported(nn.Module):
    """The exported module: logits `(N, 10)` and probabilities `(N, 10)` of images `(N, 28, 28)` uint8.

    The same function as the model's, in fewer steps: the weights are divided instead of all pixels, and ten logits are
    transposed instead of all features, which come as columns, so that two transpositions cancel out.
    """

    def __init__(self, model: SoftmaxRegression) -> None:
        super().__init__()
        self.features = model.features
        self.weight = nn.Parameter(model.linear.weight / model.features.scale)  # (10, F)
        self.bias = nn.Parameter(model.linear.bias.unsqueeze(1))  # (10, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits = torch.addmm(self.bias, self.weight, self.features.unscaled(images).T).T
        return logits, logits.softmax(dim=1)


def to_onnx(model: SoftmaxRegression, *, opset: int) -> onnx.ModelProto:
    """Export the graph, without metadata.

    Args:
        model: on the CPU, in eval mode.
        opset: ONNX opset version, one of OPSETS.
    """
    # The exporter keeps an axis symbolic only if the example is larger than one along it.
    example = torch.zeros((2, IMAGE_SIZE, IMAGE_SIZE), dtype=torch.uint8)
    with _silence_exporter(), torch.inference_mode():
        program = torch.onnx.export(
            _Exported(model).eval(),
            (example,),
            dynamo=True,
            external_data=False,
            opset_version=opset,
            input_names=[INPUT_NAME],
            output_names=[LOGITS_NAME, PROBABILITIES_NAME],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    proto: onnx.ModelProto = program.model_proto
    _remove_provenance(proto)
    return proto


def build_metadata(model: SoftmaxRegression, train: dict[str, Any], parity: dict[str, Any]) -> dict[str, Any]:
    """Build the metadata of the file, by key; all values are JSON-serializable.

    Args:
        model: the PyTorch model.
        train: how it was trained, from config.json and metrics.json.
        parity: results of the parity gate.
    """
    with torch.inference_mode():
        known_answers = model(torch.from_numpy(self_test_images()))
    return {
        "schema_version": SCHEMA_VERSION,
        "classes": list(range(known_answers.shape[1])),
        "recipe": model.recipe,
        "weights_sha256": weights_sha256(model),
        "train": train,
        "parity": parity,
        # For the self-test when the file is opened. Rounded, so that the last bits do not depend on the machine.
        "canary": {"logits": [[round(value, 5) for value in row] for row in known_answers.tolist()]},
    }


def serialize_with_metadata(proto: onnx.ModelProto, metadata: dict[str, Any]) -> bytes:
    """Add metadata to a model, check it, and serialize it to bytes."""
    complete = onnx.ModelProto()
    complete.CopyFrom(proto)
    texts = {key: json.dumps(value, sort_keys=True) for key, value in metadata.items()} | _IMAGE_KEYS
    onnx.helper.set_model_props(complete, dict(sorted(texts.items())))
    onnx.checker.check_model(complete, full_check=True)
    return complete.SerializeToString(deterministic=True)


def weights_sha256(model: SoftmaxRegression) -> str:
    """SHA-256 of all weights, little-endian float32, in the order of the state_dict's names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def _remove_provenance(proto: onnx.ModelProto) -> None:
    """Remove what names files of this machine or differs from one run to the next."""
    proto.ir_version = IR_VERSION
    proto.producer_name, proto.producer_version = "mnist-logistic", ""
    proto.doc_string = ""
    del proto.metadata_props[:]
    del proto.functions[:]
    graph = proto.graph
    graph.name, graph.doc_string = "mnist-logistic", ""
    del graph.value_info[:]
    del graph.metadata_props[:]
    for item in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]


@contextlib.contextmanager
def _silence_exporter() -> Iterator[None]:
    """Suppress the exporter's progress and deprecation messages."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
