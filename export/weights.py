"""A softmax regression that somebody else trained: the state_dict of one linear layer → our model."""

import re
import stat
from pathlib import Path
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from batch_infer.classifier.foreign import describe_foreign
from batch_infer.contract import CLASSES
from batch_infer.errors import ModelError
from batch_infer.paths import explain_missing, show_path
from train.checkpoint import load_checkpoint
from train.model.softmax import SoftmaxRegression

_SAVE: Final = "save only its weights: torch.save(model.state_dict(), 'weights.pth')"
_HEAD: Final = 1 << 16  # bytes that tell what a file is
_GLOBAL: Final = re.compile(r"GLOBAL ([\w.]{1,80})")
_NAMED: Final = 6  # tensors that a message names


class Layer(NamedTuple):
    """The one linear layer that was found.

    Attributes:
        weight: `(10, F)` float32.
        bias: `(10,)` float32.
        found: names and shapes, for people.
    """

    weight: Tensor
    bias: Tensor
    found: str


def load_layer(path: Path, features: int) -> Layer:
    """Load the layer of a file of torch.save; no code in it is executed.

    Also taken: the matrix transposed, any floating-point type, and a checkpoint that has the state_dict as one of its
    values (`model_state_dict`, `state_dict`, …).

    Args:
        path: the file.
        features: number of inputs of the layer.

    Raises:
        ModelError: missing, damaged, or anything but one matrix and one vector of the right shapes.
    """
    name = show_path(str(path))
    _check_file(path, name)
    content = load_checkpoint(path, describe=lambda error: _describe_failure(path, error))
    tensors = _state_dict(content, name)
    shown = _describe(tensors)
    matrices = [tensor for tensor in tensors.values() if tensor.ndim == 2]
    vectors = [tensor for tensor in tensors.values() if tensor.ndim == 1]
    fits = (
        len(tensors) == 2
        and len(matrices) == len(vectors) == 1
        and matrices[0].shape in {(CLASSES, features), (features, CLASSES)}
        and vectors[0].shape == (CLASSES,)
    )
    if not fits:
        raise ModelError(
            f"{name}: expected one linear layer, a matrix ({CLASSES}, {features}) and a vector ({CLASSES},), under any "
            f"names; found {shown}"
        )
    for key, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or not tensor.is_floating_point():
            raise ModelError(
                f"{name}: {key}: expected dense floating-point numbers; found {tensor.dtype}, {tensor.layout}, "
                f"on {tensor.device}"
            )
        if not tensor.to(torch.float32).isfinite().all():
            raise ModelError(f"{name}: {key}: not all values are finite; train again with a lower learning rate")
    weight = matrices[0] if matrices[0].shape == (CLASSES, features) else matrices[0].T
    return Layer(weight.detach().to(torch.float32), vectors[0].detach().to(torch.float32), shown)


def _check_file(path: Path, name: str) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelError(f"{name}: no such file; {explain_missing(str(path)) or 'check --weights'}") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{name}: cannot be read: {getattr(error, 'strerror', error)}") from error
    if stat.S_ISDIR(mode):
        raise ModelError(f"{name}: a folder; a run folder is given by --run")
    if not stat.S_ISREG(mode):
        raise ModelError(f"{name}: not a regular file; expected a state_dict of torch.save")


def make_model(layer: Layer, recipe: str) -> SoftmaxRegression:
    """Put the layer into a model of a recipe, in eval mode."""
    model = SoftmaxRegression(recipe)
    model.linear.load_state_dict({"weight": layer.weight, "bias": layer.bias})
    return model.eval()


def _state_dict(content: Any, name: str) -> dict[str, Tensor]:
    """Find the one dictionary of tensors: the content itself, or one of its values."""
    candidates = [content, *content.values()] if isinstance(content, dict) else []
    found = [item for item in candidates if isinstance(item, dict) and item and _are_tensors(item)]
    if len(found) != 1:
        kind = type(content).__name__
        if isinstance(content, dict):
            kind = f"a dictionary of {', '.join(map(str, content))[:100] or 'nothing'}"
        raise ModelError(f"{name}: expected a state_dict of one linear layer; found {kind}; {_SAVE}")
    return {str(key): tensor for key, tensor in found[0].items()}


def _are_tensors(items: dict[Any, Any]) -> bool:
    return all(isinstance(value, Tensor) and not value.is_nested and not value.is_quantized for value in items.values())


def _describe(tensors: dict[str, Tensor]) -> str:
    named = [f"{key[:60]} {tuple(tensor.shape)}" for key, tensor in list(tensors.items())[:_NAMED]]
    more = len(tensors) - _NAMED
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _describe_failure(path: Path, error: Exception) -> str:
    """Say why torch did not load a file, in one line and without its advice to load it unsafely."""
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read: {error.strerror}"
    with path.open("rb") as file:
        head = file.read(_HEAD)
    text = str(error)
    if "TorchScript" in text:
        return f"a TorchScript program, which is never run; {_SAVE}"
    found = _GLOBAL.search(text)
    if found:
        return f"a pickle of more than weights (found {found[1]}), which could run programs; {_SAVE}"
    if head.startswith(b"PK") and b"data.pkl" in head:
        return "a damaged or cut-off checkpoint; copy or save it again"
    what = describe_foreign(head)
    if what and "torch.save" not in what:
        return f"expected a state_dict of torch.save; found {what.partition(';')[0]}; {_SAVE}"
    return f"expected a state_dict of torch.save, which this is not, or it is damaged; {_SAVE}"
