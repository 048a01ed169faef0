"""Distorted copies of digit images: every image gets random numbers of its own, in batched torch.

The order follows how a picture comes about: what the writer draws (forms, European strokes), how the hand bends it
(affine, elastic), and what scanning and normalising do to it. All randomness comes from the generator handed in, so a
seed fixes every pixel.
"""

from functools import cache

import torch
from torch import Tensor, nn

from train.augmentation.drawing import SIDE
from train.augmentation.low_resolution import rescan
from train.augmentation.outliers import outliers
from train.augmentation.regional_strokes import european_strokes
from train.augmentation.synthetic_digits import other_forms

MIDDLE = (SIDE - 1) / 2

# Affine: standard deviations or half widths of what remains of a hand's variation after deskewing.
ROTATION = 0.20  # radians, half width
SHEAR = 0.15  # half width
LOG_SCALE = 0.14  # half width, both axes alike
LOG_ASPECT = 0.12  # half width, width against height
SHIFT = 1.0  # px, half width; features are centred by mass, so this is only interpolation and clipping

# Elastic: displacement of each pixel in pixels, correlated over SMOOTH pixels (Simard's alpha; his sigma is SMOOTH/√2).
ELASTIC = 1.1
SMOOTH = 4.5
NODES = 9

RESCANNED = 0.25  # share of images that were scanned coarsely


def uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Random numbers, one per image.

    Returns:
        (count,) float32, uniform in low … high.
    """
    return torch.rand(count, generator=generator) * (high - low) + low


@cache
def bumps() -> Tensor:
    """Gaussian bumps around NODES points of a line that reaches a little over the image.

    Returns:
        (28, NODES) float32; a product with standard normal numbers has about unit variance at every pixel.
    """
    nodes = torch.linspace(-3, SIDE + 2, NODES)
    weights = torch.exp(-((torch.arange(SIDE)[:, None] - nodes) ** 2) / (2 * (SMOOTH / 2**0.5) ** 2))
    return weights / weights.square().sum(1, keepdim=True).sqrt()


@cache
def plane() -> Tensor:
    """Homogeneous coordinates of every pixel in the units of ``grid_sample``.

    Returns:
        (3, 784) float32, rows x, y, 1.
    """
    line = (torch.arange(SIDE) - MIDDLE) * 2 / SIDE
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)]).flatten(1)


def affine_map(count: int, generator: torch.Generator) -> Tensor:
    """Random affine maps from output to source coordinates, around the middle of the image.

    Returns:
        (count, 2, 3) float32, rows x and y, in the units of ``grid_sample`` (the image is -1 … 1).
    """
    angle = uniform(count, -ROTATION, ROTATION, generator)
    shear = uniform(count, -SHEAR, SHEAR, generator)
    scale = uniform(count, -LOG_SCALE, LOG_SCALE, generator)
    aspect = uniform(count, -LOG_ASPECT, LOG_ASPECT, generator) / 2
    wide, high = torch.exp(aspect - scale), torch.exp(-aspect - scale)
    cos, sin = angle.cos(), angle.sin()
    shift = uniform(2 * count, -SHIFT, SHIFT, generator).view(2, count) * 2 / SIDE
    return torch.stack(
        [
            torch.stack([wide * cos, wide * (shear * cos - sin), shift[0]], 1),
            torch.stack([high * sin, high * (shear * sin + cos), shift[1]], 1),
        ],
        1,
    )


def elastic_field(count: int, generator: torch.Generator) -> Tensor:
    """Smooth random displacements (Simard, Steinkraus, Platt 2003: best practices for convolutional networks).

    Simard smooths white noise with a Gaussian; weighted Gaussian bumps on a coarse grid are the same kind of
    field from a tenth of the random numbers.

    Returns:
        (count, 2, 28, 28) float32 displacement x, y, in the units of ``grid_sample``.
    """
    noise = torch.randn(count, 2, NODES, NODES, generator=generator)
    strength = uniform(count, 0, ELASTIC * 2 / SIDE, generator).view(-1, 1, 1, 1)
    # Two plain products with one small matrix; that they leave rows and columns swapped is just as random.
    rows = (noise.flatten(0, 2) @ bumps().T).view(count, 2, NODES, SIDE)
    return ((rows.mT.flatten(0, 2) @ bumps().T).view(count, 2, SIDE, SIDE)) * strength


def bend(images: Tensor, generator: torch.Generator) -> Tensor:
    """Affine and elastic distortion in one resampling, so that the image is blurred only once.

    Args:
        images: (N, 28, 28) float32.
        generator: source of randomness.

    Returns:
        (N, 28, 28) float32.
    """
    count = len(images)
    moved = (affine_map(count, generator).flatten(0, 1) @ plane()).view(count, 2, SIDE, SIDE)
    grid = (moved + elastic_field(count, generator)).permute(0, 2, 3, 1)
    return nn.functional.grid_sample(images.unsqueeze(1), grid, align_corners=False).squeeze(1)


def augment(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """One distorted copy of every image.

    Args:
        images: (N, 28, 28) uint8.
        labels: (N,) int64; which forms and strokes fit depends on the digit.
        generator: source of randomness.

    Returns:
        (N, 28, 28) uint8.
    """
    written = other_forms(images.to(torch.float32), labels, generator)
    bent = bend(european_strokes(written, labels, generator), generator)
    scanned = (torch.rand(len(images), generator=generator) < RESCANNED).nonzero().squeeze(1)
    return to_uint8(bent.index_copy(0, scanned, rescan(bent[scanned], generator)))


def others(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures that are no digits, distorted like the copies.

    Args:
        images: (N, 28, 28) uint8 digits that some of them are made from.
        labels: (N,) int64.
        generator: source of randomness.

    Returns:
        (N, 28, 28) uint8.
    """
    return to_uint8(rescan(bend(outliers(images.to(torch.float32), labels, generator), generator), generator))


def to_uint8(images: Tensor) -> Tensor:
    """Round to whole grey levels."""
    return images.round().clamp(0, 255).to(torch.uint8)
