"""Image files of every format and mode as bytes: good ones, damaged ones, and headers that claim too much."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from batch_infer.decoding.decode import decode
from batch_infer.errors import ImageError
from support.helpers import png_chunk

RAMP = np.arange(0, 240, 2, dtype=np.uint8).reshape(10, 12)  # no symmetry, 10 high, 12 wide


def encoded(picture: Image.Image | npt.NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    """A picture encoded by Pillow."""
    buffer = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(buffer, kind, **options)
    return buffer.getvalue()


def ramp(mode: str) -> Image.Image:
    """The ramp in one of Pillow's modes."""
    return Image.fromarray(RAMP).convert(mode)


def fault(data: bytes) -> tuple[str, str]:
    """The code and detail with which a file is refused."""
    with pytest.raises(ImageError) as caught:
        decode(data)
    return caught.value.code, caught.value.detail


def png_header(width: int, height: int, *, colour: int = 0, bits: int = 8) -> bytes:
    """The start of a PNG that claims this size."""
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))


def with_chunk(png: bytes, extra: bytes) -> bytes:
    """A PNG with one more chunk before its pixels."""
    place = png.index(b"IDAT") - 4
    return png[:place] + extra + png[place:]


def pfm(values: npt.NDArray[Any]) -> bytes:
    """A PFM of floating-point greys."""
    return b"Pf\n%d %d\n-1.0\n" % values.shape[::-1] + values[::-1].astype("<f4").tobytes()


def gif(width: int, height: int, *, screen: int = 0) -> bytes:
    """A GIF whose frame, and whose screen unless given, claims this size."""
    head = struct.pack("<HHBBB", screen or width, screen or height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return b"GIF89a" + head + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\0;"


def bmp(width: int, height: int) -> bytes:
    """A BMP whose header claims this size."""
    data = bytearray(encoded(RAMP, "BMP"))
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


def jpeg(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A JPEG whose header claims this size."""
    data = bytearray(encoded(RAMP, "JPEG", progressive=progressive))
    place = data.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def webp(width: int, height: int) -> bytes:
    """A lossless WebP whose header claims this size."""
    body = b"\x2f" + struct.pack("<I", (width - 1) | ((height - 1) << 14)) + bytes(21)
    content = b"WEBPVP8L" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(content)) + content


# The decoded picture must be RAMP, value for value; the second entry says whether it is one channel of 8 bits.
EXACT = {
    "PNG L": (encoded(ramp("L")), True),
    "PNG L, not compressed": (encoded(ramp("L"), compress_level=0), True),
    "PNG LA": (encoded(ramp("LA")), False),
    "PNG RGB": (encoded(ramp("RGB")), False),
    "PNG RGBA": (encoded(ramp("RGBA")), False),
    "PNG P": (encoded(ramp("P")), False),
    "PNG I;16 × 257": (encoded(RAMP.astype(np.uint16) * 257), False),
    "PNG I;16 × 256": (encoded(RAMP.astype(np.uint16) * 256), False),
    "BMP L": (encoded(ramp("L"), "BMP"), None),
    "BMP RGB": (encoded(ramp("RGB"), "BMP"), False),
    "GIF": (encoded(ramp("L"), "GIF"), None),
    "TIFF": (encoded(ramp("L"), "TIFF"), True),
    "TIFF RGB, LZW": (encoded(ramp("RGB"), "TIFF", compression="tiff_lzw"), False),
    "TIFF, Deflate": (encoded(ramp("L"), "TIFF", compression="tiff_adobe_deflate"), True),
    "WebP RGB": (encoded(ramp("RGB"), "WEBP", lossless=True), False),
    "WebP RGBA": (encoded(ramp("RGBA"), "WEBP", lossless=True), False),
    "PGM": (encoded(ramp("L"), "PPM"), True),
    "PGM, a comment": (b"P5\n# made by hand\n12 10\n255\n" + RAMP.tobytes(), True),
    "PGM, plain": (b"P2 12 10 255\n" + b" ".join(b"%d" % value for value in RAMP.ravel()) + b"\n", True),
    "PGM, 16 bit": (b"P5 12 10 65535\n" + (RAMP.astype(">u2") * 257).tobytes(), False),
    "PPM": (encoded(ramp("RGB"), "PPM"), False),
    "PPM, plain": (b"P3 12 10 255\n" + b" ".join(b"%d %d %d" % (v, v, v) for v in RAMP.ravel()) + b"\n", False),
    "PFM, 0 … 255": (pfm(RAMP), False),
    "PFM, 0 … 1": (pfm(RAMP / 255), False),
}

LOSSY = {
    "JPEG L": encoded(ramp("L"), "JPEG", quality=95),
    "JPEG RGB": encoded(ramp("RGB"), "JPEG", quality=95),
    "JPEG CMYK": encoded(ramp("RGB").convert("CMYK"), "JPEG", quality=95),
    "JPEG YCbCr, progressive": encoded(ramp("YCbCr"), "JPEG", quality=95, progressive=True),
    "WebP": encoded(ramp("RGB"), "WEBP", quality=95),
}

BITS = RAMP > 100

ONE_BIT = {
    "PNG 1": encoded(BITS),
    "BMP 1": encoded(BITS, "BMP"),
    "TIFF 1, G4": encoded(Image.fromarray(BITS), "TIFF", compression="group4"),
    "PBM": encoded(BITS, "PPM"),
    "PBM, plain": b"P1\n12 10\n" + b" ".join(b"%d" % value for value in ~BITS.ravel()) + b"\n",
}

GOOD = {name: data for name, (data, _) in EXACT.items()} | LOSSY | ONE_BIT

BOMB = png_header(60_000, 60_000) + png_chunk(b"IDAT", zlib.compress(bytes(20 << 20))) + png_chunk(b"IEND")

FAR_OVER_OURS = {
    "BMP": bmp(60_000, 60_000),
    "GIF": gif(60_000, 60_000),
    "PNG": BOMB,
    "PPM": b"P6 60000 60000 255\n",
}

OVER_OURS = {
    "PNG": png_header(8000, 8000, bits=1) + png_chunk(b"IDAT", zlib.compress(bytes(8_008_000))) + png_chunk(b"IEND"),
    "BMP": bmp(8000, 8000),
    "GIF": gif(8000, 8000),
    "PPM": b"P6 8000 8000 255\n",
}

PNG_RGB = encoded(ramp("RGB"))

UNREADABLE = {
    "no zlib stream": PNG_RGB.replace(b"IDAT\x78", b"IDAT\xff"),
    "no pixels": png_header(28, 28) + png_chunk(b"IEND"),
    "zero width": png_header(0, 5) + png_chunk(b"IEND"),
    "PPM without a size": b"P5 x y 255\n" + bytes(100),
    "PFM with no scale": b"Pf\n2 1\n0.0\n" + bytes(8),
}
