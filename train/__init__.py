"""Train softmax regression on handwritten digits with PyTorch.

    from train import SoftmaxRegression, load_run, predict_image

Importing the package loads no torch: each name is imported when it is first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from train.model.softmax import SoftmaxRegression, predict_image
    from train.run_folder import load_run

__all__ = ["SoftmaxRegression", "load_run", "predict_image"]

_MODULE_OF = {
    "SoftmaxRegression": "train.model.softmax",
    "predict_image": "train.model.softmax",
    "load_run": "train.run_folder",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)
