"""Rows of an IDX file → CSV lines, computed digit by digit for the whole chunk: several times a general writer's speed.

Within a chunk such lines differ in a few digits at fixed places, so they are one array of bytes, a line a row.
"""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from batch_infer.classify import Predictions
from batch_infer.contract import MILLION, STATUSES
from batch_infer.metrics import UNKNOWN

_ZERO = ord("0")
_SHARE = b"0.000000"  # how a probability is written


def csv_lines(rows: Predictions, *, probabilities: bool) -> bytes | None:
    """Write rows as sink.csv_rows does.

    Args:
        rows: of one chunk.
        probabilities: add the ten columns.

    Returns:
        The lines; None where they have no common form (image files, errors, mixed statuses or labels): those are for
        the general writer.
    """
    count = len(rows.labels)
    if isinstance(rows.paths, list) or rows.start is None or not count or rows.errors.any():
        return None
    known = rows.labels[0] != UNKNOWN
    if (rows.statuses != rows.statuses[0]).any() or ((rows.labels != UNKNOWN) != known).any():
        return None
    # Indexes of one length each: 0 … 9, 10 … 99, and so on.
    powers = [10**digits for digits in range(1, len(str(rows.start + count)) + 1)]
    cuts = [0, *(power - rows.start for power in powers if 0 < power - rows.start < count), count]
    return b"".join(
        _block(rows, start, end, known=known, probabilities=probabilities)
        for start, end in pairwise(cuts)
    )


def _block(rows: Predictions, start: int, end: int, *, known: bool, probabilities: bool) -> bytes:
    """The lines of rows whose indexes have the same length."""
    assert isinstance(rows.paths, str)
    assert rows.start is not None
    part = slice(start, end)
    first = rows.start + start
    length = len(str(first))
    head = b'"' + rows.paths.replace('"', '""').encode() + b'",'
    label = b"0" if known else b""
    tail = b',"' + STATUSES[rows.statuses[start]].encode() + b'",' + (b"," + _SHARE) * (10 * probabilities) + b"\n"
    template = head + bytes(length) + b"," + label + b",0," + _SHARE + tail
    lines = np.empty((end - start, len(template)), np.uint8)
    lines[:] = np.frombuffer(template, np.uint8)
    _write_digits(lines[:, len(head) : len(head) + length], np.arange(first, first + end - start))
    place = len(head) + length + 1
    if known:
        lines[:, place] += rows.labels[part].astype(np.uint8)
    place += len(label) + 1
    predictions = rows.predictions[part]
    lines[:, place] += predictions.astype(np.uint8)
    place += 2
    millionths = rows.millionths[part]
    _write_share(lines[:, place : place + len(_SHARE)], millionths[np.arange(end - start), predictions])
    if probabilities:
        shares = lines[:, -10 * (1 + len(_SHARE)) - 1 : -1].reshape(end - start, 10, 1 + len(_SHARE))
        _write_share(shares[:, :, 1:], millionths)
        lines[:, -10 * (1 + len(_SHARE)) - 1 : -1] = shares.reshape(end - start, -1)
    return lines.tobytes()


def _write_share(places: npt.NDArray[np.uint8], millionths: npt.NDArray[np.int32]) -> None:
    """Write probabilities (…,) in millionths into places (…, 8) as `0.996257`."""
    ones = millionths // MILLION
    places[..., 0] = ones + _ZERO
    _write_digits(places[..., 2:], millionths - ones * MILLION)


def _write_digits(places: npt.NDArray[np.uint8], numbers: npt.NDArray[np.integer]) -> None:
    """Write numbers (…,) into places (…, digits), the last digit last."""
    for place in range(places.shape[-1] - 1, -1, -1):
        rest = numbers // 10
        places[..., place] = numbers - rest * 10 + _ZERO
        numbers = rest
