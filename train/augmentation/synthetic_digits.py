"""Whole digits drawn from skeletons: forms that schools elsewhere teach and MNIST's American writers did not write.

A form is a few control points in the order in which the pen passes them. A spline is linear in its points, so a form
is one matrix, and a thousand shaky hands are one product with it.
"""

from functools import cache
from typing import Final, NamedTuple

import torch
from torch import Tensor

from train.augmentation.drawing import SIDE, draw

LENGTH: Final = 19.0  # px; of the longer side of the path's box: with the pen's width about MNIST's 20
STEPS: Final = 28  # points of a path
SHAKE: Final = 0.045  # standard deviation of a control point; the digit's box is 1 × 1
FREE: Final = 0.13  # standard deviation of the points that vary much from writer to writer
LEAN: Final = 0.2  # standard deviation of the slant, width over height
PEN: Final = (1.5, 4.0)  # px, least and greatest width
WIDTH: Final = (0.5, 1.1)  # of the digit's box, in heights

# "x,y" in hundredths of the box, right and down. "!" is a corner, "~" a point that varies much; "/" lifts the pen.
FORMS: Final = {
    0: ("60,2~ 10,30 15,85 60,100 98,50 70,0~",),  # its ends not meeting
    1: (
        "0,60~ 62,0! 60,100",  # a long upstroke
        "0,70~ 62,0! 60,100",
        "0,65~ 30,52 68,0! 60,100",  # one that comes in flat
        "0,75~ 40,55 80,15 66,0 50,30 50,100",  # a loop at the tip
        "15,40~ 55,0! 55,100 / 5,100~ 100,100~",  # a foot
    ),
    2: (
        "10,28 45,0 85,25 50,68 10,96 5,80 30,78 65,96 100,88~",  # a loop at the bottom
        "40,35~ 12,25 50,0 90,25 50,70 10,95 12,76 60,96 100,90~",  # and a curl at the top
    ),
    3: ("5,2 85,0! 40,40! 95,65 50,100 0,88",),  # a flat top
    4: (
        "45,0~ 2,60! 95,58 / 72,30~ 62,100",  # open, the stem apart
        "60,0~ 15,30 5,52! 85,46! 72,100",  # in one stroke
        "68,0! 0,68! 100,68~ / 68,0 66,100~",  # closed
        "15,2 5,45 50,55 95,48 / 85,10 75,100",  # a cup
        "55,0~ 15,35 8,58 45,64 95,50 / 80,28~ 68,100~",  # open and round
    ),
    5: ("25,8 18,45! 65,40 92,70 50,100 0,90 / 35,2~ 100,0~",),  # the bar lifted off
    7: (
        "2,6 92,4! 40,100 / 18,55~ 95,50~",  # a bar
        "0,25 8,3! 95,4! 52,50 40,100 / 12,58~ 95,52~",  # a serif
        "0,20 20,2 55,12 100,0! 40,100 / 15,58~ 90,55~",  # a wave for a roof
    ),
    8: ("75,8 40,0 12,22 50,48 85,78 45,100 10,78 50,48 95,10~",),  # in one stroke, its ends not meeting
    9: (
        "85,12 45,0 10,25 45,46 85,22 88,65 50,98~ 2,95~",  # a tail that curls
        "75,10 45,0 20,20 50,38 80,20 85,70 45,100 0,78~",  # a hook
        "85,10 40,0 5,25 40,45 85,12! 75,100~",  # a straight stem
    ),
}
# Shares of a digit's copies that are replaced by one of its forms.
SHARES: Final = (0.03, 0.18, 0.06, 0.03, 0.13, 0.03, 0.0, 0.11, 0.03, 0.11)


class Skeletons(NamedTuple):
    """Forms as arrays, padded to the same number K of control points.

    Attributes:
        points: (forms, K, 2) float32 control points, 0 … 1.
        shake: (forms, K, 1) float32, their standard deviations.
        path: (forms, STEPS, K) float32, points of the path from control points; rows sum to one.
        down: (forms, STEPS - 1) bool, whether the pen is on the paper between a point and the next.
        first: (11,) int64, where each digit's forms begin; behind them, their number.
    """

    points: Tensor
    shake: Tensor
    path: Tensor
    down: Tensor
    first: Tensor


