"""Valid files of every format that is read, small and different each time: what fuzz.py mutates."""

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from random import Random
from typing import Any, Final

from PIL import Image, ImageDraw

Base = Callable[[Random], bytes]
SIDES: Final = (1, 2, 3, 5, 8, 16, 28, 28, 28, 29, 40, 64, 65, 100, 150, 340)  # px
CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a PNG, by its colour type
# First column and row, and the steps to the next ones, of each pass of a PNG (its specification, 8.2).
WHOLE: Final = ((0, 0, 1, 1),)
ADAM7: Final = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def drawn(rng: Random) -> Image.Image:
    """Some strokes of ink on paper, or noise, in grey."""
    size = rng.choice(SIDES), rng.choice(SIDES)
    if rng.random() < 0.1:
        return Image.frombytes("L", size, rng.randbytes(size[0] * size[1]))
    paper, ink = rng.choice(((255, 0), (0, 255), (rng.randrange(256), rng.randrange(256))))
    image = Image.new("L", size, paper)
    draw = ImageDraw.Draw(image)
    points = [(rng.randrange(size[0]), rng.randrange(size[1])) for _ in range(rng.randrange(2, 6))]
    draw.line(points, fill=ink, width=rng.randrange(1, 2 + max(size) // 10))
    return image


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def coloured(rng: Random, mode: str) -> Image.Image:
    """A drawing with channels that are not all the same."""
    image = drawn(rng)
    channels = {"LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    return Image.merge(mode, [image.point([rng.randrange(256)] * 256) if rng.randrange(2) else image] * channels)


def by_pillow(mode: str, kind: str, **options: Any) -> Base:
    def make(rng: Random) -> bytes:
        image = drawn(rng)
        if mode in {"LA", "RGB", "RGBA", "CMYK"}:
            image = coloured(rng, mode)
        elif mode == "I;16":
            image = Image.frombytes("I;16", image.size, rng.randbytes(2 * image.width * image.height))
        elif mode != "L":
            image = image.convert(mode)
        return saved(image, kind, **options)

    return make


def exif(rng: Random) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = rng.randrange(10)  # orientation; 1 to 8 mean something
    tags[0x010E] = "description" * rng.randrange(20)
    return tags.tobytes()


def with_metadata(kind: str) -> Base:
    """EXIF with an orientation, a profile, and a resolution or a text."""

    def make(rng: Random) -> bytes:
        mode = rng.choice(("L", "RGB") if kind == "JPEG" else ("L", "RGB", "RGBA"))
        image = drawn(rng) if mode == "L" and kind != "WEBP" else coloured(rng, "RGB" if mode == "L" else mode)
        return saved(image, kind, exif=exif(rng), icc_profile=rng.randbytes(rng.randrange(1, 600)), dpi=(72, 300))

    return make


def frames(kind: str, mode: str) -> Base:
    """An animation: frames of one size, which differ."""

    def make(rng: Random) -> bytes:
        first = coloured(rng, mode)
        others = [first.rotate(90 * turn) for turn in (1, 2, 3)][: rng.randrange(1, 4)]
        return saved(first, kind, save_all=True, append_images=others, duration=40, loop=rng.randrange(3))

    return make


def png_chunk(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(colour: int, bits: int, *, interlaced: bool = False, transparent: bool = False) -> Base:
    """A PNG as no library writes it: any depth, any filters, interlaced, with texts before and behind the pixels."""

    def make(rng: Random) -> bytes:
        width, height = rng.choice(SIDES), rng.choice(SIDES)
        deep, rows = bits * CHANNELS[colour], []
        for left, top, right, down in ADAM7 if interlaced else WHOLE:
            columns = -((left - width) // right)
            for _ in range(-((top - height) // down) if columns > 0 else 0):
                length = -(-columns * deep // 8)
                row = rng.choice((bytes(length), b"\xff" * length, rng.randbytes(length)))
                rows.append(bytes([rng.randrange(5)]) + row)
        pixels = zlib.compress(b"".join(rows), 1)
        cut = rng.randrange(len(pixels))
        header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced)
        chunks = [b"\x89PNG\r\n\x1a\n", png_chunk(b"IHDR", header), png_chunk(b"tEXt", b"Title\0of a picture")]
        if colour == 3:
            chunks.append(png_chunk(b"PLTE", rng.randbytes(3 << bits)))
        if transparent:
            chunks.append(png_chunk(b"tRNS", {0: b"\0\1", 2: bytes(6)}.get(colour, rng.randbytes(1 << bits))))
        chunks += [png_chunk(b"eXIf", exif(rng)), png_chunk(b"IDAT", pixels[:cut]), png_chunk(b"IDAT", pixels[cut:])]
        text = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b'<x tiff:Orientation="6"/>' * 9)
        return b"".join([*chunks, png_chunk(b"iTXt", text), png_chunk(b"IEND")])

    return make


def rle_bmp(bits: int) -> Base:
    """A run-length BMP: runs, single pixels, ends of lines, a jump."""

    def make(rng: Random) -> bytes:
        width, height = rng.choice(SIDES), rng.choice(SIDES)
        data = bytearray()
        for _ in range(height):
            left = width
            while left > 0:
                run = rng.randrange(1, min(left, 255) + 1)
                data += bytes([run, rng.randrange(256)])
                left -= run
            data += rng.choice((b"\0\0", b"\0\0", b"\0\0", b"\0\2\0\1"))
        data += b"\0\1"
        palette = rng.randbytes(4 << bits)
        begin = 54 + len(palette)
        info = (40, width, height, 1, bits, 1 if bits == 8 else 2, len(data), 0, 0, 1 << bits, 0)
        head = b"BM" + struct.pack("<IHHI", begin + len(data), 0, 0, begin) + struct.pack("<IiiHHIIiiII", *info)
        return head + palette + bytes(data)

    return make


def pnm(kind: int, most: int = 255) -> Base:
    """P1 to P6: plain text for the first three, then bytes; with a comment."""

    def make(rng: Random) -> bytes:
        width, height = rng.choice(SIDES), rng.choice(SIDES)
        head = b"P%d\n# a comment\n%d %d\n" % (kind, width, height) + (b"" if kind in {1, 4} else b"%d\n" % most)
        count = width * height * (3 if kind in {3, 6} else 1)
        if kind <= 3:
            greatest = 1 if kind == 1 else most
            return head + b" ".join(b"%d" % rng.randrange(greatest + 1) for _ in range(count)) + b"\n"
        return head + rng.randbytes(-(-width // 8) * height if kind == 4 else count * (2 if most > 255 else 1))

    return make


def pfm(rng: Random) -> bytes:
    """A Pf: floating-point greys."""
    width, height = rng.choice(SIDES), rng.choice(SIDES)
    values = [rng.choice((0.0, 1.0, rng.random() * 300)) for _ in range(width * height)]
    return b"Pf\n%d %d\n-1.0\n" % (width, height) + struct.pack(f"<{len(values)}f", *values)


def idx_images(rng: Random) -> bytes:
    height, width, count = *rng.choice(((28, 28), (28, 28), (1, 1), (20, 30), (64, 40))), rng.randrange(6)
    return struct.pack(">4I", 0x803, count, height, width) + rng.randbytes(count * height * width)


def idx_labels(rng: Random) -> bytes:
    """Labels of the five images of FIVE."""
    return struct.pack(">2I", 0x801, 5) + bytes(rng.randrange(10) for _ in range(5))


# A bar in MNIST's format, 28×28.
ONE: Final = bytes(28 * 4) + (bytes(13) + b"\xff" * 3 + bytes(12)) * 20 + bytes(28 * 4)
FIVE: Final = struct.pack(">4I", 0x803, 5, 28, 28) + ONE * 5
IDX: Final[dict[str, Base]] = {
    "idx": idx_images,
    "gz": lambda rng: gzip.compress(idx_images(rng), 1, mtime=0),
}
LABELS: Final[dict[str, Base]] = {
    "idx": idx_labels,
    "gz": lambda rng: gzip.compress(idx_labels(rng), 1, mtime=0),
    "csv": lambda rng: b"path,index,label\n" + b"".join(b"five.idx,%d,%d\n" % (i, rng.randrange(10)) for i in range(5)),
}
PICTURES: Final[dict[str, tuple[Base, ...]]] = {
    "png": (
        *(by_pillow(mode, "PNG") for mode in ("1", "L", "L", "L", "I;16", "LA", "P", "RGB", "RGBA")),
        *(png(0, bits) for bits in (1, 2, 4, 8, 16)),
        *(png(colour, bits, interlaced=True) for colour, bits in ((0, 1), (0, 8), (0, 16), (2, 8), (3, 4), (6, 16))),
        *(png(colour, bits, transparent=True) for colour, bits in ((0, 2), (0, 8), (0, 16), (2, 8), (2, 16), (3, 8))),
        *(png(colour, 16) for colour in (2, 4, 6)),
        with_metadata("PNG"),
        frames("PNG", "RGBA"),
    ),
    "jpg": (
        by_pillow("L", "JPEG"),
        by_pillow("RGB", "JPEG", subsampling=2),
        by_pillow("RGB", "JPEG", progressive=True, restart_marker_blocks=2),
        by_pillow("CMYK", "JPEG"),
        with_metadata("JPEG"),
        frames("MPO", "RGB"),
    ),
    "gif": (by_pillow("L", "GIF"), by_pillow("P", "GIF", interlace=1, transparency=0), frames("GIF", "RGB")),
    "bmp": (
        *(by_pillow(mode, "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")),
        rle_bmp(4),
        rle_bmp(8),
    ),
    "tif": (
        *(by_pillow(mode, "TIFF") for mode in ("1", "L", "P", "RGB", "RGBA", "CMYK")),
        *(by_pillow("L", "TIFF", compression=name) for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")),
        *(by_pillow("1", "TIFF", compression=name) for name in ("group3", "group4", "tiff_ccitt")),
        by_pillow("RGB", "TIFF", compression="jpeg"),
        frames("TIFF", "RGB"),
    ),
    "webp": (
        by_pillow("RGB", "WEBP"),
        by_pillow("RGBA", "WEBP"),
        by_pillow("RGBA", "WEBP", lossless=True),
        with_metadata("WEBP"),
        frames("WEBP", "RGBA"),
    ),
    "pnm": (*(pnm(kind) for kind in range(1, 7)), pnm(2, 1000), pnm(5, 65535), pnm(6, 300), pfm),
}
