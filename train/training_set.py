"""What a run trains on and what it holds out for validation: a data set divided, and one's own pictures added."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from train.additions import Additions
from train.data import Dataset


@dataclass(frozen=True)
class TrainingSet:
    """Images to train on, and images for validation.

    Attributes:
        images: `(N, 28, 28)` uint8 to train on.
        labels: `(N,)` int8, 0–9.
        validation_images: `(V, 28, 28)` uint8.
        validation_labels: `(V,)` int8, 0–9.
    """

    images: Tensor
    labels: Tensor
    validation_images: Tensor
    validation_labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def with_additions(self, additions: Additions, repeats: int) -> "TrainingSet":
        """Add one's own pictures behind the images to train on, each so many times."""
        own = additions.train
        return replace(
            self,
            images=torch.cat([self.images, torch.from_numpy(own.images).repeat(repeats, 1, 1)]),
            labels=torch.cat([self.labels, torch.from_numpy(own.labels).repeat(repeats)]),
        )


def divide(dataset: Dataset, validation_size: int, seed: int) -> TrainingSet:
    """Divide the training split: its last images are for validation, of a data set that says so, else random ones.

    Args:
        dataset: the data set.
        validation_size: number of images for validation.
        seed: seed of the choice.
    """
    images, labels = torch.from_numpy(dataset.train.images), torch.from_numpy(dataset.train.labels)
    order = torch.arange(len(labels))
    if dataset.validation_size is None:
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    train, validation = order[:-validation_size], order[-validation_size:]
    return TrainingSet(images[train], labels[train], images[validation], labels[validation])
