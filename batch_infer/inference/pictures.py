"""What the images of a chunk look like, until it is known which of them the report shows."""

import io
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from batch_infer.inputs.chunks import KeptPicture

_QUALITY = 75  # of JPEG


class Pictures:
    """The pictures of one chunk, by row: what the model saw, and small copies of what looked otherwise."""

    def __init__(self, kept: Mapping[int, KeptPicture] = MappingProxyType({})) -> None:
        """Begin with those that the state of --incremental has, by row."""
        self._kept = kept
        self._images: npt.NDArray[np.uint8] | None = None
        self._rows = np.empty(0, np.int64)
        self._originals: Mapping[int, npt.NDArray[np.uint8]] = {}

    def add(
        self,
        rows: npt.NDArray[np.int64],
        images: npt.NDArray[np.uint8],
        originals: Mapping[int, npt.NDArray[np.uint8]],
    ) -> None:
        """Keep the pictures of the chunk, as `load` gives them.

        Args:
            rows: `(m,)` which rows of the chunk, ascending.
            images: `(m, 28, 28)` uint8.
            originals: `(h, w)` uint8 by position among them.
        """
        self._rows, self._images, self._originals = rows, images, originals

    def seen(self, row: int) -> bytes | None:
        """What the model saw, 784 bytes; None if the row was not loaded, as its probabilities were known."""
        if row in self._kept:
            return self._kept[row][1]
        number = self._number(row)
        return None if self._images is None or number is None else self._images[number].tobytes()

    def original(self, row: int) -> bytes | None:
        """The picture as a JPEG, at most 96 px a side; None if the row was not loaded, or is what the model saw."""
        if row in self._kept:
            return self._kept[row][0]
        number = self._number(row)
        picture = None if number is None else self._originals.get(number)
        if picture is None:
            return None
        from PIL import Image  # jobs of plain PNGs do not need it otherwise

        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=_QUALITY, optimize=True)
        return file.getvalue()

    def _number(self, row: int) -> int | None:
        number = int(np.searchsorted(self._rows, row))
        return number if number < len(self._rows) and self._rows[number] == row else None
