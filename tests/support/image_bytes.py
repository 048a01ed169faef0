"""Image files made byte by byte, so that any field can have a value that no encoder would write."""

import struct
import zlib

import numpy as np

from support.helpers import png_chunk

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
IEND = png_chunk(b"IEND")


def png_header(width: int, height: int, *, colour: int = GREY, bits: int = 8) -> bytes:
    """An IHDR chunk."""
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))


def png_pixels(samples: np.ndarray, bits: int = 8) -> bytes:
    """An IDAT chunk with the samples (H, W) or (H, W, channels) at `bits` each, not filtered."""
    rows = samples.reshape(len(samples), -1)
    if bits == 16:
        packed = rows.astype(">u2").view(np.uint8)
    elif bits == 8:
        packed = rows.astype(np.uint8)
    else:
        single = (rows[..., None].astype(np.uint8) >> np.arange(bits - 1, -1, -1)) & 1
        packed = np.packbits(single.reshape(len(rows), -1).astype(np.uint8), axis=1)
    return png_chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row.tobytes() for row in packed)))


def make_png(
    samples: np.ndarray, *, colour: int = GREY, bits: int = 8, before: bytes = b"", behind: bytes = b""
) -> bytes:
    """A PNG of the samples, with chunks before and after its pixels."""
    height, width = samples.shape[:2]
    header = png_header(width, height, colour=colour, bits=bits)
    return SIGNATURE + header + before + png_pixels(samples, bits) + behind + IEND


def wrong_checksum(chunk: bytes) -> bytes:
    """The chunk with a wrong checksum."""
    return chunk[:-1] + bytes([chunk[-1] ^ 1])


def segment(kind: int, content: bytes = b"") -> bytes:
    """A segment of a JPEG."""
    return bytes([0xFF, kind]) + struct.pack(">H", len(content) + 2) + content


def frame_header(width: int, height: int, kind: int = 0xC0) -> bytes:
    """The frame header of a grey JPEG."""
    return segment(kind, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")


def riff(*chunks: bytes) -> bytes:
    """A WebP made of chunks."""
    content = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def riff_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a RIFF file, padded to an even length."""
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def webp_canvas(width: int, height: int, flags: int = 0) -> bytes:
    """A VP8X chunk."""
    return riff_chunk(
        b"VP8X", struct.pack("<I", flags) + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    )


def gif(screen: tuple[int, int], frame: tuple[int, int], *, before: bytes = b"") -> bytes:
    """A GIF of black pixels: one code, and then it ends."""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    return head + before + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x44\x01\0;"


def bmp(width: int, height: int, pixels: bytes, *, bits: int = 8, compression: int = 0) -> bytes:
    """A BMP with a palette of 256 colours and a header of 40 bytes."""
    palette = b"".join(bytes([level, level, 255 - level, 0]) for level in range(256))
    begin = 54 + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(pixels), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", begin + len(pixels), 0, 0, begin) + info + palette + pixels


def exif(orientation: int, *, order: str = "<", entries: bytes = b"", count: int = 0, more: bytes = b"") -> bytes:
    """EXIF metadata with the orientation and `count` other entries before it."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    tag = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    return mark + struct.pack(f"{order}I", 8) + struct.pack(f"{order}H", count + 1) + entries + tag + bytes(4) + more


def exif_bomb(orientation: int, *, entries: int = 60_000, size: int = 2 << 20) -> bytes:
    """EXIF metadata whose entries all point at the same megabytes: one copy of them for each in a general parser."""
    tags = np.zeros(entries, np.dtype([("tag", "<u2"), ("kind", "<u2"), ("size", "<u4"), ("place", "<u4")]))
    tags["tag"], tags["kind"], tags["size"], tags["place"] = 0x1000 + np.arange(entries), 7, size, 8
    return exif(orientation, entries=tags.tobytes(), count=entries, more=bytes(size))
