"""Evaluation: loss and accuracy while training, and all metrics of the test split at the end of a run."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from batch_infer.contract import CLASSES
from batch_infer.predictions import quantize
from batch_infer.reports.metrics import Tally, class_scores, tally, wilson_interval
from train.data import Split
from train.fitting.calibration import fit_temperature
from train.fitting.feature_cache import CachedFeatures, cache_features, compute_logits
from train.model.softmax import SoftmaxRegression


def loss_and_accuracy(linear: nn.Linear, cached: CachedFeatures, *, calibrated: bool = False) -> tuple[float, float]:
    """Compute cross-entropy (nats) and accuracy (0–1) over all rows.

    Args:
        linear: the layer.
        cached: features and labels; digits only.
        calibrated: whether the cross-entropy is the one at the best temperature.
    """
    logits = compute_logits(linear, cached.features)
    accuracy = (logits.argmax(dim=1) == cached.labels).double().mean()
    loss = fit_temperature(logits, cached.labels)[1] if calibrated else cross_entropy(logits, cached.labels).item()
    return loss, accuracy.item()


@dataclass(frozen=True)
class Evaluation:
    """Predictions `(N,)` int64 on a split, and what was counted: confusion matrix, log-loss, calibration."""

    predictions: Tensor
    counts: Tally

    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json: accuracies and calibration error 0–1, log-loss in nats."""
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
    """Classify a split with a model on the CPU; the metrics are computed by the batch job's own code."""
    cached = cache_features(model.features, torch.from_numpy(split.images), torch.from_numpy(split.labels))
    probabilities = compute_logits(model.linear, cached.features).softmax(dim=1).numpy()
    ppm = quantize(probabilities)
    predictions = ppm.argmax(axis=1)
    counts = tally(
        labels=split.labels,
        predictions=predictions.astype(np.int8),
        probabilities_ppm=ppm,
        statuses=np.zeros(len(predictions), np.uint8),
        error_numbers=np.zeros(len(predictions), np.uint8),
    )
    return Evaluation(torch.from_numpy(predictions), counts)
