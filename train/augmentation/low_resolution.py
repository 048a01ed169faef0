"""Low-resolution copies of digits, as some collections keep them: cropped to the ink, few pixels, perhaps one bit.

What comes out is scaled up to MNIST's format again, as by the batch job's normalization before a model sees the
picture. Resampling is separable: each step is one product with a small matrix for the rows and one for the columns.
"""

from typing import Final

import torch
from torch import Tensor

from batch_infer.contract import IMAGE_SIZE
from train.augmentation.drawing import measure_ink

BOX_SIZE: Final = 20.0  # px; the longer side of a digit in MNIST
RESOLUTION: Final = (8, 24)  # least and greatest number of pixels along the longer side of the low-resolution image
STRETCH_SHARE: Final = 0.5  # of the images; they lose their aspect ratio, in part or wholly
MAX_STRETCH: Final = 2.2  # how much wider a narrow digit may become
BILEVEL_SHARE: Final = 0.5  # of the images; they keep one bit a pixel
THRESHOLDS: Final = (0.2, 0.6)  # share of the brightest pixel above which a pixel is ink, where one bit is kept


def downsampling_matrix(start: Tensor, length: Tensor, cells: Tensor) -> Tensor:
    """Make matrices that average pixels over equal cells of an interval (area averaging).

    Args:
        start: `(N,)` float32, where the interval begins, in pixels.
        length: `(N,)` float32, its length in pixels.
        cells: `(N,)` float32, how many cells it is divided into.

    Returns:
        `(N, RESOLUTION[1], 28)` float32; the rows of cells sum to one inside the image, other rows are zero.
    """
    number = torch.arange(RESOLUTION[1]).view(1, -1, 1)
    pixel = torch.arange(IMAGE_SIZE).view(1, 1, -1)
    cells, start, step = cells.view(-1, 1, 1), start.view(-1, 1, 1), (length / cells).view(-1, 1, 1)
    low = start + number * step
    overlap = torch.minimum(low + step, pixel + 1.0) - torch.maximum(low, pixel.float())
    return overlap.clamp(min=0) / step * (number < cells)


def upsampling_matrix(length: Tensor, cells: Tensor) -> Tensor:
    """Make matrices that interpolate cells linearly, over an interval in the middle of the image.

    Args:
        length: `(N,)` float32, of the interval in pixels.
        cells: `(N,)` float32, how many cells fill it.

    Returns:
        `(N, 28, RESOLUTION[1])` float32; rows sum to the part of the pixel that lies in the interval.
    """
    number = torch.arange(RESOLUTION[1]).view(1, 1, -1)
    pixel = torch.arange(IMAGE_SIZE).view(1, -1, 1) + 0.5
    cells, length = cells.view(-1, 1, 1), length.view(-1, 1, 1)
    start = (IMAGE_SIZE - length) / 2
    position = ((pixel - start) / length * cells - 0.5).clamp(min=0)
    position = torch.minimum(position, cells - 1)
    inside = (torch.minimum(start + length, pixel + 0.5) - torch.maximum(start, pixel - 0.5)).clamp(0, 1)
    return (1 - (position - number).abs()).clamp(min=0) * inside


def simulate_low_resolution(images: Tensor, generator: torch.Generator) -> Tensor:
    """Reduce every image to a random resolution and scale it up again.

    Args:
        images: `(N, 28, 28)` float32, 0 … 255.
        generator: source of randomness.

    Returns:
        `(N, 28, 28)` float32, 0 … 255, the ink in a box of 20 × 20 in the middle.
    """
    resolution, power, stretched, bilevel, threshold = torch.rand(5, len(images), generator=generator)
    box = measure_ink(images)
    height, width = (box.bottom - box.top + 1).clamp(min=1), (box.right - box.left + 1).clamp(min=1)
    stretch = ((height / width) ** (power * (stretched < STRETCH_SHARE))).clamp(1 / MAX_STRETCH, MAX_STRETCH)
    aspect = width / height * stretch
    new_height, new_width = BOX_SIZE / aspect.clamp(min=1), BOX_SIZE * aspect.clamp(max=1)
    cells = RESOLUTION[0] + (RESOLUTION[1] - RESOLUTION[0]) * resolution * resolution
    rows, columns = ((cells * side / BOX_SIZE).round().clamp(min=2) for side in (new_height, new_width))
    shrink_rows = downsampling_matrix(box.top, height, rows)
    shrink_columns = downsampling_matrix(box.left, width, columns)
    coarse = shrink_rows @ images @ shrink_columns.mT
    share = THRESHOLDS[0] + (THRESHOLDS[1] - THRESHOLDS[0]) * threshold
    level = share.view(-1, 1, 1) * coarse.amax((1, 2), keepdim=True)
    coarse = torch.where((bilevel < BILEVEL_SHARE).view(-1, 1, 1), (coarse > level) * 255.0, coarse)
    large = upsampling_matrix(new_height, rows) @ coarse @ upsampling_matrix(new_width, columns).mT
    peak = large.amax((1, 2), keepdim=True).clamp(min=1)  # normalization scales the brightest pixel to full ink
    return large * (255 / peak)
