"""Export a trained model to ONNX, behind a parity gate.

from export import export_model
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from export.job import export_model

__all__ = ["export_model"]


def __getattr__(name: str) -> Any:
    if name != "export_model":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("export.job").export_model
