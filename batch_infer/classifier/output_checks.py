"""Checks a model's outputs on the trial batch: known logits, probabilities = softmax(logits), independent rows."""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from batch_infer.errors import ModelError
from batch_infer.predictions import valid_rows
from batch_infer.self_test import SELF_TEST_IMAGES, trial_batch

Floats = npt.NDArray[np.float32]

# The self-test was scored by torch at export and is scored by ONNX Runtime here: the parity gate's tolerance, ten times
# as wide because this may be another CPU type. For a logit, relative to the largest one of its row.
_LOGIT_TOLERANCE: Final = 1e-4
# For a probability. Float32's softmax is within 1e-6 of the exact one.
_PROBABILITY_TOLERANCE: Final = 1e-4
_AMONG_OTHERS: Final = slice(None, None, -4)  # rows that are scored again, at other positions, in a smaller batch


def check_outputs(
    run: Callable[[npt.NDArray[np.uint8]], tuple[Floats, Floats]], known: npt.NDArray[np.float64], name: str
) -> None:
    """Test a model.

    Args:
        run: computes logits and probabilities, both `(N, 10)` float32, of images `(N, 28, 28)` uint8, in one call.
        known: `(3, 10)`, the logits of self_test_images at export.
        name: name of the model in messages.

    Raises:
        ModelError: an output is wrong.
    """
    again = "export it again: python -m export onnx"
    images = trial_batch()
    logits, probabilities = run(images)
    if not np.isfinite(logits).all():
        raise ModelError(f"{name}: its weights are not all finite; train and export it again")
    if not _close(logits[:SELF_TEST_IMAGES], known):
        raise ModelError(f"{name}: it does not give the known answer in its self-test; export it again")
    if not valid_rows(probabilities).all():
        raise ModelError(f"{name}: its probabilities are not numbers from 0 to 1 that sum to 1 for each image; {again}")
    difference = float(np.abs(probabilities - _softmax(logits)).max())
    if difference > _PROBABILITY_TOLERANCE:
        raise ModelError(
            f"{name}: its probabilities are not the softmax of its logits (they differ by {difference:.2g}); {again}"
        )
    logits_again, probabilities_again = run(images[_AMONG_OTHERS])
    if not (
        _close(logits_again, logits[_AMONG_OTHERS])
        and (np.abs(probabilities_again - probabilities[_AMONG_OTHERS]) <= _PROBABILITY_TOLERANCE).all()
    ):
        raise ModelError(f"{name}: what it answers for an image depends on the images beside it; {again}")


def _close(found: Floats, expected: npt.NDArray[np.floating]) -> bool:
    """Whether logits `(N, 10)` equal the expected ones up to rounding; False if one is not finite."""
    wide = expected.astype(np.float64)
    slack = _LOGIT_TOLERANCE * (1 + np.abs(wide).max(axis=1, keepdims=True))
    return bool((np.abs(found - wide) <= slack).all())


def _softmax(logits: Floats) -> npt.NDArray[np.float64]:
    """Softmax of each row, in double precision."""
    wide = logits.astype(np.float64)
    exponentials = np.exp(wide - wide.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
