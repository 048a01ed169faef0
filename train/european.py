"""Strokes that much of the world writes and MNIST's American writers did not, drawn onto training digits.

A 1 with a long upstroke or a foot, a 7 with a bar, a 0 with a slash. The pen is as wide as the digit's own
stroke; place, length and slope vary from image to image.
"""

from typing import NamedTuple

import torch
from torch import Tensor

SIDE = 28
INK = 100.0  # grey level from which a pixel counts as ink when the digit's extent is measured

# Shares of the digit's images that get the stroke: enough to learn it, few enough to leave MNIST's own form alone.
UPSTROKE_SHARE = 0.15
FOOT_SHARE = 0.10
BAR_SHARE = 0.20
SLASH_SHARE = 0.06


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
        Bounding box and pen width; a blank image has a box turned inside out and a pen of one pixel.
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


def draw(images: Tensor, start: tuple[Tensor, Tensor], end: tuple[Tensor, Tensor], pen: Tensor) -> Tensor:
    """Draw one straight stroke with round ends on every image.

    Args:
        images: (N, 28, 28) float32.
        start: x and y, each (N,) float32.
        end: x and y, each (N,) float32.
        pen: (N,) float32 width.

    Returns:
        (N, 28, 28) float32, the brighter of image and stroke.
    """
    line = torch.arange(SIDE, dtype=torch.float32)
    (x0, y0), (x1, y1) = ([value.view(-1, 1, 1) for value in point] for point in (start, end))
    dx, dy = x1 - x0, y1 - y0
    x, y = line - x0, line.unsqueeze(1) - y0  # (N, 1, 28), (N, 28, 1)
    along = ((x * dx + y * dy) / (dx * dx + dy * dy).clamp(min=1e-6)).clamp(0, 1)
    distance = ((x - along * dx) ** 2 + (y - along * dy) ** 2).sqrt()
    stroke = (pen.view(-1, 1, 1) / 2 + 0.5 - distance).clamp(0, 1) * 255
    return torch.maximum(images, stroke)


def european_strokes(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Draw the strokes onto the shares of images given above.

    Args:
        images: (N, 28, 28) float32, 0 … 255.
        labels: (N,) int64.
        generator: source of randomness.

    Returns:
        (N, 28, 28) float32, 0 … 255.
    """
    chance = torch.rand(len(images), generator=generator)
    limit = torch.zeros(10)
    limit[0], limit[1], limit[7] = SLASH_SHARE, UPSTROKE_SHARE + FOOT_SHARE, BAR_SHARE
    chosen = (chance < limit[labels]).nonzero().squeeze(1)
    if not len(chosen):
        return images
    some, digit, chance = images[chosen], labels[chosen], chance[chosen]
    box = extent(some)
    a, b, c = torch.rand(3, len(chosen), generator=generator)  # one roll each for place, length, slope
    high = box.bottom - box.top

    # 1: from the tip down to the left, at 35 … 65° below the horizontal, a third to two thirds of the height.
    tip = ink_center(some, box.top + 1)
    angle, length = 0.6 + 0.55 * c, high * (0.3 + 0.35 * b)
    upstroke = tip - length * angle.cos(), box.top + 0.5 + length * angle.sin(), tip, box.top + 0.5
    base = ink_center(some, box.bottom - 1)
    foot = base - 2.5 - 3 * b, box.bottom + c - 0.5, base + 2.5 + 3 * a, box.bottom + 0.5 - c
    # 7: across the stem in the middle, rising or falling slightly.
    y = box.top + high * (0.42 + 0.2 * a)
    stem, half = ink_center(some, y), 2.5 + 3 * b
    bar = stem - half, y + 2.5 * (c - 0.4), stem + half, y - 2.5 * (c - 0.4)
    # 0: from the lower left to the upper right, sometimes beyond the oval.
    inset = 0.2 * (box.right - box.left) * a
    slash = box.left + inset, box.bottom + 1.5 - 3 * b, box.right - inset, box.top - 1.5 + 3 * c

    line = torch.stack([torch.stack(points) for points in (upstroke, foot, bar, slash)])  # (4, x0 y0 x1 y1, n)
    kind = torch.where(digit == 1, (chance >= UPSTROKE_SHARE).long(), torch.where(digit == 7, 2, 3))
    x0, y0, x1, y1 = line[kind, :, torch.arange(len(chosen))].unbind(1)
    return images.index_copy(0, chosen, draw(some, (x0, y0), (x1, y1), box.pen))
