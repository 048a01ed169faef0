"""The chunks of a PNG: checked for the order and number that the specification requires, and stripped of metadata.

Decoders do not agree on files that break these rules (which of two headers counts, where the pixels end), and they read
metadata that can be larger than the picture. So the rules are checked here, for all of them, and Pillow is given only
the chunks that make the picture.
"""

import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple
from zlib import crc32

from batch_infer.decoding.pixels.orientation import Metadata
from batch_infer.errors import ImageError

GREY, COLOUR, PALETTE, GREY_ALPHA, COLOUR_ALPHA = 0, 2, 3, 4, 6
MAX_TEXT: Final = 1 << 20  # bytes of metadata that are read: the orientation is near the beginning
_DEPTHS: Final = {
    GREY: {1, 2, 4, 8, 16},
    COLOUR: {8, 16},
    PALETTE: {1, 2, 4, 8},
    GREY_ALPHA: {8, 16},
    COLOUR_ALPHA: {8, 16},
}
_SAMPLES: Final = {GREY: 1, COLOUR: 3}  # in the tRNS chunk, by the colour type
_TEXTS: Final = {b"tEXt", b"zTXt", b"iTXt"}
_EXIF, _EXIF_PROFILE, _XMP = b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp"  # a chunk and two keywords


class Png(NamedTuple):
    """A PNG whose structure was checked.

    Attributes:
        data: a PNG of the chunks that make the picture; the file itself if it has no others.
        width, height: in px.
        bits: bits per sample.
        colour: the colour type.
        transparent: the sample or samples of a transparent pixel, at the depth of the pixels; None if there is none.
        metadata: where the orientation may be.
    """

    data: bytes
    width: int
    height: int
    bits: int
    colour: int
    transparent: tuple[int, ...] | None
    metadata: Metadata


class _Chunk(NamedTuple):
    kind: bytes
    start: int  # of its content
    end: int


def read_png(data: bytes) -> Png:
    """Check the chunks of a PNG, and keep those that make the picture (PNG specification, 5 and 11).

    Raises:
        ImageError: not_an_image where chunks are missing, too many or in the wrong order; truncated; unreadable where
            a checksum or the header is wrong.
    """
    chunks = [_Chunk(*chunk) for chunk in png_chunks(data)]
    header = _checked_header(data, chunks)
    bits, colour = header[8], header[9]
    kept, transparency = _kept(data, chunks, colour)
    return Png(
        data
        if len(kept) == len(chunks)
        else b"".join([data[:8], *(data[chunk.start - 8 : chunk.end + 4] for chunk in kept)]),
        int.from_bytes(header[:4], "big"),
        int.from_bytes(header[4:8], "big"),
        bits,
        colour,
        None if transparency is None or colour == PALETTE else _samples(transparency, bits, colour),
        _metadata(data, chunks),
    )


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Walk over a PNG's chunks up to IEND: their kind, and where their content begins and ends.

    The last one may be truncated.
    """
    position = 8
    while position + 8 <= len(data):
        start = position + 8
        end = start + int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : start]
        yield kind, start, end
        if kind == b"IEND":
            return
        position = end + 4


def _checked_header(data: bytes, chunks: list[_Chunk]) -> bytes:
    """The content of the one IHDR chunk, which comes first."""
    if not chunks:
        raise ImageError("truncated", "PNG: it ends before its header")
    if chunks[0].kind != b"IHDR":
        raise ImageError("not_an_image", f"PNG: its first chunk is {_shown(chunks[0].kind)}, not IHDR")
    if sum(chunk.kind == b"IHDR" for chunk in chunks) > 1:
        raise ImageError("not_an_image", "PNG: it has more than one header (IHDR)")
    _, start, end = chunks[0]
    if end - start != 13:
        raise ImageError("not_an_image", f"PNG: its header has {end - start:,} bytes, not 13")
    if end + 4 > len(data):
        raise ImageError("truncated", "PNG: it ends within its header")
    _check_checksum(data, chunks[0])
    header = data[start:end]
    if header[8] not in _DEPTHS.get(header[9], ()):
        raise ImageError("unreadable", f"PNG: its header says {header[8]} bits of colour type {header[9]}")
    if header[10] or header[11] or header[12] > 1:
        raise ImageError("unreadable", "PNG: its header asks for an unknown compression, filter or interlace method")
    return header


def _kept(data: bytes, chunks: list[_Chunk], colour: int) -> tuple[list[_Chunk], bytes | None]:
    """The chunks that make the picture, and the content of tRNS before the pixels; checks order and checksums."""
    kept: list[_Chunk] = []
    transparency: bytes | None = None
    pixels, palettes = 0, 0
    previous = b""
    for chunk in chunks:
        kind = chunk.kind
        early = not pixels
        if kind == b"IDAT":
            if pixels and previous != kind:
                raise ImageError("not_an_image", f"PNG: its pixel data (IDAT) continue after {_shown(previous)}")
            pixels += 1
        previous = kind
        if chunk.end + 4 > len(data):  # the decoder detects missing pixels
            kept += [chunk] if kind == b"IDAT" else []
            break
        colour_key = kind == b"tRNS" and early and transparency is None
        critical = not kind[0] & 0x20 and (early or kind == b"IDAT")
        if critical or colour_key:
            _check_checksum(data, chunk)
        if colour_key:
            transparency = data[chunk.start : chunk.end]
        palettes += early and kind == b"PLTE"
        # Pillow handles the transparency of palettes; that of grey and colour it misreads at some depths.
        if (
            (colour == PALETTE and colour_key)
            or (critical and (kind != b"PLTE" or colour == PALETTE))
            or kind == b"IEND"
        ):
            kept.append(chunk)
    if not pixels:
        complete = chunks[-1].kind == b"IEND"
        raise ImageError("unreadable" if complete else "truncated", "PNG: it has no pixel data")
    if colour == PALETTE and palettes != 1:
        raise ImageError("not_an_image", f"PNG: {palettes or 'no'} palettes (PLTE) before its pixels; expected one")
    return kept, transparency


def _check_checksum(data: bytes, chunk: _Chunk) -> None:
    kind, start, end = chunk
    if not _has_checksum(data, start, end):
        what = "pixel data" if kind == b"IDAT" else f"chunk {_shown(kind)}"
        raise ImageError("unreadable", f"PNG: the checksum of its {what} is wrong")


def _has_checksum(data: bytes, start: int, end: int) -> bool:
    """Whether the checksum after a chunk's content is right (PNG specification, 5.3)."""
    return crc32(memoryview(data)[start - 4 : end]) == int.from_bytes(data[end : end + 4], "big")


