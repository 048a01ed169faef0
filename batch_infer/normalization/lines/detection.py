"""Long, thin, straight marks in a picture: finds them in a mask, and takes them out from under the strokes."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.image_ops import Grey, has_few_pixels, median, opened

RUN = 0.06  # of the width: shorter runs are taken for a stroke's
COVER = 0.3  # of the width: a line is seen on at least that much of it
SLOPE = 0.1  # rows per column: paper lies nearly straight under a lens or a scanner
MOST = 16  # lines of a kind
SOFT = 1.2, 1.0  # px beside a line that its soft edges may take, in an overview, in a small picture
STRONGER = 1.4  # times the line's own ink: a stroke's

Masks = NDArray[np.bool_]
Places = NDArray[np.int64]


class Line(NamedTuple):
    """A line along the rows, in px: it runs at row `start + slope * column`, `half` px to either side of it.

    Attributes:
        start, slope, half: see above.
        first, last: the columns where it begins and ends.
        cover: on how much of the width it is seen alone, 0 … 1.
        bend: how far it strays from straight: the standard deviation of its middle.
    """

    start: float
    slope: float
    half: float
    first: int
    last: int
    cover: float
    bend: float


def find_lines(mask: Masks, thick: int) -> list[Line]:
    """Find the lines that run along the rows of an (H, W) bool mask, `thick` px at most, the longest first."""
    height, width = mask.shape
    run = max(8, round(RUN * width))
    if height <= 4 * thick or width <= run:
        return []
    # Thin: of a vertical run of at most `thick` px; long: of a horizontal run of at least `run` px.
    ink = mask.view(np.uint8)
    thin = ink & ~opened(ink, thick + 1, 1, ends_at_edge=True)
    rows, columns = opened(thin, 1, run, ends_at_edge=True).nonzero()
    lines: list[Line] = []
    while len(rows) >= COVER * width and len(lines) < MOST:
        row = int(np.bincount(rows).argmax())  # the row that most of what is left lies on: some line's
        near = np.abs(rows - row) <= thick
        enough = np.count_nonzero(near) >= COVER * width
        line = _fitted(rows, columns, near, thick, width) if enough else None
        if line is None:
            rows, columns = rows[~near], columns[~near]
            continue
        rest = np.abs(rows - line.start - line.slope * columns) > max(thick, line.half + SOFT[0])
        rows, columns = rows[rest], columns[rest]
        lines.append(_lengthened(line, mask))
    return lines


def _fitted(rows: Places, columns: Places, near: Masks, thick: int, width: int) -> Line | None:
    """Fit a line to the pixels `near` (n,) bool, then to all (n,) on it; None if they cover too little of the width."""
    start = slope = 0.0
    away = np.zeros(0)
    for reach in (1.0 * thick, 0.5 * thick + 1):
        x, y = columns[near], rows[near]
        if len(x) == 0:
            return None
        x_mean = int(x.sum()) / len(x)
        offset = x - x_mean
        spread = float(offset @ offset)
        slope = float(offset @ y) / spread if spread > 0 else 0.0
        if abs(slope) > SLOPE:
            return None
        start = int(y.sum()) / len(y) - slope * x_mean
        away = rows - start - slope * columns
        near = np.abs(away) <= reach
    away, x = away[near], columns[near]
    if len(x) == 0:
        return None
    # Strokes that run beside the line are not its own: that is where most of its columns have ink.
    step = np.rint(away).astype(np.int64)
    lowest = int(step.min())
    share = np.bincount(step - lowest)
    dense = (2 * share >= share.max()).nonzero()[0] + lowest
    own = (step >= dense[0]) & (step <= dense[-1])
    away, x = away[own], x[own]
    seen = np.bincount(x, minlength=width)
    present = seen.nonzero()[0]
    if len(present) < COVER * width:
        return None
    count = seen[present]
    usual = median(count)
    middle = np.bincount(x, away, width)[present] / count
    middle = middle[count <= usual + 1]
    mean = float(middle.sum()) / len(middle)
    middle -= mean
    return Line(
        start + mean,
        slope,
        usual / 2,
        int(present[0]),
        int(present[-1]),
        len(present) / width,
        math.sqrt(float(middle @ middle) / len(middle)),
    )


def _lengthened(line: Line, mask: Masks) -> Line:
    """Follow a line beyond what is seen of it alone, under strokes and other lines, as far as there is ink."""
    height, width = mask.shape
    columns = np.arange(width)
    rows = np.rint(line.start + line.slope * columns).clip(0, height - 1).astype(np.int64)
    gaps = (~mask[rows, columns]).nonzero()[0]
    before, behind = gaps.searchsorted((line.first, line.last))
    first = int(gaps[before - 1]) + 1 if before else 0
    last = int(gaps[behind]) - 1 if behind < len(gaps) else width - 1
    return line._replace(first=min(first, line.first), last=max(last, line.last))


def erased(image: Grey, line: Line) -> Grey:
    """Take a line along the rows out of a picture.

    A stroke across the line stays whole: what is on both sides of the line goes on under it, straight or aslant; and
    what is much stronger than the line is elsewhere is not the line's.

    Args:
        image: (H, W) uint8, light ink on paper of about 0.
        line: the line, from `find_lines`.

    Returns:
        (H, W) uint8.
    """
    height = len(image)
    reach = line.half + SOFT[has_few_pixels(image)]
    thick = round(2 * reach) + 1
    columns = np.arange(line.first, line.last + 1)
    top = np.rint(line.start + line.slope * columns - reach).clip(-1 - thick, height).astype(np.int64)
    # Outside there is paper, as far as a line there is thick or a stroke leans.
    room = thick + 2
    padded: Grey = cv2.copyMakeBorder(image, room, room, room, room, cv2.BORDER_CONSTANT).view(np.uint8)
    levels, wide = padded.reshape(-1), padded.shape[1]
    depth = np.arange(thick)[:, None]
    above = (top + (room - 1)) * wide + (columns + room)
    below = above + (thick + 1) * wide
    fill = np.minimum(levels.take(above), levels.take(below))  # straight, of the whole thickness
    for lean in (-1, 1):  # columns per row
        over, under = levels.take(above - lean * (depth + 1)), levels.take(below + lean * (thick - depth))
        fill = np.maximum(fill, np.minimum(over, under))
    place = above + (depth + 1) * wide
    own = levels.take(place)
    levels[place] = np.where(own > STRONGER * strength(image, line), own, np.minimum(own, fill))
    return padded[room:-room, room:-room]


def strength(image: Grey, line: Line) -> float:
    """The level of a line's ink in an (H, W) uint8 picture: of the strongest of three rows, in half of its columns."""
    columns = np.arange(line.first, line.last + 1)
    middle = np.rint(line.start + line.slope * columns).clip(1, len(image) - 2).astype(np.int64)
    levels = np.maximum(np.maximum(image[middle - 1, columns], image[middle, columns]), image[middle + 1, columns])
    return median(levels)
