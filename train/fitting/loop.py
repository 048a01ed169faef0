"""The training loop: evaluates each epoch, keeps the best weights, stops early, can be resumed."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from torch import Tensor, nn

from batch_infer.errors import ModelError
from train.fitting.evaluate import loss_and_accuracy
from train.fitting.feature_cache import CachedFeatures
from train.fitting.optimizers import make_optimizer
from train.recipes import Hyperparameters
from train.typed import build

_MIN_IMPROVEMENT: Final = 1e-4  # nats by which the validation loss must fall for an epoch to be the best


@dataclass(frozen=True)
class Epoch:
    """One row of history.csv: losses in nats and accuracies 0–1 over the whole split without copies, after the epoch.

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
class TrainingState:
    """Everything that training needs in order to continue; stored in last.pt.

    Attributes:
        linear: weights and bias after the last epoch.
        optimizer: state of the optimizer.
        history: the epochs so far.
        best: weights and bias after the best epoch.
    """

    linear: dict[str, Tensor]
    optimizer: dict[str, Any]
    history: list[Epoch] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best_epoch(self) -> Epoch:
        """The epoch whose weights are the best: the last one that improved the validation loss."""
        best = self.history[0]
        for epoch in self.history:
            if epoch.validation_loss < best.validation_loss - _MIN_IMPROVEMENT:
                best = epoch
        return best

    def to_dict(self) -> dict[str, Any]:
        """Plain containers and tensors, as `torch.load(weights_only=True)` takes them."""
        return {**vars(self), "history": [dataclasses.asdict(epoch) for epoch in self.history]}

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "TrainingState":
        """The inverse of `to_dict`.

        Raises:
            ValueError: it is not a result of `to_dict`; the tensors are not checked.
        """
        if not isinstance(content, dict) or content.keys() != {field.name for field in dataclasses.fields(cls)}:
            raise ValueError("expected linear, optimizer, history and best")
        history = content["history"]
        if not isinstance(history, list) or not history:
            raise ValueError("it has no history")
        return cls(**{**content, "history": [build(Epoch, epoch) for epoch in history]})


def train_epochs(
    linear: nn.Linear,
    train: CachedFeatures,
    validation: CachedFeatures,
    hyper: Hyperparameters,
    *,
    seed: int,
    num_images: int | None = None,
    calibrated: bool = False,
    state: TrainingState | None = None,
) -> Iterator[TrainingState]:
    """Train, yielding the state after each epoch.

    Everything that an epoch depends on is in the state of the epoch before: a resumed run gives the weights of an
    uninterrupted one, bit for bit on one machine with one number of threads.

    Args:
        linear: the layer to train, in place.
        train: training data.
        validation: decides which epoch is best, and when to stop.
        hyper: the hyperparameters.
        seed: seed of all randomness in training.
        num_images: number of rows of `train` that are the images themselves; the training loss and accuracy are over
            these, not over the distorted copies and outliers after them. None for all.
        calibrated: whether a temperature will be fitted: the best epoch is then the one that is best with it.
        state: what to continue from; None to start.

    Raises:
        ModelError: the optimizer cannot continue from `state`.
    """
    optimizer = make_optimizer(linear, train, hyper, seed)
    if state is None:
        state = TrainingState(linear.state_dict(), optimizer.state_dict())
    else:
        linear.load_state_dict(state.linear)
        with _resuming():
            optimizer.load_state_dict(state.optimizer)
    resumed_at = len(state.history) or -1
    images = train.first(len(train) if num_images is None else num_images)
    while not is_finished(state, hyper):
        started = time.perf_counter()
        with contextlib.nullcontext() if len(state.history) > resumed_at else _resuming():
            optimizer.run_epoch()
        epoch = Epoch(
            len(state.history) + 1,
            *loss_and_accuracy(linear, images),
            *loss_and_accuracy(linear, validation, calibrated=calibrated),
            lr=hyper.lr,
            seconds=round(time.perf_counter() - started, 3),
        )
        weights = {name: tensor.clone() for name, tensor in linear.state_dict().items()}
        state = TrainingState(weights, optimizer.state_dict(), [*state.history, epoch], state.best)
        if state.best_epoch is epoch:
            state.best = weights
        yield state


@contextlib.contextmanager
def _resuming() -> Iterator[None]:
    """Report errors up to the end of the first resumed epoch as a ModelError: the optimizer's state caused them."""
    try:
        yield
    except Exception as error:  # torch checks the state only when it uses it
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ModelError(f"the run cannot be continued from its last.pt ({reason}); start a new run") from error


def is_finished(state: TrainingState, hyper: Hyperparameters) -> bool:
    """Whether training is over: all epochs done, or no improvement for `patience` epochs (early stopping)."""
    done = len(state.history)
    return done >= hyper.epochs or (done > 0 and done - state.best_epoch.epoch >= hyper.patience)
