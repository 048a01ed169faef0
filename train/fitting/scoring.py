"""Logits, loss and accuracy of a layer, and the temperature at which its loss is least."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from train.fitting.feature_cache import Examples, slices


@torch.inference_mode()
def logits_of(linear: nn.Linear, features: Tensor, chunk: int = 4096) -> Tensor:
    """Compute the logits `(N, 10)` float32 of features `(N, size)`."""
    return torch.cat([linear(features[part].to(torch.float32)) for part in slices(len(features), chunk)])


def best_temperature(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Find what to divide logits by so that the cross-entropy is least (temperature scaling: Guo et al. 2017).

    Args:
        logits: `(N, 10)` float32.
        labels: `(N,)` int64.

    Returns:
        The temperature, 1/e to e to within 0.5 %, and the cross-entropy (nats) with it.
    """

    def losses(exponents: Tensor) -> Tensor:
        return torch.stack([cross_entropy(logits / exponent.exp(), labels) for exponent in exponents])

    # The loss has a single minimum along the temperature: look coarsely, then closely.
    coarse = torch.linspace(-1, 1, 21)
    middle = coarse[losses(coarse).argmin()]
    close = (middle + torch.linspace(-0.1, 0.1, 41)).clamp(-1, 1)
    found = losses(close)
    return float(close[found.argmin()].exp()), float(found.min())


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
