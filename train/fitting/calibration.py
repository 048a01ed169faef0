"""Temperature scaling: make confidence mean what it says, without changing a prediction."""

import torch
from torch import nn

from train.fitting.feature_cache import Examples
from train.fitting.scoring import best_temperature, logits_of


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
