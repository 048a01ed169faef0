"""The surface of second order that fits a picture best: how a lamp and a lens light a sheet."""

import cv2
import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.image_ops import Grey

SIDE = 24  # px; the surface is fitted to a copy of this height and width
_Y, _X = (axis.ravel() for axis in np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j])
_TERMS = np.stack((np.ones_like(_X), _X, _Y, _X * _X, _X * _Y, _Y * _Y)).astype(np.float32)  # (6, n)
_SOLVER = np.linalg.pinv(_TERMS)  # (n, 6): least squares


def without_surface(image: Grey) -> NDArray[np.float32]:
    """Subtract from an (H, W) uint8 picture the surface of second order that fits it best."""
    coarse = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel().astype(np.float32)
    surface = (coarse @ _SOLVER @ _TERMS).reshape(SIDE, SIDE)
    return np.subtract(image, cv2.resize(surface, image.shape[::-1]), dtype=np.float32)
