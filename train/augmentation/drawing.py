"""Pen strokes, in batches: where the ink of an image is, how wide the pen was, and drawing with such a pen."""

from typing import Final, NamedTuple

import torch
from torch import Tensor

from batch_infer.contract import IMAGE_SIZE

INK_THRESHOLD: Final = 100.0  # gray level above which a pixel counts as ink when the digit's extent is measured


class InkExtent(NamedTuple):
    """Bounding box of the ink, and the pen's width; every field `(N,)` float32, in pixels."""

    top: Tensor
    bottom: Tensor
    left: Tensor
    right: Tensor
    pen_width: Tensor


def measure_ink(images: Tensor) -> InkExtent:
    """Measure the ink of every image.

    Args:
        images: `(N, 28, 28)` float32, 0 … 255.

    Returns:
        First and last row and column with ink, and the pen's width; of a blank image the last come before the first,
        and the pen is one pixel wide.
    """
    ink = images > INK_THRESHOLD
    rows, columns = ink.any(2), ink.any(1)
    position = torch.arange(IMAGE_SIZE, dtype=torch.float32)
    top = torch.where(rows, position, IMAGE_SIZE).amin(1)
    bottom = torch.where(rows, position, -1).amax(1)
    left = torch.where(columns, position, IMAGE_SIZE).amin(1)
    right = torch.where(columns, position, -1).amax(1)
    # A stroke of width w and length l has area w·l and about 2·l edge pixels' worth of steps along rows and columns.
    area = images.sum((1, 2))
    edges = images.diff(dim=2).abs().sum((1, 2)) + images.diff(dim=1).abs().sum((1, 2))
    return InkExtent(top, bottom, left, right, (2.5 * area / edges.clamp(min=1)).clamp(1, 5))


def mean_ink_column(images: Tensor, row: Tensor) -> Tensor:
    """Mean column of the ink near one row.

    Args:
        images: `(N, 28, 28)` float32.
        row: `(N,)` float32, in pixels.

    Returns:
        `(N,)` float32 column; 0 without ink.
    """
    position = torch.arange(IMAGE_SIZE, dtype=torch.float32)
    window = (2 - (position - row[:, None]).abs()).clamp(min=0)  # (N, 28) triangle over three rows
    profile = (window.unsqueeze(1) @ images).squeeze(1)  # (N, 28)
    return (profile @ position) / profile.sum(1).clamp(min=1)


def draw_polyline(images: Tensor, path: Tensor, pen_width: Tensor, pen_down: Tensor | None = None) -> Tensor:
    """Draw one polyline on every image, with a round pen.

    Args:
        images: `(N, 28, 28)` float32, 0 … 255.
        path: `(N, P, 2)` float32 x and y of its points, in pixels.
        pen_width: `(N,)` float32, in pixels.
        pen_down: `(N, P - 1)` bool, which segments are drawn; None for all.

    Returns:
        `(N, 28, 28)` float32, the brighter of image and ink.
    """
    count = len(images)
    line = torch.arange(IMAGE_SIZE, dtype=torch.float32)
    nearest = torch.full((count, IMAGE_SIZE, IMAGE_SIZE), torch.inf)  # squared distance to the polyline
    for segment in range(path.shape[1] - 1):
        x0, y0 = path[:, segment].T.view(2, count, 1, 1)
        dx, dy = (path[:, segment + 1] - path[:, segment]).T.view(2, count, 1, 1)
        x, y = line - x0, line.unsqueeze(1) - y0  # (N, 1, 28), (N, 28, 1)
        length = (dx * dx + dy * dy).clamp(min=1e-6)
        along = (x * (dx / length) + y * (dy / length)).clamp_(0, 1)
        distance = (x - along * dx).square_() + (y - along * dy).square_()
        if pen_down is not None:
            distance.masked_fill_(~pen_down[:, segment].view(-1, 1, 1), torch.inf)
        nearest = torch.minimum(nearest, distance)
    ink = (pen_width.view(-1, 1, 1) / 2 + 0.5 - nearest.sqrt()).clamp_(0, 1) * 255
    return torch.maximum(images, ink)
