"""What became of one picture: the one place here that knows how the normalization tells of a refusal."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from batch_infer.contract import DOUBTFUL_PPM, INTERNAL_ERROR, MILLION
from batch_infer.normalization.pipeline import examine
from batch_infer.normalization.several import OtherDigits

Trace = Callable[[str, npt.NDArray[np.generic]], None]  # is called with each step's name and picture (H, W)


DOUBTFUL_MOST: Final = DOUBTFUL_PPM / MILLION  # the confidence where other digits may stand in the picture


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
    found = examine(grey, trace=trace)
    if found.others is OtherDigits.CERTAIN:
        return Seen(None, "several_digits")
    most = DOUBTFUL_MOST if found.others is OtherDigits.DOUBTFUL else 1.0
    return Seen(found.image, "no_digit" if found.image is None else "", most)


def see(grey: npt.NDArray[np.generic]) -> Seen:
    """Normalize a picture; a bug becomes a refusal, so that one picture does not end a measurement."""
    try:
        return look(grey)
    except Exception:
        return Seen(None, INTERNAL_ERROR)
