"""Export a trained model to ONNX, behind a parity gate.

from export import export_model
"""

TYPE_CHECKING = False  # importing typing takes milliseconds in which Ctrl-C is not handled yet (start.py)
if TYPE_CHECKING:
    from typing import Any

    from export.job import export_model

__all__ = ["export_model"]


def __getattr__(name: str) -> "Any":
    if name != "export_model":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return importlib.import_module("export.job").export_model
