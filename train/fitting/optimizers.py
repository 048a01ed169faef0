"""Optimizers of the linear layer: stochastic gradient descent, or full-batch preconditioned L-BFGS."""

import copy
from typing import Any, Final, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from train.fitting.feature_cache import CHUNK, OUTLIER, CachedFeatures, chunk_slices
from train.recipes import Hyperparameters

_HISTORY_SIZE: Final = 20  # steps that L-BFGS remembers
_DAMPING: Final = 1e-2  # of the preconditioner, as a share of the features' mean variance
_SAMPLE_SIZE: Final = 20_000  # rows that the preconditioner is estimated from


class Optimizer(Protocol):
    """Runs one epoch at a time, and can be saved and resumed between two."""

    def run_epoch(self) -> None:
        """Train for one epoch."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next epoch depends on besides layer, data and hyperparameters."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""


class Sgd:
    """Stochastic gradient descent with momentum on shuffled mini-batches."""

    def __init__(self, linear: nn.Linear, train: CachedFeatures, hyper: Hyperparameters, seed: int) -> None:
        self._linear, self._train, self._hyper = linear, train, hyper
        self._targets = target_probabilities(train.labels, linear.out_features)
        self._shuffle = torch.Generator().manual_seed(seed)
        self._sgd = torch.optim.SGD(
            linear.parameters(), lr=hyper.lr, momentum=hyper.momentum, weight_decay=hyper.weight_decay
        )

    def run_epoch(self) -> None:
        """One step for each mini-batch of a new random order."""
        order = torch.randperm(len(self._train), generator=self._shuffle).to(self._train.labels.device)
        for rows in order.split(self._hyper.batch_size):
            self._sgd.zero_grad()
            logits = self._linear(self._train.features[rows].to(torch.float32))
            cross_entropy(logits, self._targets[rows]).backward()
            self._sgd.step()

    def state_dict(self) -> dict[str, Any]:
        """Momentum buffers, and the state of the shuffling generator."""
        return {"sgd": copy.deepcopy(self._sgd.state_dict()), "shuffle": self._shuffle.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._sgd.load_state_dict(state["sgd"])
        self._shuffle.set_state(state["shuffle"])


class Lbfgs:
    """Full-batch L-BFGS (Liu and Nocedal 1989), preconditioned by whitening the features.

    The loss is the mean cross-entropy plus `weight_decay` times the sum of squared weights, with the features scaled to
    a mean variance of one: the penalty means the same for all features. One epoch is one iteration.
    """

    def __init__(self, linear: nn.Linear, train: CachedFeatures, hyper: Hyperparameters, seed: int) -> None:
        self._linear, self._train, self._hyper = linear, train, hyper
        self._mean, self._basis, self._cost = _preconditioner(train.features, seed)
        self._targets = target_probabilities(train.labels, linear.out_features)
        # Weights in the preconditioner's coordinates, and the bias for centered features. They start at zero.
        self._inner = torch.zeros_like(linear.weight, requires_grad=True)
        self._bias = torch.zeros_like(linear.bias, requires_grad=True)
        self._buffer = torch.empty(CHUNK, linear.in_features, device=linear.weight.device)
        self._lbfgs = torch.optim.LBFGS(
            [self._inner, self._bias],
            lr=hyper.lr,
            max_iter=1,
            max_eval=25,  # for the line search; torch's default for one iteration would allow it none
            history_size=_HISTORY_SIZE,
            line_search_fn="strong_wolfe",
            tolerance_grad=0,
            tolerance_change=0,
        )

    @torch.no_grad()
    def run_epoch(self) -> None:
        """One iteration, with its line search."""
        self._lbfgs.step(self._loss)
        weight = self._inner @ self._basis.T
        self._linear.weight.copy_(weight)
        self._linear.bias.copy_(self._bias - weight @ self._mean)

    def state_dict(self) -> dict[str, Any]:
        """The current point, and the curvature that L-BFGS remembers."""
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
        """Compute loss and gradient in chunks and without autograd, which would keep float32 copies of all rows."""
        train, count = self._train, len(self._train)
        weight = self._inner @ self._basis.T
        offset = self._bias - weight @ self._mean
        # In double precision: the line search compares losses that differ in the seventh digit.
        total = torch.zeros((), dtype=torch.float64, device=weight.device)
        by_weight, by_bias = torch.zeros_like(weight), torch.zeros_like(offset)
        for part in chunk_slices(count):
            rows = self._buffer[: part.stop - part.start].copy_(train.features[part])
            log_p = torch.addmm(offset, rows, weight.T).log_softmax(dim=1)
            total -= (log_p * self._targets[part]).sum(dtype=torch.float64)
            error = log_p.exp() - self._targets[part]
            by_weight.addmm_(error.T, rows)
            by_bias += error.sum(dim=0)
        by_weight -= by_bias.unsqueeze(1) * self._mean  # the features are centered
        decay = self._hyper.weight_decay
        self._inner.grad = by_weight @ self._basis / count + 2 * decay * self._cost * self._inner
        self._bias.grad = by_bias / count
        penalty = decay * (self._cost * self._inner * self._inner).sum()
        return float(total / count + penalty)


def make_optimizer(linear: nn.Linear, train: CachedFeatures, hyper: Hyperparameters, seed: int) -> Optimizer:
    """Make the optimizer that the hyperparameters name."""
    kinds: dict[str, type[Sgd | Lbfgs]] = {"sgd": Sgd, "lbfgs": Lbfgs}
    return kinds[hyper.optimizer](linear, train, hyper, seed)


def target_probabilities(labels: Tensor, classes: int) -> Tensor:
    """Make the target distributions: one-hot for digits, uniform for outliers.

    Args:
        labels: `(N,)` int64, 0–9 or OUTLIER.
        classes: number of classes.

    Returns:
        `(N, classes)` float32, rows sum to one.
    """
    one_hot = nn.functional.one_hot(labels.clamp(min=0), classes).to(torch.float32)
    return torch.where((labels == OUTLIER).unsqueeze(1), 1 / classes, one_hot)


def _preconditioner(features: Tensor, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Estimate a whitening of the features: the eigenbasis of their damped covariance matrix.

    Args:
        features: `(N, F)`.
        seed: seed of the sample that the covariance is estimated from.

    Returns:
        mean `(F,)`; basis `(F, F)`, with weights = basis @ coordinates; and the squared weights for one unit of squared
        coordinate `(F,)`, features scaled to mean variance one.
    """
    order = torch.randperm(len(features), generator=torch.Generator().manual_seed(seed))
    sample = features[order[:_SAMPLE_SIZE].to(features.device)].to(torch.float32)
    mean = sample.mean(dim=0)
    sample -= mean
    variances, eigenvectors = eigenbasis(sample.T @ sample / len(sample))
    average = variances.mean()
    cost = average / (variances.clamp(min=0) + _DAMPING * average)
    return mean, eigenvectors * (cost / average).sqrt(), cost


def eigenbasis(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Find the eigenvalues `(F,)`, ascending, and eigenvectors `(F, F)` of a symmetric matrix float32."""
    try:
        return torch.linalg.eigh(covariance)
    except RuntimeError:  # torch's LinAlgError: of few images many eigenvalues are zero, too much for single precision
        values, vectors = torch.linalg.eigh(covariance.double())
        return values.float(), vectors.float()
