"""Temperature scaling (Guo et al. 2017): makes confidence agree with accuracy, without changing a prediction."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from train.fitting.feature_cache import CachedFeatures, compute_logits


def fit_temperature(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Find the number by which to divide logits so that the cross-entropy is minimal.

    Args:
        logits: `(N, 10)` float32.
        labels: `(N,)` int64, 0–9.

    Returns:
        The temperature, 1/e to e to within 0.5 %, and the cross-entropy (nats) with it.
    """

    def losses(exponents: Tensor) -> Tensor:
        return torch.stack([cross_entropy(logits / exponent.exp(), labels) for exponent in exponents])

    # The loss has a single minimum along the temperature: a coarse grid search, then a fine one.
    coarse = torch.linspace(-1, 1, 21)
    center = coarse[losses(coarse).argmin()]
    fine = (center + torch.linspace(-0.1, 0.1, 41)).clamp(-1, 1)
    fine_losses = losses(fine)
    return float(fine[fine_losses.argmin()].exp()), float(fine_losses.min())


@torch.no_grad()
def fold_temperature(linear: nn.Linear, validation: CachedFeatures) -> float:
    """Fit a temperature and divide the layer's weights and bias by it.

    Args:
        linear: the trained layer, changed in place: predictions stay, confidences change.
        validation: data that the temperature is fitted to; digits only.

    Returns:
        The temperature.
    """
    temperature, _ = fit_temperature(compute_logits(linear, validation.features), validation.labels)
    linear.weight.div_(temperature)
    linear.bias.div_(temperature)
    return temperature
