"""The first bytes by which kinds of files are recognized: those that more than one module looks for."""

from typing import Final

GZIP: Final = b"\x1f\x8b"
HDF5: Final = b"\x89HDF\r\n\x1a\n"
NPY: Final = b"\x93NUMPY"
PARQUET: Final = b"PAR1"
TAR: Final = (257, b"ustar")  # not at the beginning, but there
ZIP: Final = b"PK\3\4"
# Protocols 2 to 5 begin with 80 and their number, then an opcode; JPEG 2000 and MPEG have other second bytes.
PICKLES: Final = (b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5")
