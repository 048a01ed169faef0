"""The training loop: minimise the cross-entropy of the linear layer on features held in memory."""

import copy
import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from train.model import SoftmaxRegression
from train.recipes import Hyperparameters

_LBFGS_ITERATIONS: Final = 20  # in one epoch
_PROGRESS: Final = 1e-4  # nats: what the validation loss has to fall by for an epoch to be better than the best


@dataclass(frozen=True)
class Examples:
    """Features with labels, in memory on the device that trains.

    Attributes:
        features: `(N, size)` float32.
        labels: `(N,)` int64.
    """

    features: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Epoch:
    """One line of history.csv: losses in nats, accuracies 0–1, over the whole split after the epoch."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    lr: float
    seconds: float


@dataclass
class State:
    """All that training goes on from.

    Attributes:
        linear: weights and bias after the last epoch.
        optimizer: its state.
        shuffle: the state of the generator that shuffles.
        history: the epochs so far.
        best: weights and bias after the best epoch.
    """

    linear: dict[str, Tensor]
    optimizer: dict[str, Any]
    shuffle: Tensor
    history: list[Epoch] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best_epoch(self) -> Epoch:
        """The epoch whose weights are the best: the last one that brought progress in validation loss."""
        best = self.history[0]
        for epoch in self.history:
            if epoch.validation_loss < best.validation_loss - _PROGRESS:
                best = epoch
        return best

    def to_dict(self) -> dict[str, Any]:
        """Plain containers and tensors, as `torch.load(weights_only=True)` takes them."""
        return {**vars(self), "history": [dataclasses.asdict(epoch) for epoch in self.history]}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "State":
        """The inverse of `to_dict`."""
        return cls(**{**content, "history": [Epoch(**epoch) for epoch in content["history"]]})


def features_of(model: SoftmaxRegression, images: Tensor, batch: int = 4096) -> Tensor:
    """Compute the features `(N, size)` float32 of images `(N, 28, 28)` uint8, on the model's device."""
    device = model.linear.weight.device
    with torch.inference_mode():
        features = torch.cat([model.features(part.to(device)) for part in images.split(batch)])
    return features.clone()  # a normal tensor again: gradients of the layer above need one


def score(linear: nn.Linear, examples: Examples) -> tuple[float, float]:
    """Compute cross-entropy (nats) and accuracy over all examples."""
    with torch.inference_mode():
        logits = linear(examples.features)
        loss = cross_entropy(logits, examples.labels)
        correct = (logits.argmax(dim=1) == examples.labels).double().mean()
    return loss.item(), correct.item()


def train_epochs(
    linear: nn.Linear,
    train: Examples,
    validation: Examples,
    hyper: Hyperparameters,
    *,
    seed: int,
    state: State | None = None,
) -> Iterator[State]:
    """Train, yielding the state after each epoch.

    Everything that an epoch depends on is in the state of the epoch before: going on from it gives the weights of an
    uninterrupted run, bit for bit on one machine with one number of threads.

    Args:
        linear: the layer to train, in place.
        train: what it learns from.
        validation: what decides which epoch is best, and when to stop.
        hyper: how to train.
        seed: of the shuffling.
        state: what to go on from; None to begin.
    """
    optimizer = _optimizer(linear, hyper)
    shuffle = torch.Generator().manual_seed(seed)
    if state is None:
        state = State(linear.state_dict(), optimizer.state_dict(), shuffle.get_state())
    else:
        linear.load_state_dict(state.linear)
        optimizer.load_state_dict(state.optimizer)
        shuffle.set_state(state.shuffle)
    while not finished(state, hyper):
        started = time.perf_counter()
        if hyper.optimizer == "lbfgs":
            _lbfgs_epoch(linear, optimizer, train, hyper)
        else:
            _sgd_epoch(linear, optimizer, train, hyper, shuffle)
        epoch = Epoch(
            len(state.history) + 1,
            *score(linear, train),
            *score(linear, validation),
            lr=hyper.lr,
            seconds=round(time.perf_counter() - started, 3),
        )
        weights = {name: tensor.clone() for name, tensor in linear.state_dict().items()}
        state = State(
            weights, copy.deepcopy(optimizer.state_dict()), shuffle.get_state(), [*state.history, epoch], state.best
        )
        if state.best_epoch is epoch:
            state.best = weights
        yield state


def finished(state: State, hyper: Hyperparameters) -> bool:
    """Whether training is over: all epochs done, or no better validation loss for `patience` epochs."""
    done = len(state.history)
    return done >= hyper.epochs or (done > 0 and done - state.best_epoch.epoch >= hyper.patience)


def _optimizer(linear: nn.Linear, hyper: Hyperparameters) -> torch.optim.Optimizer:
    if hyper.optimizer == "lbfgs":
        return torch.optim.LBFGS(
            linear.parameters(), lr=hyper.lr, max_iter=_LBFGS_ITERATIONS, line_search_fn="strong_wolfe"
        )
    return torch.optim.SGD(linear.parameters(), lr=hyper.lr, momentum=hyper.momentum, weight_decay=hyper.weight_decay)


def _sgd_epoch(
    linear: nn.Linear,
    optimizer: torch.optim.Optimizer,
    train: Examples,
    hyper: Hyperparameters,
    shuffle: torch.Generator,
) -> None:
    order = torch.randperm(len(train.labels), generator=shuffle).to(train.labels.device)
    for rows in order.split(hyper.batch_size):
        optimizer.zero_grad()
        cross_entropy(linear(train.features[rows]), train.labels[rows]).backward()
        optimizer.step()


def _lbfgs_epoch(linear: nn.Linear, optimizer: torch.optim.Optimizer, train: Examples, hyper: Hyperparameters) -> None:
    def closure() -> float:
        optimizer.zero_grad()
        loss = cross_entropy(linear(train.features), train.labels)
        loss = loss + hyper.weight_decay / 2 * linear.weight.square().sum()
        loss.backward()
        return loss.item()

    optimizer.step(closure)
