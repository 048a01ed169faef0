"""Distorted copies of digit images: every image gets random numbers of its own, in batched torch.

The order follows how a picture comes about: what the writer draws (European strokes), how the hand bends it
(affine, elastic), which pen (thickness), and what scanning and scaling do to it (resolution). All
randomness comes from the generator handed in, so a seed fixes every pixel.
"""

from functools import cache

import torch
from torch import Tensor, nn

from train.european import european_strokes

SIDE = 28
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

THICKEN = 0.9  # 1 = grey dilation by one pixel all round
THIN = 0.55  # 1 = grey erosion likewise; more would erase hair lines
RESOLUTION_SHARE = 0.25  # share of images that lose resolution or focus
CONTRAST = 0.9  # largest logarithm of the ink curve's slope


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


def thickness(images: Tensor, generator: torch.Generator) -> Tensor:
    """Another pen: grey dilation (positive strength) or erosion (negative), mixed with the image.

    The neighbourhood is a plus sign: rounder than a square.

    Args:
        images: (N, 28, 28) float32.
        generator: source of randomness.

    Returns:
        (N, 28, 28) float32.
    """
    strength = uniform(len(images), -THIN, THICKEN, generator).view(-1, 1, 1)
    sign = strength.sign()
    signed = images * sign  # erosion is dilation of the negative
    wide = nn.functional.pad(signed, (1, 1, 1, 1))
    beside = torch.maximum(wide[:, 1:-1, :-2], wide[:, 1:-1, 2:])
    above = torch.maximum(wide[:, :-2, 1:-1], wide[:, 2:, 1:-1])
    changed = torch.maximum(torch.maximum(beside, above), signed) * sign
    return torch.lerp(images, changed, strength.abs())


@cache
def lenses() -> Tensor:
    """Matrices that lose detail along one axis: fewer pixels and back, or a Gaussian blur.

    Returns:
        (K, 28, 28) float32, rows sum to one.
    """
    pixels = torch.arange(SIDE) + 0.5
    made = []
    for few in (11, 12, 13, 14, 16, 18, 20, 22):
        width = SIDE / few
        centers = (torch.arange(few) + 0.5) * width
        down = (width / 2 + 0.5 - (centers[:, None] - pixels).abs()).clamp(0, 1)  # area average
        up = (1 - (pixels[:, None] - centers).abs() / width).clamp(min=0)  # linear
        made.append(up @ down)
    apart = pixels[:, None] - pixels
    made += [torch.exp(-(apart**2) / (2 * sigma**2)) for sigma in (0.4, 0.55, 0.7, 0.85, 1.0, 1.2)]
    stack = torch.stack(made)
    return stack / stack.sum(2, keepdim=True)


def resolution(images: Tensor, generator: torch.Generator) -> Tensor:
    """Loss of resolution or focus for some images, and a steeper ink curve (towards one-bit scans) for them.

    Args:
        images: (N, 28, 28) float32, 0 … 255.
        generator: source of randomness.

    Returns:
        (N, 28, 28) float32, 0 … 255.
    """
    chosen = (torch.rand(len(images), generator=generator) < RESOLUTION_SHARE).nonzero().squeeze(1)
    lens = lenses()[torch.randint(len(lenses()), (len(chosen),), generator=generator)]
    some = lens @ images[chosen] @ lens.mT
    slope = uniform(len(chosen), 0, CONTRAST, generator).exp().view(-1, 1, 1)
    some = ((some - 127.5) * slope + 127.5).clamp(0, 255)
    return images.index_copy(0, chosen, some)


def augment(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """One distorted copy of every image.

    Args:
        images: (N, 28, 28) uint8.
        labels: (N,) int64; which European strokes fit depends on the digit.
        generator: source of randomness.

    Returns:
        (N, 28, 28) uint8.
    """
    drawn = european_strokes(images.to(torch.float32), labels, generator)
    changed = resolution(thickness(bend(drawn, generator), generator), generator)
    return changed.round().clamp(0, 255).to(torch.uint8)
