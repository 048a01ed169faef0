"""One page of a TIFF → a grey picture."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL.TiffImagePlugin import TiffImageFile

from batch_infer.decoding.decoders.captured_stderr import libtiff_messages
from batch_infer.decoding.decoders.png import Picture
from batch_infer.decoding.pixels.orientation import UPRIGHT, undo_orientation
from batch_infer.decoding.pixels.pillow_modes import loaded_to_grey
from batch_infer.decoding.structure.tiff import MAX_PAGES, Directory, check_is_picture, find_pages, reader
from batch_infer.decoding.structure.tiff_page import TiffPage, read_page
from batch_infer.errors import ImageError


def decode_tiff(data: bytes, number: int | None) -> Picture:
    """Decode one page of a TIFF.

    Args:
        data: content of the file.
        number: which page, from 0; None for the only one.

    Raises:
        ImageError: not_an_image, truncated, too_large, unreadable or non_finite.
    """
    directory = _page(data, number)
    check_is_picture(directory, reader(data))
    page = read_page(data, directory)
    messages: list[str] = []
    try:
        grey, single = _decode(page, directory, data, messages)
    except (OSError, ValueError) as error:
        if not messages:
            raise
        raise _damaged(messages) from error
    if messages:  # libtiff goes on behind a code that it does not know; what it then gives is not the picture
        raise _damaged(messages)
    upright = page.orientation == UPRIGHT
    return Picture(undo_orientation(grey, page.orientation), one_channel=single and upright, lossy=page.lossy)


def _decode(page: TiffPage, directory: Directory, data: bytes, messages: list[str]) -> tuple[NDArray[np.uint8], bool]:
    """Decode a checked page → (H, W) uint8, and whether it has one channel; what libtiff says goes to `messages`."""
    with warnings.catch_warnings(), libtiff_messages(messages):
        warnings.simplefilter("ignore")
        try:
            image = TiffImageFile(io.BytesIO(page.data))
        except SyntaxError as error:
            kind = _kind(directory, data)
            raise ImageError("unreadable", f"TIFF: pixels of an unusual kind ({kind}); save it as PNG") from error
        with image:
            if image.size != (page.width, page.height):
                raise ImageError("unreadable", "TIFF: its size cannot be read")
            image.load()
            return loaded_to_grey(image), image.mode in {"L", "1"}


def _damaged(messages: list[str]) -> ImageError:
    short = any(word in messages[0].lower() for word in ("not enough data", "eof", "read error"))
    return ImageError(
        "truncated" if short else "unreadable", f"TIFF: {messages[0].removeprefix('tempfile.tif: ')[:120]}"
    )


def _page(data: bytes, number: int | None) -> Directory:
    pages = find_pages(reader(data))
    if len(pages) > MAX_PAGES:
        raise ImageError("too_large", f"TIFF: more than {MAX_PAGES} pages; split it, for example with tiffsplit")
    if number is None and len(pages) > 1:
        raise ImageError(
            "not_an_image",
            f"TIFF of {len(pages)} pages; these are rows only if its name ends in .tif or .tiff: rename it",
        )
    if number is not None and number >= len(pages):
        raise ImageError("unreadable", "TIFF: the file changed during the run, it has fewer pages now")
    page = pages[number or 0]
    if isinstance(page, ImageError):
        raise page
    return page


def _kind(directory: Directory, data: bytes) -> str:
    read = reader(data)
    tags = {"bits": 258, "photometric interpretation": 262, "sample format": 339, "extra samples": 338}
    found = {name: directory.numbers(read, tag, 4) for name, tag in tags.items()}
    return ", ".join(f"{name} {' '.join(map(str, numbers))}" for name, numbers in found.items() if numbers)
