"""One image file → a grey picture, or what is wrong with it."""

import io
import os
import stat
import warnings
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

# Pillow's decoders by allow-list: it has others that start programs (PostScript) or write to stderr (TIFF).
FORMATS: Final = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "PPM")
SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".pbm", ".pgm", ".ppm", ".pnm"})
MAX_FILE_BYTES: Final = 64 << 20
MAX_PIXELS: Final = 64_000_000  # of one picture

Image.MAX_IMAGE_PIXELS = None  # our own limit is checked from the header, before anything is decoded


class ImageFault(Exception):
    """One image cannot be used: a code from contract.ERROR_CODES and a detail for the log."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


def load_picture(path: str) -> npt.NDArray[np.uint8]:
    """Read and decode one image file → grey `(H, W)` uint8.

    Raises:
        ImageFault: it is no regular readable file, too large, or no intact image of an allowed format.
    """
    return decode(read_file(path))


def read_file(path: str) -> bytes:
    """Read one regular file, whole.

    Raises:
        ImageFault: with one of the codes about files.
    """
    try:
        # Non-blocking: opening a FIFO must not hang; nothing is read before it is known to be a regular file.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise ImageFault(*fault_of(error)) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ImageFault("not_regular", "not a regular file")
        if status.st_size > MAX_FILE_BYTES:
            raise ImageFault("too_large", f"{status.st_size:,} bytes; expected at most {MAX_FILE_BYTES:,}")
        # One byte more than it had: a file that is growing shows as such.
        data = os.read(descriptor, status.st_size + 1)
    except OSError as error:
        raise ImageFault(*fault_of(error)) from error
    finally:
        os.close(descriptor)
    if not data:
        raise ImageFault("empty", "0 bytes")
    if len(data) != status.st_size:
        raise ImageFault("unreadable", "the file changed while it was read")
    return data


def decode(data: bytes) -> npt.NDArray[np.uint8]:
    """Decode one image file's bytes → grey `(H, W)` uint8.

    Raises:
        ImageFault: `not_an_image`, `truncated` or `too_large`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise ImageFault("too_large", f"{width}×{height} pixels; expected at most {MAX_PIXELS:,}")
                return np.asarray(image if image.mode == "L" else image.convert("L"))
    except ImageFault:
        raise
    except UnidentifiedImageError as error:
        raise ImageFault("not_an_image", f"expected one of {', '.join(FORMATS)}") from error
    except MemoryError as error:
        raise ImageFault("too_large", "not enough memory") from error
    except Exception as error:  # Pillow's decoders raise anything about damaged data
        detail = " ".join(str(error).split())[:120]
        raise ImageFault("truncated", f"the picture's data are damaged or cut off ({detail})") from error


def fault_of(error: OSError) -> tuple[str, str]:
    """The code and the detail for an operating-system error at one input."""
    detail = error.strerror or str(error)
    if isinstance(error, FileNotFoundError):
        return "vanished", detail
    if isinstance(error, PermissionError):
        return "no_permission", detail
    return "unreadable", detail
