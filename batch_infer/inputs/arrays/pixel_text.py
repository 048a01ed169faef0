"""Lines of numbers → arrays, fast where all are whole numbers from 0 to 255."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from batch_infer.errors import DamagedArrayError

_NEWLINE: Final = 10
_ZERO: Final = 48


def parse_lines(data: bytes, separator: bytes, columns: int, first_line: int, optional: int) -> npt.NDArray[Any]:
    """Parse whole lines → `(n, columns)`: uint8 if all are plain whole numbers from 0 to 255, else float64.

    Args:
        data: lines that end with a line feed; blank ones are left out.
        separator: one byte.
        columns: numbers in each line.
        first_line: number of the first line in the file, for messages.
        optional: the column in which a cell may be empty, which gives NaN; -1 if there is none.

    Raises:
        DamagedArrayError: a line has more or fewer cells, or one is no number.
    """
    plain = _parse_plain(np.frombuffer(data, np.uint8), separator[0], columns)
    return _parse_any(data, separator, columns, first_line, optional) if plain is None else plain


def _parse_plain(text: npt.NDArray[np.uint8], separator: int, columns: int) -> npt.NDArray[np.uint8] | None:
    newline = text == _NEWLINE
    ends = np.flatnonzero(newline | (text == separator))
    if len(ends) % columns or np.count_nonzero(newline) * columns != len(ends) or not len(ends):
        return None
    if not newline[ends[columns - 1 :: columns]].all():
        return None
    lengths = np.diff(ends, prepend=-1) - 1
    if lengths.min() < 1 or lengths.max() > 3:
        return None
    digits = text - np.uint8(_ZERO)  # what is no digit becomes more than 9
    digits[ends] = 0
    if digits.max() > 9:
        return None
    values = digits[ends - 1].astype(np.uint16)
    values += np.where(lengths > 1, digits[ends - 2], 0) * np.uint16(10)
    values += np.where(lengths > 2, digits[ends - 3], 0) * np.uint16(100)
    return values.astype(np.uint8).reshape(-1, columns) if values.max() <= 255 else None


def _parse_any(data: bytes, separator: bytes, columns: int, first_line: int, optional: int) -> npt.NDArray[np.float64]:
    rows: list[npt.NDArray[np.float64]] = []
    for number, line in enumerate(data.split(b"\n")[:-1], first_line):
        if not line.strip():
            continue
        cells = [cell.strip(b' "') for cell in line.split(separator)]
        if len(cells) != columns:
            raise DamagedArrayError(f"line {number} has {len(cells)} cells; expected {columns}, as in the first line")
        if optional >= 0 and not cells[optional]:
            cells[optional] = b"nan"
        try:
            rows.append(np.array(cells).astype(np.float64))
        except ValueError as error:
            raise DamagedArrayError(f"line {number} has a cell that is no number") from error
    return np.stack(rows) if rows else np.empty((0, columns))
