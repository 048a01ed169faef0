"""Parquet tables with a column of image files, as Hugging Face keeps its data sets."""

import os
from collections.abc import Iterator
from typing import IO, Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from batch_infer.errors import DamagedArrayError
from batch_infer.inputs.arrays.inflate import open_at_once
from batch_infer.inputs.arrays.label_values import LABEL_NAMES, to_labels
from batch_infer.inputs.arrays.source import ArraySource, Sampler, token_of

_CHUNK: Final = 1024  # images; a multiple of contract.MODEL_BATCH
_CHUNK_BYTES: Final = 16 << 20
_BATCH: Final = 64  # rows read at a time


class ParquetImages(ArraySource):
    """A Parquet table of image files (bytes, or a struct with `bytes`) that was found sound.

    All of it is read once before it counts.

    Attributes:
        shape: `(count,)`.

    Raises:
        DamagedArrayError: it cannot be read, or has no column of image files.
        OSError: the file cannot be read.
    """

    kind: ClassVar[str] = "Parquet table"
    sequential = True

    def __init__(self, path: str) -> None:
        self.path = self.file = path
        with open(path, "rb", opener=open_at_once) as file:
            self.token = token_of(os.fstat(file.fileno()))
            table = _opened(file)
            self._column, self._label = _columns(table)
            self.shape = (table.metadata.num_rows,)
            self._size = max(1, min(_CHUNK, _CHUNK_BYTES // (1 + self.token[0] // max(1, self.shape[0]))))
            sampler, count = Sampler(self.sample_places), 0
            for images in self._images(table):
                sampler.see(images)
                count += len(images)
            if count != self.shape[0]:
                raise DamagedArrayError(f"the table says {self.shape[0]} rows; there are {count}")
            self.sample = sampler.collected()
            self._labels = None if self._label is None else _read_labels(table, self._label)

    @property
    def chunk_size(self) -> int:
        """The number of images that form a chunk."""
        return self._size

    def labels(self) -> npt.NDArray[np.int8] | None:
        """The labels of the column that holds them."""
        return None if self._labels is None else to_labels(self._labels, self.shape[0], f"column {self._label}")

    def stream(self, size: int) -> Iterator[list[bytes]]:
        """Read the image files, `size` at a time."""
        with self._open_again() as file:
            held: list[bytes] = []
            for images in self._images(_opened(file)):
                held += images
                while len(held) >= size:
                    yield held[:size]
                    held = held[size:]
            if held:
                yield held

    def _images(self, table: Any) -> Iterator[list[bytes]]:
        """Read the column of image files; a missing one is empty."""
        import pyarrow as pa

        try:
            for batch in table.iter_batches(batch_size=min(_BATCH, self._size), columns=[self._column]):
                column = batch.column(0)
                if pa.types.is_struct(column.type):
                    column = column.field("bytes")
                yield [image or b"" for image in column.to_pylist()]
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _damage(error) from error


def _opened(file: IO[bytes]) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damage(error) from error


def _damage(error: Exception) -> Exception:
    if isinstance(error, OSError) and error.errno is not None:
        return error  # of the system, not of Arrow
    return DamagedArrayError(f"damaged Parquet data: {' '.join(str(error).split())[:120]}")


def _columns(table: Any) -> tuple[str, str | None]:
    """Find the columns of image files and of labels."""
    import pyarrow as pa

    schema = table.schema_arrow
    images = []
    for field in schema:
        kind = field.type
        if pa.types.is_struct(kind):
            index = kind.get_field_index("bytes")
            kind = kind.field(index).type if index >= 0 else kind
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            images.append(field.name)
    labels = [name for name in schema.names if name.lower() in LABEL_NAMES]
    if len(images) != 1:
        shown = ", ".join(schema.names[:4]) + ", …" * (len(schema.names) > 4)
        raise DamagedArrayError(
            f"a table of the columns {shown}; expected one of image files (bytes, or a struct with bytes); "
            "pixels? save them as CSV: label,pixel0 … pixel783"
        )
    return images[0], labels[0] if labels else None


def _read_labels(table: Any, name: str) -> npt.NDArray[Any]:
    import pyarrow as pa

    try:
        parts = [
            np.array([np.nan if value is None else value for value in batch.column(0).to_pylist()], np.float32)
            for batch in table.iter_batches(columns=[name])
        ]
    except (pa.ArrowException, ValueError, TypeError) as error:
        return np.array([f"{type(error).__name__}"])  # refused when labels are asked for
    return np.concatenate(parts) if parts else np.empty(0, np.float32)
