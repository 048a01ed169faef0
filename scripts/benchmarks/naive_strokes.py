"""Naive implementation of the strokes features, with GridSample and Conv: the same function, not optimized.

scripts/benchmarks/benchmark.py compares the exported model with it. The batch is the first axis, deskewing is a
general resampling, gradients are convolutions, pooling is a contraction with both windows.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, grid_sample

from batch_infer.contract import IMAGE_SIZE
from train.model.deskew import CENTER, MASS_EPSILON, MAX_SHEAR, PIXEL_MAX, VARIANCE_EPSILON
from train.model.features import EPSILON, FINE_EPSILON, MIN_CHANGE, OFFSET, SQRT_EPSILON, Strokes

ROOT_HALF = 0.5**0.5


def deskew(images: Tensor) -> Tensor:
    """Center and deskew (N, 28, 28) uint8 → (N, 28, 28) float32 in 0 … 1."""
    levels = images.to(torch.float32)
    line = torch.arange(IMAGE_SIZE, dtype=torch.float32) - IMAGE_SIZE // 2
    mass = levels.sum((1, 2)) + MASS_EPSILON
    x, y = (levels.sum(1) * line).sum(1) / mass, (levels.sum(2) * line).sum(1) / mass
    xy = (levels * line * line.unsqueeze(1)).sum((1, 2)) / mass
    yy = (levels.sum(2) * line * line).sum(1) / mass
    shear = ((xy - x * y) / (yy - y * y + VARIANCE_EPSILON)).clamp(-MAX_SHEAR, MAX_SHEAR)
    down = y + (IMAGE_SIZE // 2 - CENTER)
    rows = (torch.arange(IMAGE_SIZE + 1) + down.floor().unsqueeze(1)).clamp(-1, IMAGE_SIZE)  # (N, 29) source rows
    middle = x + (IMAGE_SIZE // 2 - CENTER)
    right = middle.unsqueeze(1) + shear.unsqueeze(1) * (rows - IMAGE_SIZE // 2 - y.unsqueeze(1))
    columns = torch.arange(IMAGE_SIZE) + right.clamp(-IMAGE_SIZE, IMAGE_SIZE).unsqueeze(2)  # (N, 29, 28)
    where = torch.stack([columns, rows.unsqueeze(2).expand_as(columns)], 3)
    grid = (where + 0.5) * (2 / IMAGE_SIZE) - 1
    across = grid_sample((levels / PIXEL_MAX).unsqueeze(1), grid, align_corners=False).squeeze(1)
    part = (down - down.floor()).view(-1, 1, 1)
    return across[:, :-1] * (1 - part) + across[:, 1:] * part


class NaiveStrokes(nn.Module):
    """The features of `train.model.features.Strokes`: (N, 28, 28) uint8 → (N, 1192) float32."""

    def __init__(self) -> None:
        super().__init__()
        windows = Strokes()
        self.fine, self.cells, self.turns = windows.fine, windows.cells, windows.turns
        right = torch.tensor([[0.0, 0, 0], [-1, 0, 1], [0, 0, 0]])
        half = [right, (right + right.T) * ROOT_HALF, right.T, (right.T - right) * ROOT_HALF]
        self.kernels = torch.stack(half + [-kernel for kernel in half]).unsqueeze(1)  # (8, 1, 3, 3)

    def forward(self, images: Tensor) -> Tensor:
        gradients = conv2d(deskew(images).unsqueeze(1), self.kernels).relu()  # (N, 8, 26, 26)
        fine = torch.einsum("rR,ndRC,cC->ndrc", self.fine, gradients, self.fine)
        cells = torch.einsum("rR,ndRC,cC->ndrc", self.cells, fine, self.cells)
        fine = fine / (fine.square().sum(1, keepdim=True) + FINE_EPSILON**2).sqrt()
        inner = self.turns[:, 1:-1]
        right, down = fine[..., 2:] - fine[..., :-2], fine[..., 2:, :] - fine[..., :-2, :]
        turns = [
            torch.einsum("rR,ndRC,cC->ndrc", self.turns, part.clamp(min=MIN_CHANGE), inner) for part in (right, -right)
        ]
        turns += [
            torch.einsum("rR,ndRC,cC->ndrc", inner, part.clamp(min=MIN_CHANGE), self.turns) for part in (down, -down)
        ]
        both = [cells, torch.cat(turns, 1)]
        return torch.cat(
            [
                (
                    (part / (part.square().sum(1, keepdim=True) + EPSILON**2).sqrt() + SQRT_EPSILON).sqrt() - OFFSET
                ).flatten(1)
                for part in both
            ],
            1,
        )
