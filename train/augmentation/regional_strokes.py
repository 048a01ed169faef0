"""Strokes that much of the world writes and MNIST's American writers did not, drawn onto training digits.

A 1 with a long upstroke or a foot, a 7 with a bar, a 0 with a slash. The pen is as wide as the digit's own
stroke; position, length and slope vary from image to image.
"""

from typing import Final

import torch
from torch import Tensor

from train.augmentation.drawing import draw_polyline, mean_ink_column, measure_ink

# Shares of the digit's images that get the stroke: enough to learn it, few enough not to hurt MNIST's own style.
UPSTROKE_SHARE: Final = 0.15
FOOT_SHARE: Final = 0.10
BAR_SHARE: Final = 0.20
SLASH_SHARE: Final = 0.06


def add_regional_strokes(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Draw the strokes onto the shares of images given above.

    Args:
        images: `(N, 28, 28)` float32, 0 … 255.
        labels: `(N,)` int64.
        generator: source of randomness.

    Returns:
        `(N, 28, 28)` float32, 0 … 255.
    """
    chance = torch.rand(len(images), generator=generator)
    share = torch.zeros(10)
    share[0], share[1], share[7] = SLASH_SHARE, UPSTROKE_SHARE + FOOT_SHARE, BAR_SHARE
    selected = (chance < share[labels]).nonzero().squeeze(1)
    if not len(selected):
        return images
    digits, label, chance = images[selected], labels[selected], chance[selected]
    box = measure_ink(digits)
    a, b, c = torch.rand(3, len(selected), generator=generator)  # one number each for position, length, slope
    height = box.bottom - box.top

    # 1: from the tip down to the left, at 35 … 65° below the horizontal, a third to two thirds of the height.
    tip = mean_ink_column(digits, box.top + 1)
    angle, length = 0.6 + 0.55 * c, height * (0.3 + 0.35 * b)
    upstroke = tip - length * angle.cos(), box.top + 0.5 + length * angle.sin(), tip, box.top + 0.5
    base = mean_ink_column(digits, box.bottom - 1)
    foot = base - 2.5 - 3 * b, box.bottom + c - 0.5, base + 2.5 + 3 * a, box.bottom + 0.5 - c
    # 7: across the stem in the middle, rising or falling slightly.
    y = box.top + height * (0.42 + 0.2 * a)
    stem, half = mean_ink_column(digits, y), 2.5 + 3 * b
    bar = stem - half, y + 2.5 * (c - 0.4), stem + half, y - 2.5 * (c - 0.4)
    # 0: from the lower left to the upper right, sometimes beyond the oval.
    inset = 0.2 * (box.right - box.left) * a
    slash = box.left + inset, box.bottom + 1.5 - 3 * b, box.right - inset, box.top - 1.5 + 3 * c

    lines = torch.stack([torch.stack(ends) for ends in (upstroke, foot, bar, slash)])  # (4, x0 y0 x1 y1, n)
    kind = torch.where(label == 1, (chance >= UPSTROKE_SHARE).long(), torch.where(label == 7, 2, 3))
    path = lines[kind, :, torch.arange(len(selected))].view(-1, 2, 2)
    return images.index_copy(0, selected, draw_polyline(digits, path, box.pen_width))
