"""Connected pieces of a mask, from its runs: no SciPy (143 MB installed) for one function."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


class Pieces(NamedTuple):
    """The pieces of an (H, W) mask, 8-connected, numbered 0 … n-1 by their first pixel in reading order.

    Attributes:
        area: (n,) int64, pixels.
        top, left: (n,) int64, first row and column.
        bottom, right: (n,) int64, one past the last row and column.
        piece_of_run: (r,) int64, the piece each run belongs to.
        run_start, run_end: (r,) int64, positions in the mask padded by one column at its right.
        whole: (H, W) bool, the mask itself.
    """

    area: Integers
    top: Integers
    left: Integers
    bottom: Integers
    right: Integers
    piece_of_run: Integers
    run_start: Integers
    run_end: Integers
    whole: NDArray[np.bool_]

    def box(self, keep: NDArray[np.bool_]) -> tuple[int, int, int, int]:
        """The box (top, left, bottom, right) round the pieces marked in `keep` (n,) bool, at least one."""
        if len(keep) == 1:
            return int(self.top[0]), int(self.left[0]), int(self.bottom[0]), int(self.right[0])
        return (
            int(self.top[keep].min()),
            int(self.left[keep].min()),
            int(self.bottom[keep].max()),
            int(self.right[keep].max()),
        )

    def mask(self, keep: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The pixels of the pieces marked in `keep` (n,) bool, as an (H, W) bool mask."""
        if keep.all():
            return self.whole
        height, width = self.whole.shape
        edges = np.zeros(height * (width + 1) + 1, dtype=np.int8)
        chosen = keep[self.piece_of_run]
        edges[self.run_start[chosen]] = 1
        edges[self.run_end[chosen]] = -1
        # A run ends at or before the padding column, so a start and an end never share a position.
        return edges[:-1].cumsum(dtype=np.int8).view(np.bool_).reshape(height, width + 1)[:, :width]


def pieces(mask: NDArray[np.bool_]) -> Pieces:
    """Find the 8-connected pieces of an (H, W) bool mask.

    Source: run-based labelling with union-find, as in L. He, Y. Chao, K. Suzuki, "A run-based two-scan labeling
    algorithm", IEEE Trans. Image Processing 17 (2008) 749-756.
    """
    height, width = mask.shape
    stride = width + 1
    flat = np.zeros(height * stride + 1, dtype=np.bool_)
    flat[1:].reshape(height, stride)[:, :width] = mask
    # Every run has a start and an end, and they alternate: the padding column ends the last run of a row.
    edges = (flat[1:] != flat[:-1]).nonzero()[0]
    start, end = edges[::2], edges[1::2]
    piece_of, number = _united(start.tolist(), end.tolist(), stride)
    piece = np.array(piece_of, dtype=np.int64)
    length, row, left = end - start, start // stride, start % stride
    right = left + length
    if number <= 1:  # the runs are the pieces, or all one
        box = (length, row, left, row + 1, right)
        if number == 1:
            box = (length.sum(keepdims=True), row[:1], left.min(keepdims=True), row[-1:] + 1, right.max(keepdims=True))
        return Pieces(*box, piece, start, end, mask)
    order = piece.argsort(kind="stable")
    cut = piece[order].searchsorted(np.arange(number))
    row = row[order]
    last = np.append(cut[1:], len(order)) - 1
    return Pieces(
        np.add.reduceat(length[order], cut),
        row[cut],  # runs are in reading order, so a piece's first run is its highest
        np.minimum.reduceat(left[order], cut),
        row[last] + 1,
        np.maximum.reduceat(right[order], cut),
        piece,
        start,
        end,
        mask,
    )


def _united(starts: list[int], ends: list[int], stride: int) -> tuple[list[int], int]:
    """Number the runs by the piece they belong to, and count the pieces."""
    parent = list(range(len(starts)))
    first = 0
    for index, start in enumerate(starts):
        # A run touches those of the row above that end at or after its start and start at or before its end.
        start_above, end_above = start - stride, ends[index] - stride
        while ends[first] < start_above:
            first += 1
        above, root = first, index
        while starts[above] <= end_above:
            node = above
            while parent[node] != node:
                parent[node] = node = parent[parent[node]]  # shortens the way for the next one (path halving)
            if node < root:
                parent[root] = root = node
            else:
                parent[node] = root
            above += 1
    # A parent comes before its children, so one pass in order finds every root; roots number the pieces.
    number = 0
    for index, value in enumerate(parent):
        if value == index:
            parent[index] = number
            number += 1
        else:
            parent[index] = parent[value]
    return parent, number
