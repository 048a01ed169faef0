"""A fast path for plain PNGs (8-bit grey or RGB, pixels only): several times faster than the general decoder."""

from typing import Any, Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

try:
    # What pyspng.load calls; load itself spends a fifth of the time looking up the format's name.
    from pyspng._pyspng_c import SPNG_FMT_G8, SPNG_FMT_RGB8, spng_decode_image_bytes
except ImportError:  # no wheel for this platform: Pillow decodes to the same pixels in ten times the time
    SPNG_FMT_G8 = SPNG_FMT_RGB8 = spng_decode_image_bytes = None

# The three chunks of such a file: IHDR (13 bytes of content), one IDAT, IEND; each has 12 bytes around its content.
_START: Final = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_GREY: Final = b"\x08\0\0\0\0"  # 8 bits, grey, deflate, adaptive filters, not interlaced
_RGB: Final = b"\x08\2\0\0\0"  # the same in three channels
_END: Final = b"\0\0\0\0IEND\xaeB`\x82"
_OVERHEAD: Final = 33 + 12 + len(_END)  # bytes besides the content of IDAT


class Picture(NamedTuple):
    """A decoded file.

    Attributes:
        grey: (H, W) uint8.
        one_channel: whether the file had exactly one channel of 8 bits and no rotation.
        lossy: whether its compression changes levels: a few of them next to black are no picture then.
    """

    grey: NDArray[np.uint8]
    one_channel: bool
    lossy: bool = False


def is_plain(data: bytes) -> bool:
    """Whether a file is an 8-bit grey or RGB PNG of at most 255 px a side that contains only pixels.

    So nothing in it can rotate, recolour or animate the picture.
    """
    return (
        data[:16] == _START
        and data[16:19] == b"\0\0\0" == data[20:23]
        and data[24:29] in {_GREY, _RGB}
        and data[37:41] == b"IDAT"
        and int.from_bytes(data[33:37], "big") == len(data) - _OVERHEAD
        and data.endswith(_END)
    )


def decode_plain(data: bytes) -> Picture | None:
    """Decode a plain PNG.

    Args:
        data: content of the file.

    Returns:
        The same pixels as Pillow's, colours as one channel; None if this is not a plain PNG or something is wrong with
        it: the general decoder then finds and names it.
    """
    if spng_decode_image_bytes is None or not is_plain(data) or not _checksums_fit(data):
        return None
    grey = data[24:29] == _GREY
    try:
        pixels: Any = spng_decode_image_bytes(data, SPNG_FMT_G8 if grey else SPNG_FMT_RGB8)
    except Exception:  # whatever is wrong: the general decoder names it
        return None
    if not grey:
        from batch_infer.decoding.pixels.grayscale import project  # it loads Pillow, which grey PNGs do not need

        return Picture(project(pixels), one_channel=False)
    return Picture(pixels.reshape(pixels.shape[:2]), one_channel=True)


def _checksums_fit(data: bytes) -> bool:
    """Verify the checksums of a plain PNG's header and pixels, which pyspng does not."""
    return crc32(data[12:29]) == int.from_bytes(data[29:33], "big") and crc32(data[37:-16]) == int.from_bytes(
        data[-16:-12], "big"
    )
