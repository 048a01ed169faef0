"""A pen with a round tip: draws straight strokes and paths onto images, in batches."""

import torch
from torch import Tensor

from train.augmentation.measurements import SIDE


def draw(images: Tensor, path: Tensor, pen: Tensor, down: Tensor | None = None) -> Tensor:
    """Draw one path of straight pieces on every image.

    Args:
        images: (N, 28, 28) float32, 0 … 255.
        path: (N, S, 2) float32 x and y of its points, in pixels.
        pen: (N,) float32 width, in pixels.
        down: (N, S - 1) bool, which pieces are drawn; None for all.

    Returns:
        (N, 28, 28) float32, the brighter of image and ink.
    """
    count = len(images)
    line = torch.arange(SIDE, dtype=torch.float32)
    nearest = torch.full((count, SIDE, SIDE), torch.inf)
    for piece in range(path.shape[1] - 1):
        x0, y0 = path[:, piece].T.view(2, count, 1, 1)
        dx, dy = (path[:, piece + 1] - path[:, piece]).T.view(2, count, 1, 1)
        x, y = line - x0, line.unsqueeze(1) - y0  # (N, 1, 28), (N, 28, 1)
        length = (dx * dx + dy * dy).clamp(min=1e-6)
        along = (x * (dx / length) + y * (dy / length)).clamp_(0, 1)
        square = (x - along * dx).square_() + (y - along * dy).square_()
        if down is not None:
            square.masked_fill_(~down[:, piece].view(-1, 1, 1), torch.inf)
        nearest = torch.minimum(nearest, square)
    ink = (pen.view(-1, 1, 1) / 2 + 0.5 - nearest.sqrt()).clamp_(0, 1) * 255
    return torch.maximum(images, ink)
