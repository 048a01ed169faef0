"""Connected components of a mask, with their areas and bounding boxes."""

from typing import NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.image_ops import Mask

Integers = NDArray[np.int32]


class Components(NamedTuple):
    """The 8-connected components of an (H, W) mask, numbered 0 … n-1.

    Attributes:
        area: (n,) int32, pixels.
        top, left: (n,) int32, first row and column.
        bottom, right: (n,) int32, one past the last row and column.
        labels: (H, W) uint16, a pixel's component plus one; 0 for the background.
        foreground: (H, W) bool, the mask itself.
        extent: the box (top, left, bottom, right) round all of them.
    """

    area: Integers
    top: Integers
    left: Integers
    bottom: Integers
    right: Integers
    labels: NDArray[np.uint16]
    foreground: Mask
    extent: tuple[int, int, int, int]

    def box(self, keep: Mask) -> tuple[int, int, int, int]:
        """The box (top, left, bottom, right) round the components selected by `keep` (n,) bool, at least one."""
        if len(keep) == 1:
            return self.extent
        return (
            int(self.top[keep].min()),
            int(self.left[keep].min()),
            int(self.bottom[keep].max()),
            int(self.right[keep].max()),
        )

    def mask(self, keep: Mask) -> Mask:
        """The pixels of the components selected by `keep` (n,) bool, as an (H, W) bool mask."""
        if np.count_nonzero(keep) == len(keep):
            return self.foreground
        selected = np.zeros(len(keep) + 1, dtype=np.bool_)
        selected[1:] = keep
        return selected[self.labels]


def largest_component(mask: Mask) -> tuple[Mask, int]:
    """The largest 8-connected component of an (H, W) bool mask that is not empty, as a mask, and its area."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8, ltype=cv2.CV_16U)
    areas = stats[1:, cv2.CC_STAT_AREA]
    main = int(areas.argmax())
    return np.equal(labels, main + 1), int(areas[main])


def connected_components(mask: Mask) -> Components:
    """Find the 8-connected components of an (H, W) bool mask of less than 65,535 components."""
    data = mask.view(np.uint8)
    count, labels = cv2.connectedComponents(data, connectivity=8, ltype=cv2.CV_16U)
    x, y, width, height = cv2.boundingRect(data)
    extent = y, x, y + height, x + width
    if count == 2:  # OpenCV's statistics take longer than all else
        one = np.array((cv2.countNonZero(data), *extent), np.int32)
        area, top, left, bottom, right = one[:1], one[1:2], one[2:3], one[3:4], one[4:]
    else:
        _, labels, stats, _ = cv2.connectedComponentsWithStats(data, connectivity=8, ltype=cv2.CV_16U)
        left, top, wide, tall, area = cast("Integers", stats)[1:].T
        bottom, right = top + tall, left + wide
    return Components(area, top, left, bottom, right, cast("NDArray[np.uint16]", labels), mask, extent)
