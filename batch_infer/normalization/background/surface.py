"""The surface of second order that fits a picture best: how a lamp and a lens light a sheet."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.image_ops import Grey

Floats = NDArray[np.float32]

SIDE = 24  # px; the surface is fitted to a copy of this height and width
_Y, _X = (axis.ravel() for axis in np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j])
_TERMS = np.stack((np.ones_like(_X), _X, _Y, _X * _X, _X * _Y, _Y * _Y)).astype(np.float32)  # (6, n)
_SOLVER = np.linalg.pinv(_TERMS)  # (n, 6): least squares


def without_surface(image: Grey) -> Floats:
    """Subtract from an (H, W) uint8 picture the surface of second order that fits it best."""
    coarse = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel().astype(np.float32)
    level, across, down, across2, both, down2 = (coarse @ _SOLVER).tolist()
    factors = np.array(((level, across, across2), (down, both, 0), (down2, 0, 0)), np.float32)
    return image - surface(factors, image.shape[0], image.shape[1])


def surface(factors: Floats, height: int, width: int) -> Floats:
    """The surface (H, W) whose `factors` (3, 3) are those of 1, y, y² by 1, x, x², from -1 to 1 along both axes."""
    found: Floats = np.dot(np.dot(powers(height).T, factors), powers(width))
    return found


@lru_cache(maxsize=2048)
def powers(length: int) -> Floats:
    """The rows 1, x, x² (3, n) of `length` steps from -1 to 1."""
    x = np.linspace(-1, 1, length)
    return np.stack((np.ones_like(x), x, x * x)).astype(np.float32)
