"""Distorted copies of digit images: every image gets random numbers of its own, in batched torch.

The order is that in which a picture arises: what the writer draws (synthetic digits, regional strokes), how the hand
deforms it (affine, elastic), and what scanning and normalization do to it. All randomness comes from the generator
passed in, so a seed fixes every pixel.
"""

from functools import cache
from typing import Final

import torch
from torch import Tensor, nn

from batch_infer.contract import IMAGE_SIZE
from train.augmentation.low_resolution import simulate_low_resolution
from train.augmentation.outliers import make_outliers
from train.augmentation.regional_strokes import add_regional_strokes
from train.augmentation.sampling import uniform
from train.augmentation.synthetic_digits import replace_with_synthetic_digits

# Affine: half widths of uniform distributions, for what remains of a hand's variation after deskewing.
ROTATION: Final = 0.20  # radians
SHEAR: Final = 0.15
LOG_SCALE: Final = 0.14  # both axes alike
LOG_ASPECT: Final = 0.12  # width against height
SHIFT: Final = 1.0  # px; features are centered by mass, so this is only interpolation and clipping

# Elastic (Simard et al. 2003): displacements in pixels, with a correlation exp(-d² / 2·CORRELATION_LENGTH²) over a
# distance d. Simard's sigma is CORRELATION_LENGTH/√2.
ELASTIC_ALPHA: Final = 1.1  # px; the largest standard deviation of a displacement
CORRELATION_LENGTH: Final = 4.5  # px
ELASTIC_NODES: Final = 9  # random numbers along a side, from which a field is interpolated

LOW_RESOLUTION_SHARE: Final = 0.25  # of the copies


@cache
def gaussian_basis() -> Tensor:
    """Gaussians around ELASTIC_NODES points of a line that reaches a little over the image.

    Returns:
        `(28, ELASTIC_NODES)` float32; a product with standard normal numbers has about unit variance at every pixel.
    """
    nodes = torch.linspace(-3, IMAGE_SIZE + 2, ELASTIC_NODES)
    sigma = CORRELATION_LENGTH / 2**0.5
    weights = torch.exp(-((torch.arange(IMAGE_SIZE)[:, None] - nodes) ** 2) / (2 * sigma**2))
    return weights / weights.square().sum(1, keepdim=True).sqrt()


@cache
def pixel_grid() -> Tensor:
    """Homogeneous coordinates of every pixel in the units of `grid_sample`.

    Returns:
        `(3, 784)` float32, rows x, y, 1.
    """
    line = (torch.arange(IMAGE_SIZE) - (IMAGE_SIZE - 1) / 2) * 2 / IMAGE_SIZE
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)]).flatten(1)


def random_affine(count: int, generator: torch.Generator) -> Tensor:
    """Draw random affine maps from output to source coordinates, around the center of the image.

    Returns:
        `(count, 2, 3)` float32, rows x and y, in the units of `grid_sample` (the image is -1 … 1).
    """
    angle = uniform(count, -ROTATION, ROTATION, generator)
    shear = uniform(count, -SHEAR, SHEAR, generator)
    scale = uniform(count, -LOG_SCALE, LOG_SCALE, generator)
    aspect = uniform(count, -LOG_ASPECT, LOG_ASPECT, generator) / 2
    scale_x, scale_y = torch.exp(aspect - scale), torch.exp(-aspect - scale)
    cos, sin = angle.cos(), angle.sin()
    shift = uniform(2 * count, -SHIFT, SHIFT, generator).view(2, count) * 2 / IMAGE_SIZE
    return torch.stack(
        [
            torch.stack([scale_x * cos, scale_x * (shear * cos - sin), shift[0]], 1),
            torch.stack([scale_y * sin, scale_y * (shear * sin + cos), shift[1]], 1),
        ],
        1,
    )


def random_displacements(count: int, generator: torch.Generator) -> Tensor:
    """Draw smooth random displacement fields for elastic deformation.

    Simard, Steinkraus, Platt (2003: best practices for convolutional neural networks) smooth white noise with a
    Gaussian; weighted Gaussians on a coarse grid are the same kind of field from a tenth of the random numbers.

    Returns:
        `(count, 2, 28, 28)` float32 displacement x, y, in the units of `grid_sample`.
    """
    noise = torch.randn(count, 2, ELASTIC_NODES, ELASTIC_NODES, generator=generator)
    strength = uniform(count, 0, ELASTIC_ALPHA * 2 / IMAGE_SIZE, generator).view(-1, 1, 1, 1)
    # Two plain products with one small matrix; they transpose the field, which is just as random.
    basis = gaussian_basis().T
    rows = (noise.flatten(0, 2) @ basis).view(count, 2, ELASTIC_NODES, IMAGE_SIZE)
    return ((rows.mT.flatten(0, 2) @ basis).view(count, 2, IMAGE_SIZE, IMAGE_SIZE)) * strength


def deform(images: Tensor, generator: torch.Generator) -> Tensor:
    """Apply an affine and an elastic deformation in one resampling, so that the image is blurred only once.

    Args:
        images: `(N, 28, 28)` float32.
        generator: source of randomness.

    Returns:
        `(N, 28, 28)` float32.
    """
    count = len(images)
    source = (random_affine(count, generator).flatten(0, 1) @ pixel_grid()).view(count, 2, IMAGE_SIZE, IMAGE_SIZE)
    grid = (source + random_displacements(count, generator)).permute(0, 2, 3, 1)
    return nn.functional.grid_sample(images.unsqueeze(1), grid, align_corners=False).squeeze(1)


def augment(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Make one distorted copy of every image.

    Args:
        images: `(N, 28, 28)` uint8.
        labels: `(N,)` int64; which glyphs and strokes fit depends on the digit.
        generator: source of randomness.

    Returns:
        `(N, 28, 28)` uint8.
    """
    digits = replace_with_synthetic_digits(images.to(torch.float32), labels, generator)
    deformed = deform(add_regional_strokes(digits, labels, generator), generator)
    selected = (torch.rand(len(images), generator=generator) < LOW_RESOLUTION_SHARE).nonzero().squeeze(1)
    coarse = simulate_low_resolution(deformed[selected], generator)
    return round_to_uint8(deformed.index_copy(0, selected, coarse))


def make_distorted_outliers(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Make one outlier for each image, distorted like the copies of digits.

    Args:
        images: `(N, 28, 28)` uint8 digits; some outliers are made from them.
        labels: `(N,)` int64.
        generator: source of randomness.

    Returns:
        `(N, 28, 28)` uint8.
    """
    outliers = deform(make_outliers(images.to(torch.float32), labels, generator), generator)
    return round_to_uint8(simulate_low_resolution(outliers, generator))


def round_to_uint8(images: Tensor) -> Tensor:
    """Round to whole gray levels, 0 … 255."""
    return images.round().clamp(0, 255).to(torch.uint8)
