"""Where the ink of an image is, and how wide the pen was that wrote it."""

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
