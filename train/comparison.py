"""The bundled model against the one just trained, on the same pictures."""

from math import comb
from typing import Any, Final

import numpy as np

from batch_infer.classifier import OnnxClassifier
from batch_infer.reports.metrics import wilson_interval
from train.additions import Additions
from train.data import OWN, Dataset, Split
from train.fitting.evaluate import Evaluation, evaluate
from train.model.softmax import SoftmaxRegression

_SIGNIFICANT: Final = 0.05  # two-sided, of the exact sign test
BUNDLED, NEW = "bundled", "new"


def compare_with_bundled(
    model: SoftmaxRegression, dataset: Dataset, additions: Additions | None, evaluation: Evaluation
) -> dict[str, Any]:
    """Compare with the bundled model, where one's own pictures were trained on.

    Args:
        model: the new model.
        dataset: what it was trained on.
        additions: one's own pictures besides.
        evaluation: that of the new model on the test split.

    Returns:
        A part of metrics.json: `comparison`, for `test` and `held_out` as `compare` gives it; or nothing.
    """
    if additions is None and dataset.name != OWN:
        return {}
    compared = {"test": compare(dataset.test, evaluation)}
    if additions is not None:
        held_out = Split(additions.held_out.images, additions.held_out.labels)
        compared["held_out"] = compare(held_out, evaluate(model, held_out) if len(additions.held_out) else None)
    return {"comparison": compared}


def compare(split: Split, evaluation: Evaluation | None) -> dict[str, Any]:
    """Compare the bundled model with a new one.

    Which is better is told by the pictures that only one of the two has right: the exact sign test (McNemar 1947).

    Args:
        split: labelled pictures.
        evaluation: that of the new model on them; None if there are no pictures.

    Returns:
        For metrics.json: `images`; correct, accuracy and interval of each model; `better`: which is, or None where
        there are too few pictures to tell.
    """
    count = len(split.labels)
    if evaluation is None:
        return {"images": 0, BUNDLED: None, NEW: None, "better": None}
    answers = OnnxClassifier().predict(split.images)
    bundled, new = answers == split.labels, evaluation.predictions.numpy() == split.labels
    only_bundled, only_new = int((bundled & ~new).sum()), int((new & ~bundled).sum())
    better = None
    if sign_test(only_bundled, only_new) < _SIGNIFICANT:
        better = NEW if only_new > only_bundled else BUNDLED
    return {"images": count, BUNDLED: _score(bundled), NEW: _score(new), "better": better}


def sign_test(first: int, second: int) -> float:
    """Compute the two-sided probability of counts at least as unequal as these, if both were as likely."""
    count = first + second
    tail = sum(comb(count, number) for number in range(min(first, second) + 1))
    return min(1.0, 2 * tail / 2**count)


def _score(right: Any) -> dict[str, Any]:
    correct, count = int(np.count_nonzero(right)), len(right)
    low, high = wilson_interval(correct, count)
    return {
        "correct": correct,
        "accuracy": round(correct / count, 6),
        "wilson_95": [round(low, 6), round(high, 6)],
    }
