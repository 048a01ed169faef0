"""Temperature scaling: make confidence mean what it says, without changing a prediction."""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from train.fitting.feature_cache import Examples, logits_of


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


@torch.no_grad()
def fold_temperature(linear: nn.Linear, validation: Examples) -> float:
    """Divide a layer by the temperature that minimises the log-loss (Guo et al. 2017).

    Args:
        linear: the trained layer, changed in place: predictions stay, confidences change.
        validation: what the temperature is fitted to; digits only.

    Returns:
        The temperature.
    """
    temperature, _ = best_temperature(logits_of(linear, validation.features), validation.labels)
    linear.weight.div_(temperature)
    linear.bias.div_(temperature)
    return temperature
