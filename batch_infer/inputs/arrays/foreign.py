"""Files of many images that are not read: told by their first bytes, each with the way to one that is."""

from typing import Final

from batch_infer.downloads import describe_download
from batch_infer.errors import ImageError
from batch_infer.first_bytes import HDF5, PICKLES, TAR

_SAVE: Final = "np.savez('digits.npz', x=images, y=labels)"
_UNPACK: Final = "an archive; unpack it, and name the folder"
_FOREIGN: Final = (
    (0, b"MATLAB 5.0", f"a MATLAB file; convert it in Python: scipy.io.loadmat, then {_SAVE}"),
    (0, HDF5, f"an HDF5 file (or MATLAB 7.3); convert it in Python: h5py.File, then {_SAVE}"),
    (0, b"ARROW1", "an Arrow file; save the table as Parquet or CSV"),
    (0, b"FEA1", "a Feather file; save the table as Parquet or CSV"),
    (*TAR, _UNPACK),
    (0, b"BZh", f"{_UNPACK} (bzip2)"),
    (0, b"\xfd7zXZ\0", f"{_UNPACK} (xz)"),
    (0, b"7z\xbc\xaf\x27\x1c", f"{_UNPACK} (7-Zip)"),
    (0, b"Rar!\x1a\x07", f"{_UNPACK} (RAR)"),
    (0, b"\x28\xb5\x2f\xfd", f"{_UNPACK} (zstd)"),
)
_PICKLE: Final = f"a pickle, which is never read, as it may run programs; convert it in Python: {_SAVE}"


def refuse_foreign(head: bytes) -> None:
    """Check that a file is none of those that are known and not read.

    Raises:
        ImageError: it is; the detail says what to do.
    """
    if head.startswith(PICKLES):
        raise ImageError("not_an_image", _PICKLE)
    for offset, magic, way in _FOREIGN:
        if head[offset : offset + len(magic)] == magic:
            raise ImageError("not_an_image", way)
    what = describe_download(head)
    if what:
        raise ImageError("not_an_image", what)


def refuse_zip(names: list[str]) -> None:
    """Refuse a zip file that holds no arrays.

    Raises:
        ImageError: always; the detail says what to do.
    """
    if any(name.endswith("data.pkl") for name in names):
        raise ImageError("not_an_image", f"a file of torch.save (a pickle), which is never read; in Python: {_SAVE}")
    if "xl/workbook.xml" in names:
        raise ImageError("not_an_image", "an Excel workbook; save the table as CSV")
    raise ImageError("not_an_image", f"{_UNPACK} (zip)")
