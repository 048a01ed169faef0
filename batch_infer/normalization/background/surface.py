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
    level, across, down, across2, both, down2 = (coarse @ _SOLVER).tolist()
    x, y = np.linspace(-1, 1, image.shape[1], dtype=np.float32), np.linspace(-1, 1, image.shape[0], dtype=np.float32)
    rest = image - (np.float32(both) * y[:, None]) * x
    rest -= x * (np.float32(across) + np.float32(across2) * x) + np.float32(level)
    rest -= (y * (np.float32(down) + np.float32(down2) * y))[:, None]
    return rest