def strokes_of(form: str) -> tuple[list[str], list[list[int]]]:
    """Read a form.

    Returns:
        its control points as written, and for each stroke the numbers of those it passes; a corner is passed twice,
        which bends the spline sharply.
    """
    points: dict[str, str] = {}  # place → as written
    strokes: list[list[int]] = []
    for stroke in form.split("/"):
        order: list[int] = []
        for word in stroke.split():
            place = word.strip("!~")
            points.setdefault(place, word)
            order += [list(points).index(place)] * (2 if "!" in word else 1)
        strokes.append(order)
    return list(points.values()), strokes


def spline(strokes: list[list[int]], most: int) -> tuple[Tensor, Tensor]:
    """Make uniform Catmull-Rom splines of strokes, with STEPS points in all.

    Args:
        strokes: numbers of the control points that each passes.
        most: number of control points.

    Returns:
        `path` (STEPS, most) and `down` (STEPS - 1,) of Skeletons.
    """
    pieces = [
        [
            (order[max(k - 1, 0)], order[k], order[k + 1], order[min(k + 2, len(order) - 1)])
            for k in range(len(order) - 1)
            if order[k] != order[k + 1]
        ]
        for order in strokes
    ]
    path, down, row = torch.zeros(STEPS, most), torch.ones(STEPS - 1, dtype=torch.bool), 0
    steps_left, pieces_left = STEPS - len(pieces), sum(map(len, pieces))  # a stroke has one point more than steps
    for stroke in pieces:
        steps = round(steps_left * len(stroke) / pieces_left)
        for place in torch.linspace(0, len(stroke), steps + 1).tolist():
            piece = min(int(place), len(stroke) - 1)
            t = place - piece
            basis = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
            for point, weight in zip(stroke[piece], basis, strict=True):
                path[row, point] += weight / 2
            row += 1
        steps_left, pieces_left = steps_left - steps, pieces_left - len(stroke)
        down[row - 1 : row] = False  # through the air to the next stroke; nothing to change behind the last
    return path, down


@cache
def skeletons() -> Skeletons:
    """Turn FORMS into arrays."""
    read = [strokes_of(form) for digit in range(10) for form in FORMS.get(digit, ())]
    most = max(len(points) for points, _ in read)
    points, shake = torch.zeros(len(read), most, 2), torch.zeros(len(read), most, 1)
    for number, (written, _) in enumerate(read):
        for k, word in enumerate(written):
            points[number, k] = torch.tensor([float(value) / 100 for value in word.strip("!~").split(",")])
            shake[number, k] = FREE if "~" in word else SHAKE
    path, down = map(torch.stack, zip(*(spline(strokes, most) for _, strokes in read), strict=True))
    counts = torch.tensor([len(FORMS.get(digit, ())) for digit in range(10)])
    return Skeletons(points, shake, path, down, torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)]))


def drawn(forms: Tensor, generator: torch.Generator) -> Tensor:
    """Write forms, each by another hand with another pen.

    Args:
        forms: (N,) int64, numbers of forms.
        generator: source of randomness.

    Returns:
        (N, 28, 28) float32, 0 … 255.
    """
    points, shake, path, down = (part[forms] for part in skeletons()[:4])
    hand = points + shake * torch.randn(points.shape, generator=generator)
    lean = LEAN * torch.randn(len(forms), 1, generator=generator)
    wide, pen = torch.rand(2, len(forms), generator=generator)
    x, y = (path @ hand).unbind(2)  # each (N, STEPS)
    x = x * (WIDTH[0] + (WIDTH[1] - WIDTH[0]) * wide.unsqueeze(1)) - lean * y
    line = torch.stack([x, y], 2)
    low, high = line.amin(1, keepdim=True), line.amax(1, keepdim=True)
    scale = LENGTH / (high - low).amax(2, keepdim=True)
    line = (line - (low + high) / 2) * scale + (SIDE - 1) / 2
    return draw(torch.zeros(len(forms), SIDE, SIDE), line, PEN[0] + (PEN[1] - PEN[0]) * pen, down)


def other_forms(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Replace SHARES of the digits by drawn ones.

    Args:
        images: (N, 28, 28) float32, 0 … 255.
        labels: (N,) int64.
        generator: source of randomness.

    Returns:
        (N, 28, 28) float32, 0 … 255.
    """
    chance, which = torch.rand(2, len(images), generator=generator)
    picked = (chance < torch.tensor(SHARES)[labels]).nonzero().squeeze(1)
    first, digit = skeletons().first, labels[picked]
    forms = first[digit] + (which[picked] * (first[digit + 1] - first[digit])).long()
    return images.index_copy(0, picked, drawn(forms, generator))
