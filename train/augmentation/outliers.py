"""Pictures that are no digits, to learn doubt from: digits turned or squeezed in pairs, strokes at random, noise.

Outlier exposure (Hendrycks, Mazeika, Dietterich 2019: deep anomaly detection with outlier exposure): trained towards
equal probabilities on such pictures, a model doubts others that it never saw. They are made from training digits and
from a pen, not from fonts: printed letters stay an honest test.
"""

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from train.augmentation.drawing import SIDE, draw

Turn = Callable[[Tensor], Tensor]

# Digits that are none any more after a turn: not 6 and 9 upside down, not 2 and 5 mirrored, which look like each other.
TURNS: Final[tuple[tuple[Turn, tuple[int, ...]], ...]] = (
    (lambda images: images.mT.flip(1), (2, 3, 4, 5, 7)),  # a quarter to the left
    (lambda images: images.mT.flip(2), (2, 3, 4, 5, 7)),  # a quarter to the right
    (lambda images: images.flip(2), (3, 4, 6, 7)),  # mirrored
    (lambda images: images.flip(1), (4, 7)),  # mirrored up and down
    (lambda images: images.flip(1, 2), (3, 4, 7)),  # half a turn
)
MARGIN: Final = 4  # px round a digit in MNIST
PENS: Final = (1.5, 4.5)  # px
BENDS: Final = (6, 10)  # of a scribble
SMOOTH: Final = 5  # points between two bends
STROKES: Final = (3, 6)  # of a sign
PLACES: Final = ((7.0, 14.0, 21.0), (5.0, 14.0, 23.0))  # px: x and y where its strokes begin and end …
LOOSE: Final = 0.7  # … and their standard deviation
GRAINS: Final = (3.0, 20.0)  # of noise along a side


def some(count: int, limits: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Random numbers between limits, (count,) float32; to draw whole ones, cut off what is behind the point."""
    return limits[0] + (limits[1] - limits[0]) * torch.rand(count, generator=generator)


def turned(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Turn or mirror digits; where the result would be a digit, squeeze two into one instead."""
    result = squeezed(images, generator)
    way = torch.randint(len(TURNS), (len(images),), generator=generator)
    for number, (turn, digits) in enumerate(TURNS):
        chosen = (way == number) & torch.isin(labels, torch.tensor(digits))
        result[chosen] = turn(images[chosen])
    return result


def squeezed(images: Tensor, generator: torch.Generator) -> Tensor:
    """Put two digits side by side into the room of one."""
    other = images[torch.randperm(len(images), generator=generator)]
    both = torch.cat([part[:, :, MARGIN:-MARGIN] for part in (images, other)], 2)
    return nn.functional.pad(nn.functional.avg_pool2d(both, (1, 2)), (MARGIN, MARGIN))


def scribbles(count: int, generator: torch.Generator) -> Tensor:
    """A pen that wanders smoothly."""
    bends = MARGIN + (SIDE - 2 * MARGIN) * torch.rand(count, 2, BENDS[1], generator=generator)
    last = some(count, (BENDS[0], BENDS[1] + 1), generator).long() - 1
    order = torch.minimum(torch.arange(BENDS[1]), last.unsqueeze(1))  # the pen stays at the last
    line = bends.gather(2, order.unsqueeze(1).expand_as(bends))
    line = nn.functional.interpolate(line, scale_factor=SMOOTH, mode="linear", align_corners=True)
    path = nn.functional.avg_pool1d(line, SMOOTH, 1).mT
    return draw(torch.zeros(count, SIDE, SIDE), path, some(count, PENS, generator))


def signs(count: int, generator: torch.Generator) -> Tensor:
    """Straight strokes between the nine points of a lattice, as capital letters and signs have them."""
    which = torch.randint(3, (count, 2 * STROKES[1], 2), generator=generator)
    ends = torch.stack([torch.tensor(places)[which[:, :, axis]] for axis, places in enumerate(PLACES)], 2)
    ends = ends + LOOSE * torch.randn(ends.shape, generator=generator)
    strokes = some(count, (STROKES[0], STROKES[1] + 1), generator).long()
    piece = torch.arange(2 * STROKES[1] - 1)
    down = (piece % 2 == 0) & (piece < 2 * strokes.unsqueeze(1))  # between two strokes the pen is lifted
    return draw(torch.zeros(count, SIDE, SIDE), ends, some(count, PENS, generator), down)


def noise(count: int, generator: torch.Generator) -> Tensor:
    """Noise in coarse or fine grains, from greys to blots with hard edges."""
    side = SIDE - 2 * MARGIN
    grains = torch.rand(count, 1, side, side, generator=generator)
    zoom = (some(count, GRAINS, generator) / side).view(-1, 1, 1) * torch.eye(2, 3)
    grid = nn.functional.affine_grid(zoom, [count, 1, side, side], align_corners=False)
    field = nn.functional.grid_sample(grains, grid, align_corners=False).squeeze(1)
    contrast = some(count, (1, 10), generator).view(-1, 1, 1)
    return nn.functional.pad(((field - 0.5) * contrast + 0.5).clamp(0, 1) * 255, (MARGIN,) * 4)


def outliers(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Make one picture that is no digit for each image: two in five turned digits or pairs, the others drawn.

    Args:
        images: (N, 28, 28) float32 digits, 0 … 255, in any order.
        labels: (N,) int64.
        generator: source of randomness.

    Returns:
        (N, 28, 28) float32, 0 … 255.
    """
    count = len(images) // 5
    digits = slice(0, len(images) - 3 * count)
    drawn = [maker(count, generator) for maker in (scribbles, signs, noise) if count]
    return torch.cat([turned(images[digits], labels[digits], generator), *drawn])
