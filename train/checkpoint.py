"""Reads untrusted files written by torch.save: plain tensors of the right shapes and dtypes, or a ModelError."""

import contextlib
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from batch_infer.errors import ModelError

_MAX_BYTES: Final = 1 << 30  # of the file, and of its decompressed content


def _describe_failure(error: Exception) -> str:
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return f"cannot be loaded as a checkpoint ({reason}); train again"


def load_checkpoint(path: Path, *, describe: Callable[[Exception], str] = _describe_failure) -> Any:
    """Load what `torch.save` wrote; no code in it is executed, and torch's warnings about it are suppressed.

    Args:
        path: the file.
        describe: what to say, after the file's name, where torch does not load it.

    Raises:
        ModelError: missing, not a regular file, too large, damaged, or more than plain containers and tensors.
    """
    try:
        if not path.is_file():
            found = "not a regular file; expected a checkpoint" if path.exists() else "no such checkpoint"
            raise ModelError(f"{path}: {found}; type: train run")
        _check_size(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except ModelError:
        raise
    except Exception as error:  # torch.load can raise anything for damaged files
        raise ModelError(f"{path}: {describe(error)}") from error


def check_tensors(content: Any, expected: Mapping[str, Tensor], where: str) -> None:
    """Check a state_dict against the expected one.

    Args:
        content: what was loaded.
        expected: tensors of the right names, shapes and dtypes.
        where: the file, for messages.

    Raises:
        ModelError: wrong keys, shapes or dtypes; tensors that are sparse, quantized or without values; values that are
            not finite.
    """
    if not isinstance(content, dict) or content.keys() != expected.keys():
        raise ModelError(f"{where}: expected a state_dict with the keys {', '.join(expected)}; train again")
    for name, tensor in expected.items():
        found = content[name]
        if not _is_plain(found) or (found.shape, found.dtype) != (tensor.shape, tensor.dtype):
            raise ModelError(
                f"{where}: {name}: expected {tuple(tensor.shape)} {tensor.dtype}, dense, with its values; "
                f"found {_describe(found)}; train again"
            )
        if not found.isfinite().all():
            raise ModelError(f"{where}: {name}: not all values are finite; train again with a lower --lr")


def _check_size(path: Path) -> None:
    sizes = [path.stat().st_size]
    with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        sizes.append(sum(entry.file_size for entry in archive.infolist()))
    if max(sizes) > _MAX_BYTES:
        raise ModelError(f"{path}: {max(sizes):,} bytes; expected a checkpoint of {_MAX_BYTES >> 30} GB at most")


def _is_plain(found: Any) -> bool:
    """Whether it is a dense tensor with its values in CPU memory."""
    return (
        isinstance(found, Tensor)
        and found.layout is torch.strided
        and found.device.type == "cpu"  # not on `meta`, where there are no values
        and not found.is_quantized
        and not found.is_nested
    )


def _describe(found: Any) -> str:
    if not isinstance(found, Tensor):
        return f"a value of the type {type(found).__name__}"
    if not _is_plain(found):
        return f"{found.dtype}, {found.layout}, on {found.device}"
    return f"{tuple(found.shape)} {found.dtype}"
