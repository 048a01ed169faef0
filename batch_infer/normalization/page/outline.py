"""The convex outline of a component of a mask, and the few corners that tell a sheet of paper from anything round."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.components import Components

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]
Places = tuple[NDArray[np.int64], NDArray[np.int64]]  # rows and columns
Point = tuple[float, float]  # row, column

CORNERS = 6  # four, and two where the picture's edge cuts some off; of an ellipse, they would leave 0.83
REACH = 1.5  # px to both sides of the outline: there a sharp edge is complete


class Outline(NamedTuple):
    """A convex outline in a picture.

    Attributes:
        top: its first row.
        left, right: (n,) float64, the columns where it begins and ends in each of its n rows.
        corners: (k, 2) float64, row and column of the few corners that keep most of it: down its left side and up
            its right one.
    """

    top: int
    left: Doubles
    right: Doubles
    corners: Doubles

    def area(self) -> float:
        """How many pixels it holds."""
        return float((self.right - self.left).sum())

    def length(self) -> float:
        """The longer side in px of the box round it."""
        return max(float(len(self.left)), float(self.right.max() - self.left.min()))

    def inside(self, shape: tuple[int, ...], inset: int) -> Mask:
        """The (H, W) mask of what lies within, `inset` px and more from the outline in its row and its column."""
        within = np.zeros((shape[0] + 2 * inset, shape[1]), dtype=np.bool_)
        column = np.arange(shape[1]) + 0.5
        top = self.top + inset
        left, right = self.left[:, None] + inset, self.right[:, None] - inset
        within[top : top + len(left)] = (column > left) & (column < right)
        core: Mask = within[inset : inset + shape[0]]
        return core & within[: shape[0]] & within[2 * inset :] if inset else core

    def along(self, shape: tuple[int, int]) -> tuple[Places, Places, Mask]:
        """Places just inside and just outside of the outline with few corners, about a pixel apart.

        Args:
            shape: of the picture, (H, W).

        Returns:
            Two pairs of rows and columns (n,), kept within the picture, and whether the outer one lay in it, (n,) bool.
        """
        way = np.roll(self.corners, -1, 0) - self.corners
        length = np.maximum(np.hypot(way[:, 0], way[:, 1]), 1e-9)
        count = np.ceil(length).astype(np.int64)
        side = np.repeat(np.arange(len(count)), count)
        part = (np.arange(len(side)) - side.searchsorted(side) + 0.5) / count[side]
        points = self.corners[side] + part[:, None] * way[side]
        outwards = (way[:, ::-1] * (REACH, -REACH) / length[:, None])[side]
        most = np.array(shape) - 1
        outer = np.floor(points + outwards).astype(np.int64)
        inner = np.floor(points - outwards).astype(np.int64).clip(0, most)
        seen: Mask = np.all((outer >= 0) & (outer <= most), axis=1)
        outer = outer.clip(0, most)
        return (inner[:, 0], inner[:, 1]), (outer[:, 0], outer[:, 1]), seen


def outline_of(found: Components, component: int) -> Outline:
    """Outline one of the components of a mask."""
    top, bottom = int(found.top[component]), int(found.bottom[component])
    own = found.labels[top:bottom] == component + 1  # it has pixels in each of its rows
    first, last = _convex(own.argmax(1)), _convex(own[:, ::-1].argmax(1) - own.shape[1])
    rows = np.arange(bottom - top)
    left, right = np.interp(rows, first[:, 0], first[:, 1]), -np.interp(rows, last[:, 0], last[:, 1])
    corners = np.concatenate([first, last[::-1] * (1, -1)])
    corners[:, 0] += top + 0.5
    return Outline(top, left, right, _fewer(corners))


def _convex(values: NDArray[np.int64]) -> Doubles:
    """The corners (k, 2) of the largest convex function nowhere above `values` (n,): Andrew's monotone chain.

    Source: A. M. Andrew, "Another efficient algorithm for convex hulls in two dimensions", Information Processing
    Letters 9 (1979) 216-219.
    """
    bent = values[2:] + values[:-2] > 2 * values[1:-1]  # nothing else can be a corner
    rows = [0, *(bent.nonzero()[0] + 1).tolist()] + [len(values) - 1] * (len(values) > 1)
    knots: list[Point] = []
    for row, value in zip(rows, values[rows].tolist(), strict=True):
        while len(knots) > 1:
            (row0, value0), (row1, value1) = knots[-2:]
            if (value1 - value0) * (row - row1) < (value - value1) * (row1 - row0):
                break
            knots.pop()
        knots.append((row, value))
    return np.array(knots, dtype=np.float64)


def _fewer(corners: Doubles) -> Doubles:
    """Drop those of the corners (n, 2) of a convex outline that cost the least area, until `CORNERS` are left."""
    points: list[Point] = corners.tolist()

    def cost(index: int) -> float:
        (y0, x0), (y1, x1), (y2, x2) = points[index - 1], points[index], points[(index + 1) % len(points)]
        return abs((y1 - y0) * (x2 - x1) - (y2 - y1) * (x1 - x0))

    while len(points) > CORNERS:
        del points[min(range(len(points)), key=cost)]
    return np.array(points)
