"""What became of one picture: the one place here that knows how `normalize` tells of a refusal."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from batch_infer.contract import INTERNAL_ERROR
from batch_infer.errors import ImageError
from batch_infer.normalization.pipeline import normalize

Trace = Callable[[str, npt.NDArray[np.generic]], None]  # is called with each step's name and picture (H, W)


class Seen(NamedTuple):
    """What became of one picture.

    Attributes:
        image: (28, 28) uint8; None if it was refused.
        refused: the code of the refusal, `no_digit`, `several_digits` or `internal_error`; empty if there is an image.
        most: the confidence is capped at this.
    """

    image: npt.NDArray[np.uint8] | None
    refused: str = ""
    most: float = 1.0


def look(grey: npt.NDArray[np.generic], trace: Trace | None = None) -> Seen:
    """Normalize a picture (H, W), and tell `trace` of every step."""
    try:
        image = normalize(grey) if trace is None else normalize(grey, trace=trace)
    except ImageError as error:
        return Seen(None, error.code)
    return Seen(image, "no_digit" if image is None else "")


def see(grey: npt.NDArray[np.generic]) -> Seen:
    """Normalize a picture; a bug becomes a refusal, so that one picture does not end a measurement."""
    try:
        return look(grey)
    except Exception:
        return Seen(None, INTERNAL_ERROR)
