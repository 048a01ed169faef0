"""Strokes of a pen, in batches: where the ink of an image is, how wide the pen was, and drawing with such a pen."""

from typing import NamedTuple

import torch
from torch import Tensor

SIDE = 28
INK = 100.0  # grey level from which a pixel counts as ink when the digit's extent is measured


class Extent(NamedTuple):
    """Where the ink of each image is; every field (N,) float32, in pixels."""

    top: Tensor
    bottom: Tensor
    left: Tensor
    right: Tensor
    pen: Tensor  # width of the stroke


def extent(images: Tensor) -> Extent:
    """Measure the ink.

    Args:
        images: (N, 28, 28) float32.

    Returns:
        First and last row and column with ink, and the pen's width; a blank image has a box turned inside out and a
        pen of one pixel.
    """
    ink = images > INK
    rows, columns = ink.any(2), ink.any(1)
    place = torch.arange(SIDE, dtype=torch.float32)
    top = torch.where(rows, place, SIDE).amin(1)
    bottom = torch.where(rows, place, -1).amax(1)
    left = torch.where(columns, place, SIDE).amin(1)
    right = torch.where(columns, place, -1).amax(1)
    # A stroke of width w and length l has area w·l and about 2·l edge pixels' worth of steps along rows and columns.
    area = images.sum((1, 2))
    edges = images.diff(dim=2).abs().sum((1, 2)) + images.diff(dim=1).abs().sum((1, 2))
    return Extent(top, bottom, left, right, (2.5 * area / edges.clamp(min=1)).clamp(1, 5))


def ink_center(images: Tensor, y: Tensor) -> Tensor:
    """Mean column of the ink near one row.

    Args:
        images: (N, 28, 28) float32.
        y: (N,) float32 row.

    Returns:
        (N,) float32 column; 0 without ink.
    """
    place = torch.arange(SIDE, dtype=torch.float32)
    near = (2 - (place - y[:, None]).abs()).clamp(min=0)  # (N, 28) triangle over three rows
    profile = (near.unsqueeze(1) @ images).squeeze(1)  # (N, 28)
    return (profile @ place) / profile.sum(1).clamp(min=1)


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
