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
_HEAD: Final = 33  # bytes up to the end of IHDR
_OVERHEAD: Final = _HEAD + 12 + len(_END)  # bytes besides the content of IDAT
_MOST_HEADS: Final = 1000
_checked_heads: dict[bytes, bool] = {}  # those found to be right, and whether they are grey: most files share one


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


def decode_plain(data: bytes) -> Picture | None:
    """Decode a plain PNG: 8-bit grey or RGB, at most 255 px a side, nothing in it but pixels.

    So nothing in it can rotate, recolour or animate the picture.

    Args:
        data: content of the file.

    Returns:
        The same pixels as Pillow's, colours as one channel; None if this is not a plain PNG or something is wrong with
        it: the general decoder then finds and names it.
    """
    head = data[:_HEAD]
    grey = _checked_heads.get(head)
    if grey is None:
        if spng_decode_image_bytes is None or not _is_plain_head(head):
            return None
        grey = head[24:29] == _GREY
        if len(_checked_heads) < _MOST_HEADS:
            _checked_heads[head] = grey
    # One IDAT with all but the head and the end; pyspng does not verify its checksum.
    if (
        data[_HEAD:41] != (len(data) - _OVERHEAD).to_bytes(4, "big", signed=True) + b"IDAT"
        or data[-16:] != crc32(data[37:-16]).to_bytes(4, "big") + _END
    ):
        return None
    try:
        pixels: Any = spng_decode_image_bytes(data, SPNG_FMT_G8 if grey else SPNG_FMT_RGB8)
    except Exception:  # whatever is wrong: the general decoder names it
        return None
    if not grey:
        from batch_infer.decoding.pixels.grayscale import project  # it loads Pillow, which grey PNGs do not need

        return Picture(project(pixels), one_channel=False)
    return Picture(pixels[:, :, 0], one_channel=True)


def _is_plain_head(head: bytes) -> bool:
    """Whether a head is that of an 8-bit grey or RGB PNG of at most 255 px a side, and its checksum fits."""
    return (
        head[:16] == _START
        and head[16:19] == b"\0\0\0" == head[20:23]
        and head[24:29] in {_GREY, _RGB}
        and crc32(head[12:29]).to_bytes(4, "big") == head[29:]
    )
