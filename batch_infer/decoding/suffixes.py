"""The suffixes by which files in folders count as pictures; what a file is, its content decides."""

import importlib.util
from functools import cache
from typing import Final

TIFF_SUFFIXES: Final = frozenset({".tif", ".tiff"})  # of these the pages are counted when a folder is listed
SUFFIXES: Final = TIFF_SUFFIXES | {
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".pjp", ".mpo", ".bmp", ".dib", ".gif", ".webp",
    ".pbm", ".pgm", ".ppm", ".pnm", ".pfm",
}  # fmt: skip
# Read where there is a library for them, which is looked for when the first is met.
_LIBRARIES: Final = {".avif": "PIL._avif", **dict.fromkeys((".heic", ".heif", ".hif"), "pillow_heif")}
# Certainly photos, and not read: JPEG 2000, JPEG XL, JPEG XR.
_UNREADABLE: Final = frozenset({".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".jpm", ".jxl", ".jxr", ".wdp", ".hdp"})
PHOTOS: Final = frozenset(_LIBRARIES) | _UNREADABLE


def suffix_of(name: str) -> str:
    """The suffix of a file name in lower case, with its dot; empty if there is none."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot >= 0 else ""


def is_picture_name(name: str) -> bool:
    """Whether a file counts as a picture by its suffix, be it one that is read or not."""
    suffix = suffix_of(name)
    return suffix in SUFFIXES or suffix in PHOTOS


@cache
def is_readable(suffix: str) -> bool:
    """Whether files with this suffix can be read, if it says what they are."""
    if suffix in SUFFIXES:
        return True
    library = _LIBRARIES.get(suffix)
    return library is not None and importlib.util.find_spec(library) is not None
