"""Score a trained model on the test split: the one look at it, at the end of a run."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from batch_infer.classifier import to_millionths
from batch_infer.contract import CLASSES
from batch_infer.reports.metrics import Tally, class_scores, tally, wilson_interval
from train.data import Split
from train.fitting.calibration import best_temperature
from train.fitting.feature_cache import Examples, examples, logits_of
from train.model.softmax import SoftmaxRegression


def score(linear: nn.Linear, examples: Examples, *, calibrated: bool = False) -> tuple[float, float]:
    """Compute cross-entropy (nats) and accuracy over all examples.

    Args:
        linear: the layer.
        examples: all of them digits.
        calibrated: whether the cross-entropy is the one at the best temperature.
    """
    logits = logits_of(linear, examples.features)
    correct = (logits.argmax(dim=1) == examples.labels).double().mean()
    loss = best_temperature(logits, examples.labels)[1] if calibrated else cross_entropy(logits, examples.labels).item()
    return loss, correct.item()


@dataclass(frozen=True)
class Evaluation:
    """Predictions `(N,)` int64 on a split, and their counts."""

    predictions: Tensor
    counts: Tally

    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json: accuracies and shares 0–1, log-loss in nats."""
        counts, scores = self.counts, class_scores(self.counts.confusion)
        low, high = wilson_interval(counts.correct, counts.scored)
        return {
            "test_images": counts.scored,
            "test_correct": counts.correct,
            "test_accuracy": round(counts.correct / counts.scored, 6),
            "test_accuracy_wilson_95": [round(low, 6), round(high, 6)],
            "test_log_loss": round(counts.log_loss, 6),
            "test_calibration_error": round(counts.calibration_error, 6),
            "per_class": {
                str(digit): {
                    "support": int(scores.support[digit]),
                    "precision": round(float(scores.precision[digit]), 6),
                    "recall": round(float(scores.recall[digit]), 6),
                    "f1": round(float(scores.f1[digit]), 6),
                }
                for digit in range(CLASSES)
            },
        }


def evaluate(model: SoftmaxRegression, split: Split) -> Evaluation:
    """Classify a split with a model on the CPU, and count with the very code that counts a batch job's results."""
    rows = examples(model.features, torch.from_numpy(split.images), torch.from_numpy(split.labels))
    probabilities = logits_of(model.linear, rows.features).softmax(dim=1).numpy()
    millionths = to_millionths(probabilities)
    predictions = millionths.argmax(axis=1)
    counts = tally(
        labels=split.labels,
        predictions=predictions.astype(np.int8),
        millionths=millionths,
        statuses=np.zeros(len(predictions), np.uint8),
        errors=np.zeros(len(predictions), np.uint8),
    )
    return Evaluation(torch.from_numpy(predictions), counts)
