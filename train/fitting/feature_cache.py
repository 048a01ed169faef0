"""Features of images, and of their distorted copies, computed once: the fixed part of a model needs no second look."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from train.augmentation.augment import augment, others
from train.model.features import Features

CHUNK: Final = 500  # images at a time: what is alive fits into the processor's cache
NO_DIGIT: Final = -1  # label of a picture that is none


@dataclass(frozen=True)
class Examples:
    """Features with labels, in memory on the device that trains.

    Attributes:
        features: `(N, size)` float32, or float16 where there are copies: half the memory, and rounding far below the
            noise of handwriting.
        labels: `(N,)` int64, or NO_DIGIT.
    """

    features: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "Examples":
        """The first `count` examples."""
        return Examples(self.features[:count], self.labels[:count])


def slices(count: int, size: int = CHUNK) -> Iterator[slice]:
    """Cut `count` rows into slices of `size`."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


@torch.no_grad()
def examples(
    features: Features,
    images: Tensor,
    labels: Tensor,
    device: str | torch.device = "cpu",
    *,
    copies: int = 0,
    outliers: int = 0,
    seed: int = 0,
) -> Examples:
    """Compute the features of images and, behind them, of distorted copies of each and of pictures that are no digits.

    Args:
        features: the fixed preprocessing, on `device`.
        images: `(N, 28, 28)` uint8.
        labels: `(N,)` 0–9.
        device: where to.
        copies: of every image.
        outliers: how many pictures that are no digits; some are made from the images.
        seed: of the distortions.

    Returns:
        `(1 + copies) · N + outliers` examples.
    """
    generator = torch.Generator().manual_seed(seed)
    count, targets = len(images), labels.to(torch.int64)
    dtype = torch.float16 if copies else torch.float32
    rows = torch.empty((1 + copies) * count + outliers, features.size, dtype=dtype, device=device)
    for copy in range(1 + copies):
        for part in slices(count):
            picked = images[part] if copy == 0 else augment(images[part], targets[part], generator)
            rows[copy * count + part.start : copy * count + part.stop] = features(picked.to(device))
    models = torch.randint(count, (outliers,), generator=generator)
    for part in slices(outliers):
        chosen = models[part]
        picked = others(images[chosen], targets[chosen], generator)
        rows[len(rows) - outliers + part.start : len(rows) - outliers + part.stop] = features(picked.to(device))
    known = torch.cat([targets.repeat(1 + copies), torch.full((outliers,), NO_DIGIT)])
    return Examples(rows, known.to(device))


@torch.inference_mode()
def logits_of(linear: nn.Linear, features: Tensor, chunk: int = 4096) -> Tensor:
    """Compute the logits `(N, 10)` float32 of features `(N, size)`."""
    return torch.cat([linear(features[part].to(torch.float32)) for part in slices(len(features), chunk)])
