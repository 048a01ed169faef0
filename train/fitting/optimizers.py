"""How the linear layer is optimised: stochastic gradient descent, or preconditioned L-BFGS on all rows at once."""

import copy
from typing import Any, Final, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from train.fitting.feature_cache import CHUNK, NO_DIGIT, Examples, slices
from train.recipes import Hyperparameters

_HISTORY: Final = 20  # steps that L-BFGS remembers
_DAMPING: Final = 1e-2  # of the preconditioner, as a share of the features' mean variance
_SAMPLE: Final = 20_000  # rows that the preconditioner is estimated from


class Optimizer(Protocol):
    """Makes one epoch at a time, and can be stopped and continued between two."""

    def epoch(self) -> None:
        """Train for one epoch."""

    def state_dict(self) -> dict[str, Any]:
        """All that the next epoch depends on besides layer, data and hyper-parameters."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""


class Sgd:
    """The textbook: a step down the gradient of each shuffled batch."""

    def __init__(self, linear: nn.Linear, train: Examples, hyper: Hyperparameters, seed: int) -> None:
        self._linear, self._train, self._hyper = linear, train, hyper
        self._targets = targets(train.labels, linear.out_features)
        self._shuffle = torch.Generator().manual_seed(seed)
        self._sgd = torch.optim.SGD(
            linear.parameters(), lr=hyper.lr, momentum=hyper.momentum, weight_decay=hyper.weight_decay
        )

    def epoch(self) -> None:
        """One step for each batch of a new order."""
        order = torch.randperm(len(self._train), generator=self._shuffle).to(self._train.labels.device)
        for rows in order.split(self._hyper.batch_size):
            self._sgd.zero_grad()
            logits = self._linear(self._train.features[rows].to(torch.float32))
            cross_entropy(logits, self._targets[rows]).backward()
            self._sgd.step()

    def state_dict(self) -> dict[str, Any]:
        """Momentum, and where the shuffling is."""
        return {"sgd": copy.deepcopy(self._sgd.state_dict()), "shuffle": self._shuffle.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._sgd.load_state_dict(state["sgd"])
        self._shuffle.set_state(state["shuffle"])


class Lbfgs:
    """L-BFGS (Liu and Nocedal 1989) in coordinates in which the features are about white, so that the valley is round.

    The loss is the mean cross-entropy plus `weight_decay` times the sum of squared weights, with the features scaled to
    a mean variance of one: the penalty means the same whatever the features are. One epoch is one iteration.
    """

    def __init__(self, linear: nn.Linear, train: Examples, hyper: Hyperparameters, seed: int) -> None:
        self._linear, self._train, self._hyper = linear, train, hyper
        self._mean, self._basis, self._cost = _preconditioner(train.features, seed)
        self._targets = targets(train.labels, linear.out_features)
        # Weights in the preconditioner's coordinates, and the bias for centred features. They begin at zero.
        self._inner = torch.zeros_like(linear.weight, requires_grad=True)
        self._bias = torch.zeros_like(linear.bias, requires_grad=True)
        self._buffer = torch.empty(CHUNK, linear.in_features, device=linear.weight.device)
        self._lbfgs = torch.optim.LBFGS(
            [self._inner, self._bias],
            lr=hyper.lr,
            max_iter=1,
            max_eval=25,  # for the line search; torch's default for one iteration would leave it none
            history_size=_HISTORY,
            line_search_fn="strong_wolfe",
            tolerance_grad=0,
            tolerance_change=0,
        )

    @torch.no_grad()
    def epoch(self) -> None:
        """One iteration."""
        self._lbfgs.step(self._loss)
        weight = self._inner @ self._basis.T
        self._linear.weight.copy_(weight)
        self._linear.bias.copy_(self._bias - weight @ self._mean)

    def state_dict(self) -> dict[str, Any]:
        """Where it is, and the curvature it has seen."""
        return {
            "lbfgs": copy.deepcopy(self._lbfgs.state_dict()),
            "inner": self._inner.detach().clone(),
            "bias": self._bias.detach().clone(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._lbfgs.load_state_dict(state["lbfgs"])
        with torch.no_grad():
            self._inner.copy_(state["inner"])
            self._bias.copy_(state["bias"])

    @torch.no_grad()
    def _loss(self) -> float:
        """Loss and gradient, chunk by chunk and by hand: autograd would keep float32 copies of all rows alive."""
        train, count = self._train, len(self._train)
        weight = self._inner @ self._basis.T
        offset = self._bias - weight @ self._mean
        # In double precision: the line search compares losses that differ in the seventh digit.
        total = torch.zeros((), dtype=torch.float64, device=weight.device)
        by_weight, by_bias = torch.zeros_like(weight), torch.zeros_like(offset)
        for part in slices(count):
            rows = self._buffer[: part.stop - part.start].copy_(train.features[part])
            log_p = torch.addmm(offset, rows, weight.T).log_softmax(dim=1)
            total -= (log_p * self._targets[part]).sum(dtype=torch.float64)
            error = log_p.exp() - self._targets[part]
            by_weight.addmm_(error.T, rows)
            by_bias += error.sum(dim=0)
        by_weight -= by_bias.unsqueeze(1) * self._mean  # rows are centred
        decay = self._hyper.weight_decay
        self._inner.grad = by_weight @ self._basis / count + 2 * decay * self._cost * self._inner
        self._bias.grad = by_bias / count
        penalty = decay * (self._cost * self._inner * self._inner).sum()
        return float(total / count + penalty)


def optimizer_for(linear: nn.Linear, train: Examples, hyper: Hyperparameters, seed: int) -> Optimizer:
    """Make the optimizer that the hyper-parameters name."""
    kinds: dict[str, type[Sgd | Lbfgs]] = {"sgd": Sgd, "lbfgs": Lbfgs}
    return kinds[hyper.optimizer](linear, train, hyper, seed)


def targets(labels: Tensor, classes: int) -> Tensor:
    """Say what the probabilities should be: all in one class, or equal ones where there is no digit.

    Args:
        labels: `(N,)` int64, or NO_DIGIT.
        classes: how many.

    Returns:
        `(N, classes)` float32, rows sum to one.
    """
    sure = nn.functional.one_hot(labels.clamp(min=0), classes).to(torch.float32)
    return torch.where((labels == NO_DIGIT).unsqueeze(1), 1 / classes, sure)


def _preconditioner(rows: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Estimate coordinates in which the features are about white.

    Args:
        rows: `(N, F)`.
        seed: picks the sample that the covariance is estimated from.

    Returns:
        mean `(F,)`; basis `(F, F)`, with weights = basis @ coordinates; and what one unit of squared coordinate means
        in squared weights `(F,)`, features scaled to mean variance one.
    """
    picked = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[:_SAMPLE].to(rows.device)
    sample = rows[picked].to(torch.float32)
    mean = sample.mean(dim=0)
    sample -= mean
    variances, axes = torch.linalg.eigh(sample.T @ sample / len(sample))
    average = variances.mean()
    cost = average / (variances.clamp(min=0) + _DAMPING * average)
    return mean, axes * (cost / average).sqrt(), cost
