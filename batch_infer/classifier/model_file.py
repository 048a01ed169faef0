"""Model files: the path of the bundled one, and reading one."""

from pathlib import Path
from typing import Final

from batch_infer.classifier.foreign import describe_foreign
from batch_infer.errors import ModelError
from batch_infer.paths import explain_missing, show_path

BUNDLED_MODEL: Final = Path(__file__).parents[1] / "model" / "mnist-logistic.onnx"
_MAX_MODEL_BYTES: Final = 64 << 20
_HEAD: Final = 4096  # bytes that tell what a file is that is too large


def read_model(path: Path) -> bytes:
    """Read a complete model file.

    Raises:
        ModelError: missing, unreadable, empty, not a regular file, or larger than 64 MB.
    """
    name = show_path(str(path))
    try:
        if not path.is_file():
            if path.exists():
                raise ModelError(f"{name}: not a regular file; expected a model from: python -m export onnx")
            hint = explain_missing(str(path)) or f"make one with: python -m export onnx --out {name}"
            raise ModelError(f"{name}: no such model file; {hint}")
        size = path.stat().st_size
        if not 0 < size <= _MAX_MODEL_BYTES:
            with path.open("rb") as file:
                what = describe_foreign(file.read(_HEAD))
            found = f"not an ONNX model: {what}" if what else f"{size:,} bytes"
            raise ModelError(f"{name}: {found}; expected a model of 1 byte to {_MAX_MODEL_BYTES >> 20} MB")
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{name}: cannot be read: {error.strerror}") from error
