"""Reads a labels table as people's programs write it: CSV of any delimiter, quoting, line end and encoding."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from typing import IO, Any, Final, NamedTuple

from batch_infer.contract import UNKNOWN
from batch_infer.errors import UsageError
from batch_infer.first_bytes import GZIP, PARQUET, ZIP
from batch_infer.paths import escape_path

_DELIMITERS: Final = ",;\t"
_MAX_LINE: Final = 1 << 20  # characters; a longer line is cut there, and then refused, as csv allows 131,072 per cell
_LABEL: Final = re.compile(r"([0-9])(?:[.,]0*)?\Z", re.ASCII)  # 7.0: pandas, of a column with gaps; 7,0: Excel
_INDEX: Final = re.compile(r"([0-9]{1,18})(?:[.,]0*)?\Z", re.ASCII)
_UNKNOWN: Final = frozenset({"", "na", "nan", "<na>"})  # as pandas and R write it
# What else is taken for a table, by its first bytes.
_OTHERS: Final = {
    ZIP: "a workbook (.xlsx or .ods) or another ZIP file; save it as CSV UTF-8",
    PARQUET: "a Parquet file; save it as CSV",
    b"\xd0\xcf\x11\xe0": "a workbook (.xls); save it as CSV UTF-8",
}


class LabelRow(NamedTuple):
    """A row of a labels table.

    Attributes:
        line: number of the line it ends in, from 1.
        path: the cell as written.
        position: the column index: which image of an input that holds many; None if the cell is no number.
        label: 0–9, or -1 where unknown.
    """

    line: int
    path: str
    position: int | None
    label: int


def read_label_rows(source: str, where: str) -> Iterator[LabelRow]:
    """Read the rows of a table with the columns `path`, `label` and perhaps `index`; blank rows are left out.

    Args:
        source: a regular file: CSV with commas, semicolons or tabs, plain or gzip, in UTF-8 or UTF-16.
        where: names the file in messages.

    Raises:
        UsageError: no such table, or a cell that is not what it should be.
        OSError: the file cannot be opened.
    """
    with _opened(source, where) as file:
        try:
            yield from _rows(file, where)
        except (OSError, EOFError, zlib.error, csv.Error, ValueError) as error:
            raise UsageError(f"{where}: not a readable CSV file: {error}") from error


def _opened(source: str, where: str) -> IO[str]:
    with open(source, "rb") as file:
        compressed = file.read(2) == GZIP
    content: Any = gzip.open(source) if compressed else open(source, "rb")  # noqa: SIM115 - closed by the caller
    try:
        head = content.read(4)
        content.seek(0)
    except (OSError, EOFError, zlib.error) as error:
        content.close()
        raise UsageError(f"{where}: damaged gzip data: {error}") from error
    for start, what in _OTHERS.items():
        if head.startswith(start):
            content.close()
            raise UsageError(f"{where}: expected a CSV file with the columns path,label; found {what}")
    encoding = _utf16(head)
    # Names that are not UTF-8 are labelled by their bytes, as the system has them.
    errors = "strict" if encoding else "surrogateescape"
    return io.TextIOWrapper(content, encoding=encoding or "utf-8-sig", errors=errors, newline="")


def _utf16(head: bytes) -> str | None:
    """The encoding of a text that is UTF-16: with a byte order mark, or with the zeros of ASCII characters."""
    if head[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16"
    if len(head) < 4 or head.count(0) != 2:
        return None
    return "utf-16-be" if head[0] == head[2] == 0 else "utf-16-le" if head[1] == head[3] == 0 else None


def _rows(file: IO[str], where: str) -> Iterator[LabelRow]:
    # Not line by line: a sparse file may be a "line" of gigabytes.
    lines = iter(lambda: file.readline(_MAX_LINE), "")
    header, skipped = next(lines, ""), 0
    if re.match(r'"?sep=.', header):  # an instruction to Excel
        header, skipped = next(lines, ""), 1
    delimiter, columns = _columns(header, where)
    path, label, index = columns["path"], columns["label"], columns.get("index")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    for cells in reader:
        line = reader.line_num + 1 + skipped
        if not any(cells):
            continue
        if len(cells) <= max(path, label):
            raise UsageError(
                f"{where}, line {line}: expected at least {max(path, label) + 1} cells, as in the header; "
                f"found {len(cells)}"
            )
        place = _index(cells[index]) if index is not None and index < len(cells) else None
        yield LabelRow(line, cells[path], place, _label(cells[label], where, line))


def _columns(header: str, where: str) -> tuple[str, dict[str, int]]:
    """Find the delimiter with which a header has the columns, and their positions."""
    for delimiter in _DELIMITERS:
        names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
        for name in ("path", "label"):
            if names.count(name) > 1:
                raise UsageError(f"{where}: expected one column {name}; the header has {names.count(name)}")
        if {"path", "label"} <= set(names):
            return delimiter, {name: names.index(name) for name in ("path", "label", "index") if name in names}
    line = header.strip("\r\n")
    found = (
        f"the first line is: {escape_path(line[:100])}{'…' * (len(line) > 100)}" if line else "there is no first line"
    )
    raise UsageError(f"{where}: expected a header with the columns path,label; {found}")


def _label(cell: str, where: str, line: int) -> int:
    text = cell.strip()
    match = _LABEL.match(text)
    if match is not None:
        return int(match[1])
    if text.lower() in _UNKNOWN:
        return UNKNOWN
    raise UsageError(f"{where}, line {line}: label {cell[:40]!r}; expected 0 to 9")


def _index(cell: str) -> int | None:
    match = _INDEX.match(cell.strip())
    return None if match is None else int(match[1])  # a column of that name may also be something else
