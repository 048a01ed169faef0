"""Which kind of file of many images an INPUT is, by its content; one entry here for each kind."""

import os
import zlib
from typing import Final

from batch_infer.errors import DamagedArrayError
from batch_infer.first_bytes import NPY, PARQUET, ZIP
from batch_infer.inputs.arrays.foreign import refuse_foreign
from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.inputs.arrays.idx_format import kind_of
from batch_infer.inputs.arrays.inflate import open_at_once
from batch_infer.inputs.arrays.npy import NpyImages
from batch_infer.inputs.arrays.source import ArraySource

MEMBER: Final = "::"  # between a file and the name of an array in it
_HEAD: Final = 1 << 16  # bytes; the first line of a table of 28×28 pixels has 7,000


def file_of(path: str) -> str:
    """The file that an INPUT names: without `::name`, unless there is a file of exactly that name."""
    file, separator, _ = path.rpartition(MEMBER)
    return file if separator and not os.path.lexists(path) and os.path.isfile(file) else path


def open_array(path: str) -> ArraySource | None:
    """Open and check a file of many images; None if it is none, so perhaps an image file.

    Raises:
        DamagedArrayError: it is one, and it is damaged.
        ImageError: it is of a kind that is known and not read.
        UsageError: it holds several arrays and none, or one that is not there, was named.
        OSError: it cannot be read.
    """
    file = file_of(path)
    with open(file, "rb", opener=open_at_once) as content:
        head = content.read(_HEAD)
    kind = kind_of(head)
    head = _inflated(head) if kind == "gzip" else head
    refuse_foreign(head)
    if head[:4] == ZIP:
        from batch_infer.inputs.arrays.npz import open_npz

        return open_npz(path, file, path[len(file) + len(MEMBER) :])
    if path != file:
        raise DamagedArrayError(f"only a NumPy archive (.npz) holds named arrays; expected one before {MEMBER}")
    if kind == "idx":
        return IdxImages(path)
    if head[:6] == NPY and kind != "gzip":
        return NpyImages(path)
    if head[:4] == PARQUET:
        from batch_infer.inputs.arrays.parquet import ParquetImages

        return ParquetImages(path)
    from batch_infer.inputs.arrays.pixel_csv import PixelTable, is_table

    if is_table(head, named=path.lower().removesuffix(".gz").endswith((".csv", ".tsv"))):
        return PixelTable(path)
    return IdxImages(path) if kind == "gzip" else None  # which says what is wrong with it


def _inflated(head: bytes) -> bytes:
    """Inflate the beginning of a gzip file; empty if it is damaged: IdxImages says how."""
    inflated = b""
    while head and len(inflated) < _HEAD:
        member = zlib.decompressobj(wbits=31)
        try:
            inflated += member.decompress(head, _HEAD - len(inflated))
        except zlib.error:
            return b""
        head = member.unused_data
    return inflated
