"""Train softmax regression on handwritten digits with PyTorch.

    from train import SoftmaxRegression, load_run, predict_image

Importing the package loads no torch: each name is imported when it is first used.
"""

TYPE_CHECKING = False  # importing typing takes milliseconds in which Ctrl-C is not handled yet (start.py)
if TYPE_CHECKING:
    from typing import Any

    from train.model.softmax import SoftmaxRegression, predict_image
    from train.run_folder import load_run

__all__ = ["SoftmaxRegression", "load_run", "predict_image"]

_MODULE_OF = {
    "SoftmaxRegression": "train.model.softmax",
    "predict_image": "train.model.softmax",
    "load_run": "train.run_folder",
}


def __getattr__(name: str) -> "Any":
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_MODULE_OF[name]), name)
