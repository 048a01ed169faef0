"""One image file's bytes → a grey picture: plain PNGs by the fast way, everything else by the general one."""

from batch_infer.decoding.decoders.png import Picture, decode_plain


def decode(data: bytes, page: int | None = None) -> Picture:
    """Decode one image file.

    Args:
        data: content of the file.
        page: which page of a TIFF, from 0; None for the only one.

    Raises:
        ImageError: empty, not_an_image, too_large, truncated, unreadable or non_finite.
    """
    plain = decode_plain(data)
    if plain is not None:
        return plain
    from batch_infer.decoding.general import decode_any  # it loads Pillow, which jobs of plain PNGs do not need

    return decode_any(data, page)
