"""Connected pieces of a mask, from its runs: no SciPy (143 MB installed) for one function."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pieces:
    """The pieces of an (H, W) mask, 8-connected, numbered 0 … n-1 by their first pixel in reading order.

    Attributes:
        area: (n,) int64, pixels.
        top, left: (n,) int64, first row and column.
        bottom, right: (n,) int64, one past the last row and column.
        piece_of_run: (r,) int64, the piece each run belongs to.
        run_start, run_end: (r,) int64, positions in the mask padded by one column at its right.
        shape: (H, W).
    """

    area: NDArray[np.int64]
    top: NDArray[np.int64]
    left: NDArray[np.int64]
    bottom: NDArray[np.int64]
    right: NDArray[np.int64]
    piece_of_run: NDArray[np.int64]
    run_start: NDArray[np.int64]
    run_end: NDArray[np.int64]
    shape: tuple[int, int]

    def mask(self, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The pixels of the pieces marked in `keep` (n,) bool, as an (H, W) bool mask."""
        height, width = self.shape
        edges = np.zeros(height * (width + 1) + 1, dtype=np.int8)
        chosen = keep[self.piece_of_run]
        edges[self.run_start[chosen]] = 1
        edges[self.run_end[chosen]] = -1
        # A run ends at or before the padding column, so a start and an end never share a position.
        return np.cumsum(edges[:-1], dtype=np.int8).reshape(height, width + 1)[:, :width].astype(np.bool_)


def pieces(mask: NDArray[np.bool_]) -> Pieces:
    """Find the 8-connected pieces of an (H, W) bool mask.

    Source: run-based labelling with union-find, as in L. He, Y. Chao, K. Suzuki, "A run-based two-scan labeling
    algorithm", IEEE Trans. Image Processing 17 (2008) 749-756; the overlaps are found for all runs at once.
    """
    height, width = mask.shape
    stride = width + 1
    flat = np.zeros(height * stride + 1, dtype=np.bool_)
    flat[1:].reshape(height, stride)[:, :width] = mask
    # Every run has a start and an end, and they alternate: the padding column ends the last run of a row.
    edges = (flat[1:] != flat[:-1]).nonzero()[0]
    start, end = edges[::2], edges[1::2]
    # A run touches those of the row above that end at or after its start and start at or before its end.
    first = np.searchsorted(end + stride, start)
    count = np.maximum(np.searchsorted(start + stride, end, side="right") - first, 0)
    below = np.arange(len(start)).repeat(count)
    above = np.arange(len(below)) + (first - count.cumsum() + count).repeat(count)
    parent = list(range(len(start)))
    for lower, upper in zip(below.tolist(), above.tolist(), strict=True):
        one, other = _root(parent, lower), _root(parent, upper)
        parent[max(one, other)] = min(one, other)
    # A parent comes before its children, so one pass in order finds every root; roots number the pieces.
    number = 0
    piece_of = parent
    for index, value in enumerate(parent):
        if value == index:
            piece_of[index] = number
            number += 1
        else:
            piece_of[index] = piece_of[value]
    piece = np.array(piece_of, dtype=np.int64)
    row = start // stride
    left = start - row * stride
    right = end - row * stride
    if number == 0:
        none = np.zeros(0, dtype=np.int64)
        return Pieces(none, none, none, none, none, piece, start, end, (height, width))
    order = piece.argsort(kind="stable")
    cut = piece[order].searchsorted(np.arange(number))
    row_of = row[order]
    last = np.append(cut[1:], len(order)) - 1
    return Pieces(
        area=np.add.reduceat((end - start)[order], cut),
        top=row_of[cut],  # runs are in reading order, so a piece's first run is its highest
        left=np.minimum.reduceat(left[order], cut),
        bottom=row_of[last] + 1,
        right=np.maximum.reduceat(right[order], cut),
        piece_of_run=piece,
        run_start=start,
        run_end=end,
        shape=(height, width),
    )


def _root(parent: list[int], node: int) -> int:
    """Find the root of a node, shortening the way for the next one (path halving)."""
    while parent[node] != node:
        parent[node] = node = parent[parent[node]]
    return node
