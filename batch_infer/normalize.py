"""A grey picture of one digit → MNIST's form, 28×28, light ink on black."""

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from batch_infer.contract import IMAGE_SIZE

_SIZE: Final = (IMAGE_SIZE, IMAGE_SIZE)


def normalize(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Bring a picture to MNIST's size: grey `(H, W)` uint8 → `(28, 28)` uint8, by bilinear resize with antialiasing."""
    if picture.shape == _SIZE:
        return picture
    return np.asarray(Image.fromarray(picture).resize(_SIZE, Image.Resampling.BILINEAR))
