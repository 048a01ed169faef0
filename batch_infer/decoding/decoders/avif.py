"""An AVIF → a grey picture, where Pillow was built with it."""

import io
import warnings

from batch_infer.decoding.decoders.png import Picture
from batch_infer.decoding.pixels.orientation import Metadata, orientation_of, undo_orientation
from batch_infer.decoding.pixels.pillow_modes import loaded_to_grey
from batch_infer.decoding.structure.boxes import hide_metadata
from batch_infer.decoding.structure.limits import check_size
from batch_infer.errors import ImageError


def decode_avif(data: bytes) -> Picture:
    """Decode an AVIF; of several frames the first.

    Raises:
        ImageError: not_an_image where Pillow cannot read it; too_large.
    """
    try:
        from PIL import AvifImagePlugin
    except ImportError as error:  # Pillow before 11.3
        raise _unsupported() from error
    if not AvifImagePlugin.SUPPORTED:
        raise _unsupported()
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # there is a worker for each core
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with AvifImagePlugin.AvifImageFile(io.BytesIO(hide_metadata(data))) as image:
            # Its header is read, no pixel yet.
            check_size(*image.size, "AVIF")
            image.load()
            grey = loaded_to_grey(image)
            # Made by Pillow, from the properties of the picture: the file's own EXIF was hidden.
            orientation = orientation_of(Metadata(image.info.get("exif", b"")))
    return Picture(undo_orientation(grey, orientation), one_channel=False, lossy=True)


def _unsupported() -> ImageError:
    return ImageError("not_an_image", "AVIF, which this Pillow cannot read; type: pip install -U pillow")
