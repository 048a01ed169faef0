"""Synthetic digits: glyphs that schools elsewhere teach and MNIST's American writers did not write, drawn from splines.

A glyph is a few control points in the order in which the pen passes them. A Catmull-Rom spline is linear in its control
points, so a glyph is one matrix, and a thousand writers' variations of it are one product with that matrix.
"""

from functools import cache
from typing import Final, NamedTuple

import torch
from torch import Tensor

from batch_infer.contract import IMAGE_SIZE
from train.augmentation.drawing import draw_polyline

PATH_SIZE: Final = 19.0  # px; longer side of the path's bounding box: with the pen's width about MNIST's 20
PATH_POINTS: Final = 28
JITTER: Final = 0.045  # standard deviation of a control point; the digit's box is 1 × 1
LARGE_JITTER: Final = 0.13  # standard deviation of the control points that vary much from writer to writer
SLANT: Final = 0.2  # standard deviation, width over height
PEN_WIDTHS: Final = (1.5, 4.0)  # px
ASPECT_RATIOS: Final = (0.5, 1.1)  # of the digit's box, width over height

# "x,y" in hundredths of the box, right and down. "!" is a corner, "~" a point that varies much; "/" lifts the pen.
GLYPHS: Final = {
    0: ("60,2~ 10,30 15,85 60,100 98,50 70,0~",),  # open at the top
    1: (
        "0,60~ 62,0! 60,100",  # a long upstroke
        "0,70~ 62,0! 60,100",
        "0,65~ 30,52 68,0! 60,100",  # a flat one
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
    5: ("25,8 18,45! 65,40 92,70 50,100 0,90 / 35,2~ 100,0~",),  # the bar apart
    7: (
        "2,6 92,4! 40,100 / 18,55~ 95,50~",  # a bar
        "0,25 8,3! 95,4! 52,50 40,100 / 12,58~ 95,52~",  # a serif
        "0,20 20,2 55,12 100,0! 40,100 / 15,58~ 90,55~",  # a wavy top
    ),
    8: ("75,8 40,0 12,22 50,48 85,78 45,100 10,78 50,48 95,10~",),  # in one stroke, open at the top
    9: (
        "85,12 45,0 10,25 45,46 85,22 88,65 50,98~ 2,95~",  # a tail that curls
        "75,10 45,0 20,20 50,38 80,20 85,70 45,100 0,78~",  # a hook
        "85,10 40,0 5,25 40,45 85,12! 75,100~",  # a straight stem
    ),
}
# Shares of a digit's copies that are replaced with one of its glyphs.
SHARES: Final = (0.03, 0.18, 0.06, 0.03, 0.13, 0.03, 0.0, 0.11, 0.03, 0.11)


class GlyphTable(NamedTuple):
    """All G glyphs as arrays, padded to the same number K of control points.

    Attributes:
        points: `(G, K, 2)` float32 control points x, y, 0 … 1.
        jitter: `(G, K, 1)` float32, their standard deviations.
        spline: `(G, PATH_POINTS, K)` float32, which makes a path of control points; rows sum to one.
        pen_down: `(G, PATH_POINTS - 1)` bool, whether the pen is on the paper between a point and the next.
        first: `(11,)` int64, the first glyph of each digit; last, G.
    """

    points: Tensor
    jitter: Tensor
    spline: Tensor
    pen_down: Tensor
    first: Tensor


def parse_glyph(glyph: str) -> tuple[list[str], list[list[int]]]:
    """Parse one of GLYPHS.

    Returns:
        its control points as written, and for each stroke the numbers of those it passes; a corner is passed twice,
        which bends the spline sharply.
    """
    points: dict[str, str] = {}  # coordinates → as written
    strokes: list[list[int]] = []
    for stroke in glyph.split("/"):
        order: list[int] = []
        for word in stroke.split():
            coordinates = word.strip("!~")
            points.setdefault(coordinates, word)
            order += [list(points).index(coordinates)] * (2 if "!" in word else 1)
        strokes.append(order)
    return list(points.values()), strokes


def catmull_rom(strokes: list[list[int]], num_points: int) -> tuple[Tensor, Tensor]:
    """Make the matrix of uniform Catmull-Rom splines (Catmull and Rom 1974) through control points.

    Args:
        strokes: numbers of the control points that each stroke passes.
        num_points: number of control points.

    Returns:
        `spline` `(PATH_POINTS, num_points)` float32 and `pen_down` `(PATH_POINTS - 1,)` bool, as in GlyphTable.
    """
    # Each segment runs between the middle two of four control points; at a stroke's ends the end point counts twice.
    segments = [
        [
            (order[max(k - 1, 0)], order[k], order[k + 1], order[min(k + 2, len(order) - 1)])
            for k in range(len(order) - 1)
            if order[k] != order[k + 1]
        ]
        for order in strokes
    ]
    spline, pen_down, row = torch.zeros(PATH_POINTS, num_points), torch.ones(PATH_POINTS - 1, dtype=torch.bool), 0
    steps_left, segments_left = PATH_POINTS - len(segments), sum(map(len, segments))  # n steps have n + 1 points
    for stroke in segments:
        steps = round(steps_left * len(stroke) / segments_left)
        for position in torch.linspace(0, len(stroke), steps + 1).tolist():
            number = min(int(position), len(stroke) - 1)
            t = position - number
            basis = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
            for point, weight in zip(stroke[number], basis, strict=True):
                spline[row, point] += weight / 2
            row += 1
        steps_left, segments_left = steps_left - steps, segments_left - len(stroke)
        pen_down[row - 1 : row] = False  # lifted on the way to the next stroke; behind the last there is nothing to set
    return spline, pen_down


@cache
def glyph_table() -> GlyphTable:
    """Parse GLYPHS into arrays."""
    parsed = [parse_glyph(glyph) for digit in range(10) for glyph in GLYPHS.get(digit, ())]
    most = max(len(points) for points, _ in parsed)
    points, jitter = torch.zeros(len(parsed), most, 2), torch.zeros(len(parsed), most, 1)
    for number, (words, _) in enumerate(parsed):
        for k, word in enumerate(words):
            points[number, k] = torch.tensor([float(value) / 100 for value in word.strip("!~").split(",")])
            jitter[number, k] = LARGE_JITTER if "~" in word else JITTER
    spline, pen_down = map(torch.stack, zip(*(catmull_rom(strokes, most) for _, strokes in parsed), strict=True))
    counts = torch.tensor([len(GLYPHS.get(digit, ())) for digit in range(10)])
    first = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
    return GlyphTable(points, jitter, spline, pen_down, first)


def render_glyphs(glyphs: Tensor, generator: torch.Generator) -> Tensor:
    """Draw glyphs, each with random control points, slant, aspect ratio and pen.

    Args:
        glyphs: `(N,)` int64, numbers of glyphs.
        generator: source of randomness.

    Returns:
        `(N, 28, 28)` float32, 0 … 255.
    """
    points, jitter, spline, pen_down = (part[glyphs] for part in glyph_table()[:4])
    points = points + jitter * torch.randn(points.shape, generator=generator)
    slant = SLANT * torch.randn(len(glyphs), 1, generator=generator)
    width, pen = torch.rand(2, len(glyphs), generator=generator)
    x, y = (spline @ points).unbind(2)  # each (N, PATH_POINTS)
    x = x * (ASPECT_RATIOS[0] + (ASPECT_RATIOS[1] - ASPECT_RATIOS[0]) * width.unsqueeze(1)) - slant * y
    path = torch.stack([x, y], 2)
    low, high = path.amin(1, keepdim=True), path.amax(1, keepdim=True)
    scale = PATH_SIZE / (high - low).amax(2, keepdim=True)
    path = (path - (low + high) / 2) * scale + (IMAGE_SIZE - 1) / 2
    pen_width = PEN_WIDTHS[0] + (PEN_WIDTHS[1] - PEN_WIDTHS[0]) * pen
    return draw_polyline(torch.zeros(len(glyphs), IMAGE_SIZE, IMAGE_SIZE), path, pen_width, pen_down)


def replace_with_synthetic_digits(images: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Replace SHARES of the digits with synthetic ones of the same label.

    Args:
        images: `(N, 28, 28)` float32, 0 … 255.
        labels: `(N,)` int64.
        generator: source of randomness.

    Returns:
        `(N, 28, 28)` float32, 0 … 255.
    """
    chance, choice = torch.rand(2, len(images), generator=generator)
    selected = (chance < torch.tensor(SHARES)[labels]).nonzero().squeeze(1)
    first, digit = glyph_table().first, labels[selected]
    glyphs = first[digit] + (choice[selected] * (first[digit + 1] - first[digit])).long()
    return images.index_copy(0, selected, render_glyphs(glyphs, generator))
