"""Temperature scaling: make confidence mean what it says, without changing a prediction."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from train.loop import logits_of
from train.rows import Examples


@torch.no_grad()
def fold_temperature(linear: nn.Linear, validation: Examples) -> float:
    """Divide a layer by the temperature that minimises the log-loss (Guo et al. 2017).

    Args:
        linear: the trained layer, changed in place: predictions stay, confidences change.
        validation: what the temperature is fitted to.

    Returns:
        The temperature.
    """
    logits = logits_of(linear, validation.features)
    candidates = torch.linspace(-1, 1, 401).exp()  # 0.5 % apart; the loss is convex and flat at its minimum
    losses = torch.stack([cross_entropy(logits / candidate, validation.labels) for candidate in candidates])
    temperature = float(candidates[losses.argmin()])
    linear.weight.div_(temperature)
    linear.bias.div_(temperature)
    return temperature
