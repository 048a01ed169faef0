"""Grey values of any type → 8 bits: exactly where they hold 8 bits' worth, scaled (never clamped) otherwise."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from batch_infer.contract import IMAGE_SIZE
from batch_infer.given import describe_given

_BLOCK: Final = 256  # pictures converted at a time: the intermediate arrays stay in the processor's cache


def check_grey(picture: NDArray[np.generic]) -> NDArray[np.generic]:
    """Check that an array is a grey picture: (H, W) real numbers, and not a digit's 784 pixels in a line.

    Raises:
        ValueError: it is not; the message says what it is.
    """
    if not isinstance(picture, np.ndarray):
        # Not a TypeError: all that does not fit is a ValueError.
        raise ValueError(  # noqa: TRY004
            f"expected a grey picture of shape (H, W) as a NumPy array, got {describe_given(picture)}"
        )
    array = picture
    if array.ndim != 2 or array.size == 0:
        what = "no pixel" if array.ndim == 2 else f"{array.ndim} dimension{'' if array.ndim == 1 else 's'}"
        raise ValueError(f"expected a grey picture of shape (H, W), got shape {array.shape}: {what}")
    if is_flattened(array.shape):
        side = f"({IMAGE_SIZE}, {IMAGE_SIZE})"
        raise ValueError(f"expected a grey picture, got shape {array.shape}: a flattened digit; reshape it to {side}")
    if array.dtype.kind not in "buif":
        raise ValueError(f"expected grey values (bool, integer or float), got dtype {array.dtype}")
    return array


def is_flattened(shape: tuple[int, ...]) -> bool:
    """Whether (H, W) is that of a 28×28 image whose rows were put one behind the other: 1×784 or 784×1."""
    return shape in {(1, IMAGE_SIZE**2), (IMAGE_SIZE**2, 1)}


def to_8_bit(picture: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Scale any grey picture to uint8, exactly where it holds 8 bits' worth.

    Exact: 8 bits times 257 or 256 in 16 bits, k / 255 in floats from 0 to 1, whole numbers 0 … 255 of any type.
    Anything else: its darkest and lightest values become 0 and 255.

    Args:
        picture: (H, W), bool, integer or float.

    Returns:
        (H, W) uint8.

    Raises:
        ValueError: it contains NaN or infinity.
    """
    if picture.dtype == np.uint8:
        return picture.view(np.uint8)
    if picture.dtype == np.bool_:
        return picture.astype(np.uint8) * np.uint8(255)
    values = picture.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(high - low):
        raise ValueError("the picture holds NaN or infinity")
    unit = picture.dtype.kind == "f" and high <= 1
    factors = (257.0, 256.0, 1.0) if picture.dtype == np.uint16 else (1 / 255, 1.0) if unit else (1.0,)
    for factor in factors:
        exact = values / factor
        if low >= 0 and high / factor <= 255.001 and (np.abs(exact - np.rint(exact)) < 1e-3).all():
            return np.rint(exact).astype(np.uint8)
    scale = 255 / (high - low) if high > low else 0.0
    return np.rint((values - low) * scale).astype(np.uint8)


def stack_to_8_bit(stack: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Scale each picture of a stack as `to_8_bit` does.

    Args:
        stack: (N, H, W), bool, integer or float.

    Returns:
        (N, H, W) uint8, and (N,) bool: which pictures hold only finite values; the others are black.
    """
    if not stack.dtype.isnative:
        stack = stack.astype(stack.dtype.newbyteorder("="))
    if stack.dtype in {np.dtype(np.uint8), np.dtype(np.bool_)}:
        return to_8_bit(stack), np.ones(len(stack), np.bool_)
    pictures = np.zeros(stack.shape, np.uint8)
    finite = np.ones(len(stack), np.bool_)
    for first in range(0, len(stack), _BLOCK):
        block = stack[first : first + _BLOCK]
        exact, done = _exact_levels(block)
        pictures[first : first + len(block)] = exact
        for number in np.flatnonzero(~done).tolist():
            try:
                pictures[first + number] = to_8_bit(block[number])
            except ValueError:
                finite[first + number] = False
    return pictures, finite


def _exact_levels(block: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Convert the pictures (N, H, W) that hold k / 255 or whole numbers 0 … 255, as most do -> them, which they are."""
    with np.errstate(invalid="ignore", over="ignore"):
        values = block.astype(np.float32)
        low, high = values.min(axis=(1, 2)), values.max(axis=(1, 2))
        if block.dtype.kind == "f":
            values *= np.where(high <= 1, np.float32(255), np.float32(1))[:, np.newaxis, np.newaxis]
        done = (low >= 0) & (high <= 255) & (block.dtype != np.uint16)
        rounded = np.rint(values)
        done &= np.abs(values - rounded).max(axis=(1, 2)) < 5e-4  # stricter than one by one, as this is float32
    rounded[~done] = 0
    return rounded.astype(np.uint8), done
