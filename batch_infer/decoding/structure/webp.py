"""The canvas size of a WebP, from its first chunk: the decoder allocates the canvas as soon as the file is opened."""


def canvas_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in px (RFC 9649, 2.5 to 2.7); None if no such chunk is there: it cannot be decoded."""
    kind, content = data[12:16], data[20:30]
    if kind == b"VP8X" and len(content) == 10:
        return int.from_bytes(content[4:7], "little") + 1, int.from_bytes(content[7:10], "little") + 1
    if kind == b"VP8 " and len(content) == 10 and content[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(content[6:8], "little") & 0x3FFF, int.from_bytes(content[8:10], "little") & 0x3FFF
    if kind == b"VP8L" and content[:1] == b"\x2f":
        bits = int.from_bytes(content[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None
