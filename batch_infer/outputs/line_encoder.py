"""Rows → lines of text (CSV, JSON Lines), without Arrow: several times faster, and small jobs need not load Arrow.

Rows with the same cells filled in differ only in their paths and in a few digits at fixed positions. So their lines
are rows of one array of bytes, which is filled digit by digit; if each row has its own path, that is prepended later.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import CLASSES, COLUMNS, ERROR_CODES, MILLION, PROBABILITY_COLUMNS, STATUSES, UNKNOWN
from batch_infer.predictions import Predictions

_ZERO: Final = ord("0")
_PROBABILITY: Final = b"0.000000"  # how a probability is written
_ONE_MORE_DIGIT: Final = 1 << 8  # added to the number of a layout for each further digit of the index


@dataclass(frozen=True)
class Syntax:
    """How a line is written. Numbers are the same in all: in decimal, probabilities with six decimals.

    Attributes:
        start: what comes before the path, with the opening quote.
        escapes: what is replaced in the path, in this order; a path has no control characters (see batch_infer.paths).
        before: by column after the path, what comes between the cell before and its own; the first begins with the
            closing quote of the path.
        end: what comes after the last cell, with the newline.
        empty: a cell without a value.
    """

    start: str
    escapes: tuple[tuple[str, str], ...]
    before: dict[str, bytes]
    end: bytes
    empty: bytes

    def escape(self, paths: list[str]) -> list[str]:
        """The paths as they stand between the quotes; most lists need no change, which one search tells."""
        text = "".join(paths)
        for old, new in self.escapes:
            if old in text:
                paths = [path.replace(old, new) for path in paths]
        return paths


def encode_lines(rows: Predictions, syntax: Syntax, *, probabilities: bool) -> bytes:
    """Write rows as lines.

    Args:
        rows: the rows of one chunk.
        syntax: how they are written.
        probabilities: add the ten columns.
    """
    count = len(rows.labels)
    layouts = _layouts(rows)
    if isinstance(rows.paths, str) and (layouts[1:] >= layouts[:-1]).all():  # rows of a layout are adjacent
        head = (syntax.start + syntax.escape([rows.paths])[0]).encode()
        cuts = [0, *(np.flatnonzero(layouts[1:] != layouts[:-1]) + 1).tolist(), count] if count else []
        blocks = [_block(rows, slice(*ends), head, syntax, probabilities=probabilities) for ends in pairwise(cuts)]
        return b"".join([block.tobytes() for block in blocks])
    paths = [rows.paths] * count if isinstance(rows.paths, str) else rows.paths
    lines = [""] * count
    for layout in np.unique(layouts):
        where = np.flatnonzero(layouts == layout)
        block = _block(rows, where, b"", syntax, probabilities=probabilities)
        text, width = block.tobytes().decode(), block.shape[1]
        for row, start in zip(where.tolist(), range(0, len(text), width), strict=True):
            lines[row] = text[start : start + width]
    heads = syntax.escape(paths)
    return "".join([f"{syntax.start}{head}{line}" for head, line in zip(heads, lines, strict=True)]).encode()


def _layouts(rows: Predictions) -> npt.NDArray[np.int16]:
    """Number the layouts `(n,)` of lines: the same for one status, error, presence of a label and length of index."""
    layouts = (rows.error_numbers.astype(np.int16) * len(STATUSES) + rows.statuses) * 2 + (rows.labels != UNKNOWN)
    if rows.start is not None:
        for digits in range(len(str(rows.start)), len(str(rows.start + len(layouts)))):
            layouts[10**digits - rows.start :] += _ONE_MORE_DIGIT
    if rows.pages is not None:
        for least in (0, *(10**digits for digits in range(1, len(str(rows.pages.max()))))):
            layouts[rows.pages >= least] += _ONE_MORE_DIGIT
    return layouts


def _block(
    rows: Predictions, where: slice | npt.NDArray[np.intp], head: bytes, syntax: Syntax, *, probabilities: bool
) -> npt.NDArray[np.uint8]:
    """Encode rows that have the same layout.

    Args:
        rows: the rows of the chunk.
        where: which of them, `(n,)`; at least one.
        head: the beginning of the line with its path; empty if the caller prepends that.
        syntax: how they are written.
        probabilities: add the ten columns.

    Returns:
        `(n, W)` uint8: one line per row, each of W bytes with its newline.
    """
    numbers = np.arange(len(rows.labels))[where]
    first = numbers[0]
    indices: npt.NDArray[np.integer] | None = rows.pages if rows.pages is None else rows.pages[where]
    if rows.start is not None:
        indices = numbers + rows.start
    error = rows.error_numbers[first]
    # Only filled cells have an entry here: zeros, over which their digits are written.
    cells = {"status": b'"%b"' % STATUSES[rows.statuses[first]].encode()}
    if indices is not None and indices[0] >= 0:
        cells["index"] = b"0" * len(str(indices[0]))
    if rows.labels[first] != UNKNOWN:
        cells["label"] = b"0"
    if error:
        cells["error"] = b'"%b"' % ERROR_CODES[error - 1].encode()
    else:
        cells |= {"prediction": b"0", **dict.fromkeys(("confidence", *PROBABILITY_COLUMNS), _PROBABILITY)}
    template, places = _template(head, cells, syntax, probabilities=probabilities)
    lines = np.empty((len(numbers), len(template)), np.uint8)
    lines[:] = np.frombuffer(template, np.uint8)
    if indices is not None and "index" in cells:
        _write_digits(lines[:, places["index"]], indices)
    if "label" in cells:
        lines[:, places["label"]] += rows.labels[where, None].astype(np.uint8)
    if error:
        return lines
    predictions, ppm = rows.predictions[where], rows.probabilities_ppm[where]
    lines[:, places["prediction"]] += predictions[:, None].astype(np.uint8)
    _write_probabilities(lines[:, places["confidence"]], ppm[np.arange(len(ppm)), predictions])
    if probabilities:
        # All at once: the ten cells, each with what stands before it, have the same width.
        width = len(syntax.before[PROBABILITY_COLUMNS[0]]) + len(_PROBABILITY)
        last = places[PROBABILITY_COLUMNS[-1]].stop
        ten = slice(last - CLASSES * width, last)
        numbers_of_row = lines[:, ten].reshape(len(ppm), CLASSES, width)
        _write_probabilities(numbers_of_row[:, :, -len(_PROBABILITY) :], ppm)
        lines[:, ten] = numbers_of_row.reshape(len(ppm), -1)
    return lines


def _template(
    head: bytes, cells: dict[str, bytes], syntax: Syntax, *, probabilities: bool
) -> tuple[bytes, dict[str, slice]]:
    """Make the line of a layout → its bytes, and where in it each cell after the path is."""
    line, places = head, {}
    for name in COLUMNS[1:] + PROBABILITY_COLUMNS * probabilities:
        line += syntax.before[name]
        start = len(line)
        line += cells.get(name, syntax.empty)
        places[name] = slice(start, len(line))
    return line + syntax.end, places


def _write_probabilities(cells: npt.NDArray[np.uint8], ppm: npt.NDArray[np.int32]) -> None:
    """Write probabilities `(…,)` in parts per million into cells `(…, 8)`, such as `0.996257`."""
    ones = ppm // MILLION
    cells[..., 0] = ones + _ZERO
    _write_digits(cells[..., 2:], ppm - ones * MILLION)


def _write_digits(cells: npt.NDArray[np.uint8], numbers: npt.NDArray[np.integer]) -> None:
    """Write numbers `(…,)` in decimal into cells `(…, digits)`, padded with zeros."""
    for position in range(cells.shape[-1] - 1, -1, -1):
        rest = numbers // 10
        cells[..., position] = numbers - rest * 10 + _ZERO
        numbers = rest
