"""The training loop: epoch after epoch, scoring each, keeping the best, able to stop and go on."""

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from torch import Tensor, nn

from train.fitting.evaluate import score
from train.fitting.feature_cache import Examples
from train.fitting.optimizers import optimizer_for
from train.recipes import Hyperparameters

_PROGRESS: Final = 1e-4  # nats: what the validation loss has to fall by for an epoch to be better than the best


@dataclass(frozen=True)
class Epoch:
    """One line of history.csv: losses in nats, accuracies 0–1, over the whole split without copies, after the epoch.

    Where a temperature will be fitted on the validation split, the validation loss is the one at the best temperature.
    """

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
        history: the epochs so far.
        best: weights and bias after the best epoch.
    """

    linear: dict[str, Tensor]
    optimizer: dict[str, Any]
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


def train_epochs(
    linear: nn.Linear,
    train: Examples,
    validation: Examples,
    hyper: Hyperparameters,
    *,
    seed: int,
    scored: int | None = None,
    calibrated: bool = False,
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
        seed: of what is random in training.
        scored: how many of the first training examples the training loss is told of; None for all. Behind the images
            themselves stand their distorted copies and what is no digit.
        calibrated: whether a temperature will be fitted: the best epoch is then the one that is best with it.
        state: what to go on from; None to begin.
    """
    optimizer = optimizer_for(linear, train, hyper, seed)
    if state is None:
        state = State(linear.state_dict(), optimizer.state_dict())
    else:
        linear.load_state_dict(state.linear)
        optimizer.load_state_dict(state.optimizer)
    shown = train.first(len(train) if scored is None else scored)
    while not finished(state, hyper):
        started = time.perf_counter()
        optimizer.epoch()
        epoch = Epoch(
            len(state.history) + 1,
            *score(linear, shown),
            *score(linear, validation, calibrated=calibrated),
            lr=hyper.lr,
            seconds=round(time.perf_counter() - started, 3),
        )
        weights = {name: tensor.clone() for name, tensor in linear.state_dict().items()}
        state = State(weights, optimizer.state_dict(), [*state.history, epoch], state.best)
        if state.best_epoch is epoch:
            state.best = weights
        yield state


def finished(state: State, hyper: Hyperparameters) -> bool:
    """Whether training is over: all epochs done, or no better validation loss for `patience` epochs."""
    done = len(state.history)
    return done >= hyper.epochs or (done > 0 and done - state.best_epoch.epoch >= hyper.patience)
