"""Copies of digits as coarse collections keep them: cut to the ink, perhaps stretched, few cells, perhaps one bit.

What comes out is the cells enlarged to MNIST's form again, as the batch job's normaliser does it before a model sees
the picture. Rows and columns are handled apart, so each step is one product with a small matrix.
"""

from typing import Final

import torch
from torch import Tensor

from train.augmentation.drawing import SIDE, extent

BOX: Final = 20.0  # px; MNIST's longer side
CELLS: Final = (8, 24)  # least and greatest number of cells along the longer side
STRETCHED: Final = 0.5  # share of them that lose their aspect, in part or wholly
STRETCH: Final = 2.2  # how much wider a narrow digit may become
BILEVEL: Final = 0.5  # share of them that keep one bit
CUTS: Final = (0.2, 0.6)  # share of the darkest cell from which a cell is ink, where one bit is kept


def shrinking(start: Tensor, length: Tensor, cells: Tensor) -> Tensor:
    """Matrices that average pixels over the cells of a box.

    Args:
        start: (N,) float32, where the box begins.
        length: (N,) float32, its length in pixels.
        cells: (N,) float32, how many cells it is cut into.

    Returns:
        (N, CELLS[1], 28) float32; the rows of cells sum to one inside the image, other rows are zero.
    """
    number = torch.arange(CELLS[1]).view(1, -1, 1)
    pixel = torch.arange(SIDE).view(1, 1, -1)
    cells, start, step = cells.view(-1, 1, 1), start.view(-1, 1, 1), (length / cells).view(-1, 1, 1)
    low = start + number * step
    overlap = torch.minimum(low + step, pixel + 1.0) - torch.maximum(low, pixel.float())
    return overlap.clamp(min=0) / step * (number < cells)


def enlarging(length: Tensor, cells: Tensor) -> Tensor:
    """Matrices that interpolate cells linearly, in a box in the middle of the image.

    Args:
        length: (N,) float32, of the box in pixels.
        cells: (N,) float32, how many cells fill it.

    Returns:
        (N, 28, CELLS[1]) float32; rows sum to the part of the pixel that lies in the box.
    """
    number = torch.arange(CELLS[1]).view(1, 1, -1)
    pixel = torch.arange(SIDE).view(1, -1, 1) + 0.5
    cells, length = cells.view(-1, 1, 1), length.view(-1, 1, 1)
    start = (SIDE - length) / 2
    place = ((pixel - start) / length * cells - 0.5).clamp(min=0)
    place = torch.minimum(place, cells - 1)
    inside = (torch.minimum(start + length, pixel + 0.5) - torch.maximum(start, pixel - 0.5)).clamp(0, 1)
    return (1 - (place - number).abs()).clamp(min=0) * inside


def rescan(images: Tensor, generator: torch.Generator) -> Tensor:
    """Scan every image coarsely.

    Args:
        images: (N, 28, 28) float32, 0 … 255.
        generator: source of randomness.

    Returns:
        (N, 28, 28) float32, 0 … 255, the ink in a box of 20 × 20 in the middle.
    """
    fine, power, stretched, bilevel, cut = torch.rand(5, len(images), generator=generator)
    box = extent(images)
    high, wide = (box.bottom - box.top + 1).clamp(min=1), (box.right - box.left + 1).clamp(min=1)
    stretch = ((high / wide) ** (power * (stretched < STRETCHED))).clamp(1 / STRETCH, STRETCH)
    aspect = wide / high * stretch
    tall, broad = BOX / aspect.clamp(min=1), BOX * aspect.clamp(max=1)
    cells = CELLS[0] + (CELLS[1] - CELLS[0]) * fine * fine
    rows, columns = ((cells * side / BOX).round().clamp(min=2) for side in (tall, broad))
    coarse = shrinking(box.top, high, rows) @ images @ shrinking(box.left, wide, columns).mT
    level = (CUTS[0] + (CUTS[1] - CUTS[0]) * cut).view(-1, 1, 1) * coarse.amax((1, 2), keepdim=True)
    coarse = torch.where((bilevel < BILEVEL).view(-1, 1, 1), (coarse > level) * 255.0, coarse)
    large = enlarging(tall, rows) @ coarse @ enlarging(broad, columns).mT
    peak = large.amax((1, 2), keepdim=True).clamp(min=1)  # the normaliser makes full ink of the darkest
    return large * (255 / peak)
