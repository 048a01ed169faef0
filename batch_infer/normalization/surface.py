"""Surfaces of second order fitted to a picture: how a lamp and a lens light a sheet."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from batch_infer.normalization.image_ops import Grey

Doubles = NDArray[np.float64]

SIDE = 24  # px; the surface is fitted to a copy of this height and width
_TERMS = 6


def _terms(y: Doubles, x: Doubles) -> Doubles:
    """1, x, y, x², xy and y² as (6, H, W), from columns (H, 1) and rows (1, W) on -1 … 1."""
    return np.stack(np.broadcast_arrays(np.ones((1, 1)), x, y, x * x, x * y, y * y))


_STEPS = np.linspace(-1, 1, SIDE)
_POINTS = _terms(_STEPS[:, None], _STEPS[None]).reshape(_TERMS, -1)  # (6, n)
_PRODUCTS = (_POINTS[:, None] * _POINTS).reshape(_TERMS * _TERMS, -1)  # (36, n): the normal equations are their sums


@lru_cache(maxsize=256)
def steps(count: int) -> NDArray[np.float32]:
    """Numbers (count,) from -1 to 1: the places along an axis."""
    return np.linspace(-1, 1, count, dtype=np.float32)


def coarse_of(image: Grey) -> Doubles:
    """The levels (n,) of a picture averaged to `SIDE` × `SIDE` px."""
    return cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel().astype(np.float64)


def fit(values: Doubles, weights: Doubles | None = None) -> tuple[Doubles, Doubles]:
    """Fit a surface to coarse levels by (weighted) least squares.

    Args:
        values: (n,) from `coarse_of`.
        weights: (n,) of these; None: all alike.

    Returns:
        The factors (6,) of the terms, and what is left (n,) of the levels.
    """
    weights = np.ones_like(values) if weights is None else weights
    # Sums by einsum: BLAS would start threads, which spin beside other workers.
    normal = np.einsum("kn,n->k", _PRODUCTS, weights).reshape(_TERMS, _TERMS)
    factors = cv2.solve(normal, np.einsum("kn,n->k", _POINTS, weights * values)[:, None])[1].ravel()
    return factors, values - np.einsum("k,kn->n", factors, _POINTS)


def without_surface(image: Grey, factors: Doubles) -> NDArray[np.float32]:
    """Subtract the surface of those factors (6,) from an (H, W) picture."""
    height, width = image.shape
    _, x, y, x2, xy, y2 = factors.tolist()
    row, column = steps(width), steps(height)[:, None]
    level = image - (np.float32(xy) * column) * row
    level -= row * (np.float32(x) + np.float32(x2) * row)
    level -= column * (np.float32(y) + np.float32(y2) * column) + np.float32(factors[0])
    return level
