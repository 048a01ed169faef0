"""A HEIC → a grey picture, where the extra `heic` is installed."""

import warnings

from batch_infer.decoding.decoders.png import Picture
from batch_infer.decoding.pixels.pillow_modes import loaded_to_grey
from batch_infer.decoding.structure.boxes import hide_metadata
from batch_infer.decoding.structure.limits import check_size
from batch_infer.errors import ImageError


def decode_heic(data: bytes) -> Picture:
    """Decode a HEIC: its primary picture.

    Raises:
        ImageError: not_an_image where the extra is not installed; too_large.
    """
    try:
        import pillow_heif
    except ModuleNotFoundError as error:
        if error.name != "pillow_heif":
            raise
        raise ImageError("not_an_image", "HEIC; to read it, type: pip install '.[heic]'; or save it as JPEG") from error
    options = pillow_heif.options
    options.DECODE_THREADS = 1  # there is a worker for each core
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        photo = pillow_heif.open_heif(hide_metadata(data))  # its header is read, no pixel yet
        width, height = photo.size
        check_size(width, height, "HEIC")
        # Already turned, as the properties of the picture say.
        grey = loaded_to_grey(photo.to_pillow())
    return Picture(grey, one_channel=False, lossy=True)
