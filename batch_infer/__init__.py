"""Classify folders and IDX files of digit images with an ONNX model; no torch needed.

    from batch_infer import OnnxClassifier, normalize, run_job

Importing the package loads no libraries: each name is imported when it is first used.
"""

from batch_infer._version import __version__

TYPE_CHECKING = False  # typing would take several times as long to import as the package itself
if TYPE_CHECKING:
    from typing import Any

    from batch_infer.classifier import OnnxClassifier
    from batch_infer.job.run import run_job
    from batch_infer.normalization.pipeline import normalize

__all__ = ["OnnxClassifier", "__version__", "normalize", "run_job"]

_HOME = {
    "OnnxClassifier": "batch_infer.classifier",
    "normalize": "batch_infer.normalization.pipeline",
    "run_job": "batch_infer.job.run",
}


def __getattr__(name: str) -> "Any":
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    from batch_infer.entry import UNSUPPORTED, supported

    if not supported():
        raise ImportError(f"batch_infer {UNSUPPORTED}")

    return getattr(importlib.import_module(_HOME[name]), name)
