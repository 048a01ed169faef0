"""Features of images, their distorted copies and outliers, computed once: the fixed part of a model never changes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from train.augmentation.augment import augment, make_distorted_outliers
from train.model.features import Features

CHUNK: Final = 500  # images at a time: the intermediate arrays fit into the processor's cache
OUTLIER: Final = -1  # label of an image that is not a digit


@dataclass(frozen=True)
class CachedFeatures:
    """Features with labels, in memory on the device that trains.

    Attributes:
        features: `(N, F)` float32, or float16 where there are copies: half the memory, and rounding far below the
            noise of handwriting.
        labels: `(N,)` int64, 0–9 or OUTLIER.
    """

    features: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "CachedFeatures":
        """The first `count` rows."""
        return CachedFeatures(self.features[:count], self.labels[:count])


def chunk_slices(count: int, size: int = CHUNK) -> Iterator[slice]:
    """Split `count` rows into slices of `size`."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


@torch.no_grad()
def cache_features(
    features: Features,
    images: Tensor,
    labels: Tensor,
    device: str | torch.device = "cpu",
    *,
    copies: int = 0,
    outliers: int = 0,
    seed: int = 0,
) -> CachedFeatures:
    """Compute the features of images; after them, those of distorted copies of each, then those of outliers.

    Args:
        features: the fixed preprocessing, on `device`.
        images: `(N, 28, 28)` uint8.
        labels: `(N,)` 0–9.
        device: where the result goes.
        copies: number of distorted copies of every image.
        outliers: number of outliers; some are made from the images.
        seed: seed of the distortions.

    Returns:
        `(1 + copies) · N + outliers` rows.
    """
    generator = torch.Generator().manual_seed(seed)
    count, labels = len(images), labels.to(torch.int64)
    dtype = torch.float16 if copies else torch.float32
    rows = torch.empty((1 + copies) * count + outliers, features.size, dtype=dtype, device=device)
    for copy in range(1 + copies):
        for part in chunk_slices(count):
            batch = images[part] if copy == 0 else augment(images[part], labels[part], generator)
            rows[copy * count + part.start : copy * count + part.stop] = features(batch.to(device))
    sources = torch.randint(count, (outliers,), generator=generator)
    for part in chunk_slices(outliers):
        source = sources[part]
        batch = make_distorted_outliers(images[source], labels[source], generator)
        rows[len(rows) - outliers + part.start : len(rows) - outliers + part.stop] = features(batch.to(device))
    all_labels = torch.cat([labels.repeat(1 + copies), torch.full((outliers,), OUTLIER)])
    return CachedFeatures(rows, all_labels.to(device))


@torch.inference_mode()
def compute_logits(linear: nn.Linear, features: Tensor, chunk: int = 4096) -> Tensor:
    """Compute the logits `(N, 10)` float32 of features `(N, F)`, `chunk` rows at a time."""
    return torch.cat([linear(features[part].to(torch.float32)) for part in chunk_slices(len(features), chunk)])
