"""Tables of pixels as text: a row per image, as Kaggle's `label,pixel0 … pixel783`."""

import gzip
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import IMAGE_SIZE
from batch_infer.errors import DamagedArrayError
from batch_infer.inputs.arrays.inflate import inflated, open_inflated, read_checked
from batch_infer.inputs.arrays.label_values import LABEL_NAMES, to_labels
from batch_infer.inputs.arrays.pixel_text import parse_lines
from batch_infer.inputs.arrays.source import ArraySource, token_of, whole_chunks

_BLOCK: Final = 1 << 20  # bytes parsed at a time
_MAX_LINE: Final = 1 << 20  # bytes
_INDEX_NAMES: Final = frozenset({"", "id", "index", "imageid", "image_id", "unnamed: 0", "row"})
_CELL: Final = re.compile(rb' *"?[\w .:+-]{0,64}"? *\Z')
_SEPARATORS: Final = (b",", b";", b"\t")
_MIN_CELLS: Final = 64  # of a first line that is taken for a table without being named .csv
_MIN_SIDE: Final = 4
_EXPECTED: Final = "expected the pixels of a square image in each row: label,pixel0 … pixel783"


def is_table(head: bytes, *, named: bool) -> bool:
    """Tell a table of pixels by the beginning of a file.

    Args:
        head: its first bytes.
        named: whether its name is that of a table: then it is one also if it holds no pixels, or is UTF-16.
    """
    line = _clean(head.split(b"\n", 1)[0])
    if b"\0" in head[:1024]:
        return named and head[:2] in {b"\xff\xfe", b"\xfe\xff"}
    cells = max((line.split(separator) for separator in _SEPARATORS), key=len)
    return named or (len(cells) >= _MIN_CELLS and all(map(_CELL.match, cells)))


@dataclass(frozen=True)
class _Layout:
    """How a table is laid out: separator, number of columns, which hold labels and pixels, whether it has a header."""

    separator: bytes
    columns: int
    label: int
    pixels: npt.NDArray[np.int64]
    header: bool


class PixelTable(ArraySource):
    """A table of pixels, plain or gzip, that was found sound: all of it is parsed once before it counts.

    Raises:
        DamagedArrayError: a row has another number of cells, or one that is no number, or the columns are no image.
        OSError: the file cannot be read.
    """

    kind: ClassVar[str] = "table of pixels"
    sequential = True

    def __init__(self, path: str) -> None:
        self.path = self.file = path
        with open_inflated(path) as file:
            self._layout = _layout_of(_lines(file))
        side = math.isqrt(len(self._layout.pixels))
        self.shape = (0, side, side)
        labels = []
        whole, count = True, 0
        with open_inflated(path) as file:  # opened anew: isal before 1.9 loses its place when it goes back
            self.token = token_of(os.fstat(file.fileno()))
            self._packed = isinstance(file, gzip.GzipFile)
            for values in self._rows(file):
                whole = whole and _is_whole(values[:, self._layout.pixels])
                count += len(values)
                if self._layout.label >= 0:
                    labels.append(values[:, self._layout.label].astype(np.float32))
        self.shape = (count, side, side)
        self.dtype = np.dtype(np.uint8 if whole else np.float32)
        self._labels = np.concatenate(labels) if labels else None

    def labels(self) -> npt.NDArray[np.int8] | None:
        """The labels of the column that holds them."""
        return None if self._labels is None else to_labels(self._labels, self.shape[0], "the column of labels")

    def stream(self, size: int) -> Iterator[npt.NDArray[Any]]:
        """Parse the table in chunks of at most `size` images."""
        with self._open_again() as file:
            content = inflated(file) if self._packed else file
            yield from whole_chunks(self._images(content), size)

    def _images(self, file: IO[bytes]) -> Iterator[npt.NDArray[Any]]:
        for values in self._rows(file):
            yield values[:, self._layout.pixels].astype(self.dtype).reshape(-1, *self.shape[1:])

    def _rows(self, file: IO[bytes]) -> Iterator[npt.NDArray[Any]]:
        """Parse a file that was just opened → `(n, columns)` each."""
        layout, line = self._layout, 1
        for number, lines in enumerate(_lines(file)):
            skipped = lines.index(b"\n") + 1 if number == 0 and layout.header else 0
            values = parse_lines(lines[skipped:], layout.separator, layout.columns, line + bool(skipped), layout.label)
            line += lines.count(b"\n")
            if not np.isfinite(values[:, layout.pixels]).all():
                raise DamagedArrayError(f"before line {line}: a pixel that is no finite number")
            yield values


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Read blocks of whole lines, each ending with a line feed."""
    rest = b""
    while block := read_checked(lambda: file.read(_BLOCK)):
        whole, newline, tail = (rest + block).rpartition(b"\n")
        if newline:
            yield _clean(whole) + b"\n"
        rest = tail
        if len(rest) > _MAX_LINE:
            raise DamagedArrayError(f"a line of more than {_MAX_LINE:,} bytes; {_EXPECTED}")
    if rest.strip():
        yield _clean(rest) + b"\n"


def _clean(lines: bytes) -> bytes:
    lines = lines.removeprefix(b"\xef\xbb\xbf")
    return lines.replace(b"\r\n", b"\n").removesuffix(b"\r") if b"\r" in lines else lines


def _layout_of(blocks: Iterator[bytes]) -> _Layout:
    """Find the layout of a table by its first line."""
    line = next(blocks, b"").partition(b"\n")[0]
    if line[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise DamagedArrayError("the text is UTF-16; save the table as CSV in UTF-8")
    separator = max(_SEPARATORS, key=line.count)
    names = [cell.strip(b' "').decode("utf-8", "replace").lower() for cell in line.split(separator)]
    header = not all(map(_is_number, names))
    if not header:
        label = {IMAGE_SIZE**2: -1, IMAGE_SIZE**2 + 1: 0}.get(len(names))
        if label is None:
            raise DamagedArrayError(f"a table of {len(names)} columns without a header; {_EXPECTED}")
        pixels = np.arange(label + 1, len(names))
        return _Layout(separator, len(names), label, pixels, header)
    labels = [number for number, name in enumerate(names) if name in LABEL_NAMES]
    found = [number for number, name in enumerate(names) if name not in LABEL_NAMES | _INDEX_NAMES]
    side = math.isqrt(len(found))
    if len(labels) > 1 or side < _MIN_SIDE or side**2 != len(found):
        shown = ",".join(names[:3])[:60] + ",…" * (len(names) > 3)
        raise DamagedArrayError(f"a table of {len(names)} columns ({shown}); {_EXPECTED}; labels go to --labels FILE")
    return _Layout(separator, len(names), labels[0] if labels else -1, _in_order(found, names), header)


def _in_order(found: list[int], names: list[str]) -> npt.NDArray[np.int64]:
    """The columns of pixels by the numbers in their names, if these are consecutive; else as they stand."""
    columns = np.array(found)
    endings = [re.fullmatch(r"\D*([0-9]{1,6})", names[number]) for number in found]
    numbers = np.array([int(ending[1]) for ending in endings if ending])
    if len(numbers) == len(found) and np.array_equal(np.sort(numbers), numbers.min() + np.arange(len(found))):
        return columns[np.argsort(numbers)]
    return columns


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_whole(pixels: npt.NDArray[Any]) -> bool:
    return pixels.dtype == np.uint8 or bool(((pixels >= 0) & (pixels <= 255) & (pixels == np.floor(pixels))).all())
