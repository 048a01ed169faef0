"""How the pixels were scaled for weights that somebody else trained: given or found, and folded into the weights."""

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from batch_infer.errors import UsageError
from export.weights import Layer
from train.data import Split

PIXEL_MAX: Final = 255
# Within this, accuracies are those of one model: /255 and 0 … 255 differ only in what the bias adds. The log-loss then
# tells them apart.
_SAME_ACCURACY: Final = 0.002


class Scaling(NamedTuple):
    """What a pixel p, 0 … 255, was before the linear layer: (p / 255 - mean) / std.

    Attributes:
        name: for people.
        mean: 0 … 1, as in torchvision's Normalize.
        std: greater than 0.
    """

    name: str
    mean: float
    std: float


COMMON: Final = (
    Scaling("/255", 0.0, 1.0),
    Scaling("Normalize(0.1307, 0.3081)", 0.1307, 0.3081),
    Scaling("Normalize(0.5, 0.5)", 0.5, 0.5),
    Scaling("raw 0 to 255", 0.0, 1 / PIXEL_MAX),
)


class Score(NamedTuple):
    """How well a layer does on images: the share that is right, and the mean log-loss in nats."""

    accuracy: float
    log_loss: float


def given_scaling(mean: float | None, std: float | None) -> Scaling | None:
    """The scaling of `--input-mean` and `--input-std`; None if neither was given.

    Raises:
        UsageError: only one was given, or they are not what torchvision's Normalize takes.
    """
    if mean is None and std is None:
        return None
    if mean is None or std is None:
        missing, neutral = ("--input-mean", "0") if mean is None else ("--input-std", "1")
        raise UsageError(f"{missing} is missing: give both (the neutral value is {neutral})")
    if not (math.isfinite(mean) and abs(mean) <= 1):
        raise UsageError(f"--input-mean {mean:g}: expected -1 to 1, for pixels of 0 to 1 (divide it by 255?)")
    if not 0 < std <= 1:
        raise UsageError(f"--input-std {std:g}: expected above 0 up to 1, for pixels of 0 to 1 (divide it by 255?)")
    return Scaling(f"Normalize({mean:g}, {std:g})", mean, std)


def fold(layer: Layer, scaling: Scaling) -> Layer:
    """Fold a scaling into a layer, so that it takes pixels / 255, as the recipe `pixels` gives them."""
    weight = layer.weight.double() / scaling.std
    bias = layer.bias.double() - scaling.mean * weight.sum(dim=1)
    return layer._replace(weight=weight.float(), bias=bias.float())


def score(layer: Layer, split: Split) -> Score:
    """Score a layer that takes pixels / 255 on images with labels."""
    labels = torch.from_numpy(split.labels).long()
    with torch.inference_mode():
        logits = torch.cat([_logits(layer, part) for part in np.array_split(split.images, 8)])
        loss = nn.functional.cross_entropy(logits, labels)
        return Score((logits.argmax(dim=1) == labels).double().mean().item(), loss.item())


def find_scaling(layer: Layer, train: Split) -> tuple[Scaling, dict[Scaling, Score]]:
    """Find the common scaling with which a layer does best on training images.

    Returns:
        The best one, and the scores of all.
    """
    scores = {scaling: score(fold(layer, scaling), train) for scaling in COMMON}
    enough = max(found.accuracy for found in scores.values()) - _SAME_ACCURACY
    close = [scaling for scaling, found in scores.items() if found.accuracy >= enough]
    return min(close, key=lambda scaling: scores[scaling].log_loss), scores


def _logits(layer: Layer, images: npt.NDArray[np.uint8]) -> torch.Tensor:
    pixels = torch.from_numpy(images).flatten(1).float() / PIXEL_MAX
    return torch.addmm(layer.bias, pixels, layer.weight.T)
