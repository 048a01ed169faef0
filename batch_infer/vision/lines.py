"""Ruled lines and the boxes of forms: long, thin, straight marks, taken out of a picture from under the digit."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from batch_infer.vision.pixels import Grey

THIN = 0.04  # of the longer side: a line is at most so thick
RUN = 0.06  # of the width: shorter runs are taken for a stroke's
COVER = 0.5  # of the width: a line is seen on at least that much of it
SLOPE = 0.1  # rows per column: paper lies nearly straight under a lens or a scanner
MOST = 16  # lines of a kind

Masks = NDArray[np.bool_]


class Line(NamedTuple):
    """A line that runs at row `start + slope * column`, `half` px to either side of it."""

    start: float
    slope: float
    half: float


def without_rows(lifted: Grey, threshold: int) -> Grey:
    """Take lines that run along the rows out of a picture.

    Args:
        lifted: (H, W) uint8, light ink on paper of about 0.
        threshold: lines are lighter than that.

    Returns:
        (H, W) uint8: where a line was, the fainter one of what lies on its two sides, so that strokes which cross it
        stay whole; the same array when there is no line.
    """
    for line in find_lines(lifted > threshold):
        lifted = _erased(lifted, line)
    return lifted


def without_columns(lifted: Grey, threshold: int) -> Grey:
    """Take lines that run along the columns out of a picture, as `without_rows` does."""
    turned = lifted.T
    erased = without_rows(turned, threshold)
    return lifted if erased is turned else np.ascontiguousarray(erased.T)


def find_lines(mask: Masks) -> list[Line]:
    """Find the lines that run along the rows of an (H, W) bool mask, the longest first."""
    height, width = mask.shape
    thick = max(3, round(THIN * max(height, width)))
    run = max(8, round(RUN * width))
    if height <= 4 * thick or width <= run:
        return []
    # Thin: of a vertical run of at most `thick` px; long: of a horizontal run of at least `run` px.
    ink = mask.view(np.uint8)
    thin = ink & ~_opened(ink, thick + 1)
    rows, columns = _opened(thin.T, run).T.nonzero()
    lines: list[Line] = []
    while len(rows) >= COVER * width and len(lines) < MOST:
        row = int(np.bincount(rows).argmax())  # the row that most of what is left lies on: some line's
        near = np.abs(rows - row) <= thick
        line = _fitted(rows[near], columns[near], rows, columns, thick, width)
        if line is None:
            rows, columns = rows[~near], columns[~near]
            continue
        on_line = np.abs(rows - line.start - line.slope * columns) <= thick
        rows, columns = rows[~on_line], columns[~on_line]
        lines.append(line)
    return lines


def _fitted(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    all_rows: NDArray[np.int64],
    all_columns: NDArray[np.int64],
    thick: int,
    width: int,
) -> Line | None:
    """Fit a line to some pixels, then to all that lie on it; None if they do not cover enough of the width."""
    for reach in (1.0 * thick, 0.5 * thick + 1):
        x = columns - columns.mean()
        spread = float(x @ x)
        slope = float(x @ rows) / spread if spread > 0 else 0.0
        if abs(slope) > SLOPE:
            return None
        start = float(rows.mean()) - slope * float(columns.mean())
        inlier = np.abs(all_rows - start - slope * all_columns) <= reach
        rows, columns = all_rows[inlier], all_columns[inlier]
        if len(rows) == 0:
            return None
    seen = np.bincount(columns, minlength=width)
    covered = int(np.count_nonzero(seen))
    if covered < COVER * width:
        return None
    return Line(start, slope, float(np.median(seen[seen > 0])) / 2)


def _opened(mask: Grey, length: int) -> Grey:
    """Keep of an (H, W) mask of 0 and 1 what belongs to a vertical run of at least `length` px."""
    if length > len(mask):
        return np.zeros_like(mask)
    shrunk = mask
    size = 1
    while size < length:
        step = min(size, length - size)
        shrunk = shrunk[:-step] & shrunk[step:]
        size += step
    grown = np.zeros((len(shrunk) + 2 * (length - 1), mask.shape[1]), dtype=np.uint8)
    grown[length - 1 : length - 1 + len(shrunk)] = shrunk
    size = 1
    while size < length:
        step = min(size, length - size)
        grown = grown[:-step] | grown[step:]
        size += step
    return grown


def _erased(image: Grey, line: Line) -> Grey:
    """Write over a line what is on its fainter side, column by column."""
    height, width = image.shape
    columns = np.arange(width)
    middle = line.start + line.slope * columns
    reach = line.half + 1.5  # px; a line's edges are soft
    top, bottom = np.rint(middle - reach).astype(np.int64), np.rint(middle + reach).astype(np.int64)
    padded = np.zeros((height + 2, width), dtype=np.uint8)  # outside there is paper
    padded[1:-1] = image
    above = padded[np.clip(top, 0, height + 1), columns]
    below = padded[np.clip(bottom + 2, 0, height + 1), columns]
    fill = np.minimum(above, below)
    result = image.copy()
    for offset in range(int(2 * reach) + 2):
        row = top + offset
        inside = (row >= 0) & (row < height) & (row <= bottom)
        result[row[inside], columns[inside]] = np.minimum(result[row[inside], columns[inside]], fill[inside])
    return result
