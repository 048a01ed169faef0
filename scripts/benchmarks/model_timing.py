"""Time the models alone, on one thread: our ONNX files, a naive export, and PyTorch in eager mode."""

import io
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from benchmark_data import MNIST
from harness import Weights
from naive_strokes import NaiveStrokes

from batch_infer.classifier import OnnxClassifier
from batch_infer.contract import MODEL_BATCH
from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.runtime import import_onnxruntime
from train.model.softmax import SoftmaxRegression


def time_models(weights: dict[str, Weights], repeats: int) -> dict[str, float]:
    """µs per image, the minimum of `repeats` interleaved rounds; all must predict the same digits."""
    torch.set_num_threads(1)
    images = IdxImages(str(MNIST / "t10k-images-idx3-ubyte.gz")).read_all()
    eager = _eager(weights["strokes"])
    plain = torch.nn.Sequential(NaiveStrokes(), eager.linear, torch.nn.Softmax(1)).eval()
    candidates: dict[str, Callable[[npt.NDArray[np.uint8]], Any]] = {
        "pixels": OnnxClassifier(weights["pixels"].onnx).predict_proba,
        "strokes": OnnxClassifier(weights["strokes"].onnx).predict_proba,
        "plain": _plain_session(plain),
        "plain eager": lambda batch: plain(torch.from_numpy(batch)).numpy(),
        "eager": lambda batch: eager(torch.from_numpy(batch)).softmax(1).numpy(),
    }
    batches = [images[start : start + MODEL_BATCH] for start in range(0, len(images) - MODEL_BATCH + 1, MODEL_BATCH)]
    fastest = dict.fromkeys(candidates, float("inf"))
    found = {}
    with torch.inference_mode():
        for _ in range(repeats):
            for name, score in candidates.items():
                started = time.perf_counter()
                results = [score(batch) for batch in batches]
                seconds = time.perf_counter() - started
                fastest[name] = min(fastest[name], seconds / len(batches) / MODEL_BATCH * 1e6)
                found[name] = np.concatenate(results).argmax(1)
    for name in ("plain", "plain eager", "eager"):
        if (found[name] != found["strokes"]).any():
            raise SystemExit(f"{name} gives other predictions than the exported model")
    return fastest


def _eager(weights: Weights) -> SoftmaxRegression:
    model = SoftmaxRegression("strokes")
    model.load_state_dict(torch.load(weights.pth, weights_only=True))
    return model.eval()


def _plain_session(plain: torch.nn.Module) -> Callable[[npt.NDArray[np.uint8]], Any]:
    """Export the same weights behind the naive features, with the exporter's defaults."""
    ort = import_onnxruntime()
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            plain,
            (torch.zeros(2, 28, 28, dtype=torch.uint8),),
            dynamo=True,
            input_names=["images"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    assert program is not None
    buffer.write(program.model_proto.SerializeToString())
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(buffer.getvalue(), options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(["probabilities"], {"images": batch})[0]