def _samples(content: bytes, bits: int, colour: int) -> tuple[int, ...] | None:
    """The transparent sample or samples of a tRNS chunk: its low bits, at the depth of the pixels (11.3.1.1)."""
    count = _SAMPLES.get(colour, 0)
    if len(content) < 2 * count:
        raise ImageError("unreadable", f"PNG: its chunk tRNS has {len(content)} bytes, not {2 * count}")
    mask = (1 << bits) - 1
    return tuple(int.from_bytes(content[2 * i : 2 * i + 2], "big") & mask for i in range(count)) or None


def _metadata(data: bytes, chunks: list[_Chunk]) -> Metadata:
    """EXIF and XMP, the first of each, if complete; damaged metadata never makes a picture unreadable."""
    if not any(chunk.kind == _EXIF or chunk.kind in _TEXTS for chunk in chunks):
        return Metadata()
    found = {_EXIF: b"", _EXIF_PROFILE: b"", _XMP: b""}
    missing = set(found)
    for kind, start, end in chunks:
        if kind == _EXIF:
            keyword = kind
        elif kind in _TEXTS:
            keyword = data[start : start + 80].partition(b"\0")[0]
        else:
            continue
        if keyword in missing and _has_checksum(data, start, end):
            missing.remove(keyword)
            content = data[start : min(end, start + MAX_TEXT)]
            found[keyword] = content if kind == _EXIF else _text(kind, content[len(keyword) + 1 :])
    return Metadata(found[_EXIF] or _profile(found[_EXIF_PROFILE]), found[_XMP])


def _text(kind: bytes, content: bytes) -> bytes:
    """The text after the keyword of a text chunk (11.3.3), as far as it can be read."""
    if kind == b"tEXt":
        return content
    if kind == b"zTXt":
        return _inflated(content[1:])
    if content.count(b"\0", 2, 1 << 10) < 2:  # after two flags: language and keyword, each with a terminator
        return b""
    text = content[2:].split(b"\0", 2)[2]
    return _inflated(text) if content[0] else text


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, MAX_TEXT)
    except zlib.error:
        return b""


def _profile(text: bytes) -> bytes:
    """The bytes of a profile in ImageMagick's form: three header lines, then hexadecimal digits."""
    try:
        return bytes.fromhex(b"".join(text.split(b"\n")[3:]).decode("ascii"))
    except ValueError:
        return b""


def _shown(kind: bytes) -> str:
    return ascii(kind)[2:-1]
