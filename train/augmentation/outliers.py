"""Outliers to train on: rotated or mirrored digits, pairs of digits, scribbles, symbols, noise.

Outlier exposure (Hendrycks, Mazeika, Dietterich 2019: deep anomaly detection with outlier exposure): trained towards
equal probabilities on such pictures, a model also has low confidence on others that it has never seen. They are made
from training digits and drawn strokes, not from fonts, so that printed letters remain an honest test.
"""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from batch_infer.contract import IMAGE_SIZE
from train.augmentation.drawing import draw_polyline
from train.augmentation.sampling import uniform

Transform = Callable[[Tensor], Tensor]

# Each transform with the digits that are no longer digits after it. 6 and 9 upside down become each other, 2 and 5
# mirrored look like each other.
TRANSFORMS: Final[tuple[tuple[Transform, tuple[int, ...]], ...]] = (
    (lambda images: images.mT.flip(1), (2, 3, 4, 5, 7)),  # rotated by 90° to the left
    (lambda images: images.mT.flip(2), (2, 3, 4, 5, 7)),  # rotated by 90° to the right
    (lambda images: images.flip(2), (3, 4, 6, 7)),  # mirrored left and right
    (lambda images: images.flip(1), (4, 7)),  # mirrored up and down
    (lambda images: images.flip(1, 2), (3, 4, 7)),  # rotated by 180°
)
MARGIN: Final = 4  # px around a digit in MNIST
PEN_WIDTHS: Final = (1.5, 4.5)  # px
SCRIBBLE_POINTS: Final = (6, 10)  # least and greatest number of control points
SCRIBBLE_SUBDIVISION: Final = 5  # points between two control points, and the length of the moving average over them
SYMBOL_STROKES: Final = (3, 6)  # least and greatest number
SYMBOL_LATTICE: Final = ((7.0, 14.0, 21.0), (5.0, 14.0, 23.0))  # px; x and y where its strokes begin and end …
SYMBOL_JITTER: Final = 0.7  # px; … and their standard deviation
NOISE_CELLS: Final = (3.0, 20.0)  # along a side
NOISE_CONTRAST: Final = (1.0, 10.0)


def rotate_or_mirror(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Rotate or mirror digits `(N, 28, 28)`; where the result would be a digit, take a pair of digits instead."""
    result = merge_pairs(images, generator)
    choice = torch.randint(len(TRANSFORMS), (len(images),), generator=generator)
    for number, (transform, digits) in enumerate(TRANSFORMS):
        selected = (choice == number) & torch.isin(labels, torch.tensor(digits))
        result[selected] = transform(images[selected])
    return result


def merge_pairs(images: Tensor, generator: torch.Generator) -> Tensor:
    """Put two digits side by side at half their width, in the place of one → `(N, 28, 28)`."""
    partners = images[torch.randperm(len(images), generator=generator)]
    pairs = torch.cat([digits[:, :, MARGIN:-MARGIN] for digits in (images, partners)], 2)
    return nn.functional.pad(nn.functional.avg_pool2d(pairs, (1, 2)), (MARGIN, MARGIN))


def draw_scribbles(count: int, generator: torch.Generator) -> Tensor:
    """Draw smooth random walks of a pen → `(count, 28, 28)` float32."""
    most = SCRIBBLE_POINTS[1]
    points = MARGIN + (IMAGE_SIZE - 2 * MARGIN) * torch.rand(count, 2, most, generator=generator)
    last = uniform(count, SCRIBBLE_POINTS[0], most + 1, generator).long() - 1
    order = torch.minimum(torch.arange(most), last.unsqueeze(1))  # the pen stays at the last one
    line = points.gather(2, order.unsqueeze(1).expand_as(points))
    line = nn.functional.interpolate(line, scale_factor=SCRIBBLE_SUBDIVISION, mode="linear", align_corners=True)
    path = nn.functional.avg_pool1d(line, SCRIBBLE_SUBDIVISION, 1).mT
    return draw_polyline(torch.zeros(count, IMAGE_SIZE, IMAGE_SIZE), path, uniform(count, *PEN_WIDTHS, generator))


def draw_symbols(count: int, generator: torch.Generator) -> Tensor:
    """Draw straight strokes between the nine points of a lattice, like capital letters → `(count, 28, 28)` float32."""
    most = SYMBOL_STROKES[1]
    node = torch.randint(3, (count, 2 * most, 2), generator=generator)
    ends = torch.stack([torch.tensor(line)[node[:, :, axis]] for axis, line in enumerate(SYMBOL_LATTICE)], 2)
    ends = ends + SYMBOL_JITTER * torch.randn(ends.shape, generator=generator)
    strokes = uniform(count, SYMBOL_STROKES[0], most + 1, generator).long()
    segment = torch.arange(2 * most - 1)
    pen_down = (segment % 2 == 0) & (segment < 2 * strokes.unsqueeze(1))  # every other segment leads to the next stroke
    blank = torch.zeros(count, IMAGE_SIZE, IMAGE_SIZE)
    return draw_polyline(blank, ends, uniform(count, *PEN_WIDTHS, generator), pen_down)


def draw_noise(count: int, generator: torch.Generator) -> Tensor:
    """Make coarse or fine noise, from grays to blobs with hard edges → `(count, 28, 28)` float32."""
    side = IMAGE_SIZE - 2 * MARGIN
    cells = torch.rand(count, 1, side, side, generator=generator)
    zoom = (uniform(count, *NOISE_CELLS, generator) / side).view(-1, 1, 1) * torch.eye(2, 3)
    grid = nn.functional.affine_grid(zoom, [count, 1, side, side], align_corners=False)
    field = nn.functional.grid_sample(cells, grid, align_corners=False).squeeze(1)
    contrast = uniform(count, *NOISE_CONTRAST, generator).view(-1, 1, 1)
    return nn.functional.pad(((field - 0.5) * contrast + 0.5).clamp(0, 1) * 255, (MARGIN,) * 4)


def make_outliers(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Make one outlier for each image: two in five from digits, a fifth each scribbles, symbols and noise.

    Args:
        images: `(N, 28, 28)` float32 digits, 0 … 255, in any order.
        labels: `(N,)` int64.
        generator: source of randomness.

    Returns:
        `(N, 28, 28)` float32, 0 … 255.
    """
    count = len(images) // 5
    digits = slice(0, len(images) - 3 * count)
    drawn = [make(count, generator) for make in (draw_scribbles, draw_symbols, draw_noise) if count]
    return torch.cat([rotate_or_mirror(images[digits], labels[digits], generator), *drawn])
