"""Export a trained model to ONNX, behind a parity gate.

from export import export_model
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

_BESIDE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# The train that lies beside this package is meant, whatever lies in the working folder; as in train/__init__.py.
sys.path.insert(0, _BESIDE)
try:
    import train
finally:
    sys.path.remove(_BESIDE)

if os.path.dirname(os.path.dirname(os.path.abspath(train.__file__ or ""))) != _BESIDE:
    raise ImportError(
        f"train is {train.__file__}, which was imported before, and not the package of mnist-logistic; "
        "rename that file or folder"
    )

if TYPE_CHECKING:
    from export.job import export_model

__all__ = ["export_model"]


def __getattr__(name: str) -> Any:
    if name != "export_model":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("export.job").export_model
