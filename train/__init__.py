"""Train softmax regression on handwritten digits with PyTorch.

    from train import SoftmaxRegression, load_run, predict_image

Importing the package loads no torch: each name is imported when it is first used.
"""

TYPE_CHECKING = False  # typing takes milliseconds in which Ctrl-C cannot be answered yet (start.py)
if TYPE_CHECKING:
    from typing import Any

    from train.model import SoftmaxRegression, predict_image
    from train.run import load_run

__all__ = ["SoftmaxRegression", "load_run", "predict_image"]

_HOME = {"SoftmaxRegression": "train.model", "predict_image": "train.model", "load_run": "train.run"}


def __getattr__(name: str) -> "Any":
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)
