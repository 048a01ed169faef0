"""Random numbers for augmentation, one for each image of a batch."""

import torch
from torch import Tensor


def uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Draw from a uniform distribution.

    Returns:
        `(count,)` float32 in low … high.
    """
    return torch.rand(count, generator=generator) * (high - low) + low
