"""Train softmax regression on handwritten digits with PyTorch.

    from train import SoftmaxRegression, load_run, predict_image

Importing the package loads no torch: each name is imported when it is first used.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

_BESIDE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# The batch_infer that lies beside this package is meant, whatever lies in the working folder. (export finds train by
# the same lines: before its neighbour is found, a package has nothing of ours to call.)
sys.path.insert(0, _BESIDE)
try:
    import batch_infer
finally:
    sys.path.remove(_BESIDE)

if os.path.dirname(os.path.dirname(os.path.abspath(batch_infer.__file__ or ""))) != _BESIDE:
    raise ImportError(
        f"batch_infer is {batch_infer.__file__}, which was imported before, and not the package of mnist-logistic; "
        "rename that file or folder"
    )

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
