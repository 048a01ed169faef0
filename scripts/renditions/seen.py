"""What became of one picture: the one place here that knows how `normalize` tells of a refusal."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from batch_infer.contract import INTERNAL_ERROR
from batch_infer.errors import ImageError
from batch_infer.normalization.pipeline import normalize


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


def see(grey: npt.NDArray[np.generic]) -> Seen:
    """Normalize a picture."""
    try:
        image = normalize(grey)
    except ImageError as error:
        return Seen(None, error.code)
    except Exception:  # a bug: counted, so that one picture does not end the measurement
        return Seen(None, INTERNAL_ERROR)
    return Seen(image, "no_digit" if image is None else "")
