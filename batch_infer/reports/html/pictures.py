"""The pictures of the page: what the model saw as one sheet, originals one by one, both within limits."""

import base64
import struct
import zlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import IMAGE_SIZE

MAX_SEEN: Final = 1_000
MAX_ORIGINALS: Final = 200
MAX_ORIGINAL_BYTES: Final = 150_000  # of all originals together: with all else, the page stays below 0.6 MB
MAX_SHEET_BYTES: Final = 120_000  # a sheet of clean digits has 100,000
_COLUMNS: Final = 32
_BITS: Final = 4  # of gray in the sheet: half the bytes of 8, and the same to the eye
_FEWER_BITS: Final = 2  # where noise takes too many bytes
_SCALE: Final = 2  # a pixel of the model is so many of the page


@dataclass
class Pictures:
    """Collects the pictures while the parts of the page are made; `style` then gives the sheet.

    Attributes:
        shown: whether pictures may be shown at all.
    """

    shown: bool
    _places: dict[bytes, int] = field(default_factory=dict)
    _originals: int = 0
    _bytes: int = 0

    def seen(self, pixels: bytes | None) -> str | None:
        """The class names that show what the model saw, 28×28 bytes in row order; None if it is not shown."""
        if not self.shown or pixels is None or len(pixels) != IMAGE_SIZE**2:
            return None
        if pixels not in self._places:
            if len(self._places) >= MAX_SEEN:
                return None
            self._places[pixels] = len(self._places)
        row, column = divmod(self._places[pixels], _COLUMNS)
        return f"s x{column} y{row}"

    def original(self, jpeg: bytes | None) -> str | None:
        """A JPEG as a data URI; None if it is not shown."""
        if not self.shown or jpeg is None:
            return None
        if self._originals >= MAX_ORIGINALS or self._bytes + len(jpeg) > MAX_ORIGINAL_BYTES:
            return None
        self._originals += 1
        self._bytes += len(jpeg)
        return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"

    def style(self) -> str:
        """The style sheet that holds the sheet of pictures; a comment if there are none."""
        if not self._places:
            return "/* no pictures */"
        side = IMAGE_SIZE * _SCALE
        sheet = base64.b64encode(self._sheet()).decode()
        rules = [f".s{{background-image:url(data:image/png;base64,{sheet});background-size:{_COLUMNS * side}px auto}}"]
        rules += [f".x{column}{{background-position-x:{-column * side}px}}" for column in range(_COLUMNS)]
        rules += [
            f".y{row}{{background-position-y:{-row * side}px}}" for row in range(-(-len(self._places) // _COLUMNS))
        ]
        return "".join(rules)

    def _sheet(self) -> bytes:
        rows = -(-len(self._places) // _COLUMNS)
        cells = np.zeros((rows * _COLUMNS, IMAGE_SIZE, IMAGE_SIZE), np.uint8)
        pixels = np.frombuffer(b"".join(self._places), np.uint8)
        cells[: len(self._places)] = pixels.reshape(-1, IMAGE_SIZE, IMAGE_SIZE)
        grid = cells.reshape(rows, _COLUMNS, IMAGE_SIZE, IMAGE_SIZE).swapaxes(1, 2).reshape(rows * IMAGE_SIZE, -1)
        png = _png(grid, _BITS)
        return png if len(png) <= MAX_SHEET_BYTES else _png(grid, _FEWER_BITS)


def _png(grid: npt.NDArray[np.uint8], bits: int) -> bytes:
    """Write levels of gray `(H, W)` as a PNG of so many bits: without Pillow, which takes long to load."""
    height, width = grid.shape
    levels = np.rint(grid / (255 // (2**bits - 1))).astype(np.uint8).reshape(height, -1, 8 // bits)
    lines = np.zeros((height, 1 + levels.shape[1]), np.uint8)  # each begins with the number of its filter: none
    for place in range(8 // bits):
        lines[:, 1:] |= levels[:, :, place] << (8 - bits * (place + 1))
    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
