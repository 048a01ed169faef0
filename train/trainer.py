"""One training run from data to a complete run folder. What the command `train run` calls."""

import dataclasses
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from batch_infer._version import __version__
from batch_infer.errors import UsageError
from batch_infer.reports.files import confusion_csv
from train.data import Dataset, load_data
from train.fitting.calibration import fold_temperature
from train.fitting.evaluate import evaluate
from train.fitting.feature_cache import Examples, examples
from train.fitting.loop import Epoch, train_epochs
from train.model.softmax import SoftmaxRegression
from train.plots import history_picture, predictions_picture, weights_picture
from train.recipes import Hyperparameters, recipe_named
from train.run_folder import CONFUSION, METRICS, RunFolder, load_run


@dataclasses.dataclass(frozen=True)
class Config:
    """What a run was asked to do; config.json holds it.

    Attributes:
        recipe: name of the recipe.
        data: None for the packaged MNIST, else a folder or the name of a torchvision data set.
        validation_size: how many training images are kept back.
        seed: of the split, the first weights and the shuffling.
        device: `cpu` or `cuda`.
        copies: distorted copies of each training image.
        outliers: pictures that are no digits, as a share of images and copies.
        hyperparameters: how to train.
    """

    recipe: str
    data: str | None
    validation_size: int
    seed: int
    device: str
    copies: int
    outliers: float
    hyperparameters: Hyperparameters

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Config":
        """Read it back from config.json's content."""
        names = [field.name for field in dataclasses.fields(cls)]
        values = {name: content[name] for name in names}
        return cls(**{**values, "hyperparameters": Hyperparameters(**values["hyperparameters"])})


@dataclasses.dataclass(frozen=True)
class Prepared:
    """All that training needs, checked and in memory.

    Attributes:
        config: what to do.
        dataset: the images.
        model: with its first weights, on the device that trains.
        train: features of the training images.
        validation: features of those kept back.
    """

    config: Config
    dataset: Dataset
    model: SoftmaxRegression
    train: Examples
    validation: Examples


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came out of a run: the content of metrics.json."""

    folder: RunFolder
    metrics: dict[str, Any]


def prepare(config: Config) -> Prepared:
    """Load the data and compute the features; nothing is written.

    Raises:
        UsageError: the data do not fit.
    """
    dataset = load_data(config.data)
    total, kept_back = len(dataset.train.labels), config.validation_size
    if not 0 < kept_back < total:
        raise UsageError(f"--validation-size {kept_back}: expected 1 to {total - 1} of the {total:,} training images")
    model = SoftmaxRegression(config.recipe, seed=config.seed).to(config.device)
    order = torch.randperm(total, generator=torch.Generator().manual_seed(config.seed))
    learn, validate = order[:-kept_back], order[-kept_back:]
    images, labels = torch.from_numpy(dataset.train.images), torch.from_numpy(dataset.train.labels)
    train = examples(
        model.features,
        images[learn],
        labels[learn],
        config.device,
        copies=config.copies,
        outliers=round(config.outliers * (1 + config.copies) * len(learn)),
        seed=config.seed,
    )
    validation = examples(model.features, images[validate], labels[validate], config.device)
    return Prepared(config, dataset, model, train, validation)


def fit(
    prepared: Prepared,
    folder: RunFolder,
    *,
    resume: bool = False,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Outcome:
    """Train, evaluate and fill the run folder.

    Args:
        prepared: what to train, on what.
        folder: where to.
        resume: go on from the folder's last epoch.
        on_epoch: called after each epoch, once its files are written.

    Raises:
        UsageError: the loss is no longer finite.
        OutputError: a file cannot be written.
    """
    config, dataset, model = prepared.config, prepared.dataset, prepared.model
    folder.write_json("config.json", {**dataclasses.asdict(config), **_provenance(dataset)})
    state = folder.read_state() if resume else None
    hyper = config.hyperparameters
    scored = len(dataset.train.labels) - config.validation_size
    calibrate = recipe_named(config.recipe).calibrate
    epochs = train_epochs(
        model.linear,
        prepared.train,
        prepared.validation,
        hyper,
        seed=config.seed,
        scored=scored,
        calibrated=calibrate,
        state=state,
    )
    for state in epochs:
        if not np.isfinite(state.history[-1].train_loss):
            raise UsageError(f"the loss is no longer finite after epoch {len(state.history)}; try a lower --lr")
        folder.write_state(state)
        if on_epoch is not None:
            on_epoch(state.history[-1])
    assert state is not None  # there is at least one epoch
    model.linear.load_state_dict(state.best)
    temperature = fold_temperature(model.linear, prepared.validation) if calibrate else None
    folder.write_weights(model)
    model = load_run(folder.path)
    evaluation = evaluate(model, dataset.test)
    best = state.best_epoch
    metrics = {
        "epoch": best.epoch,
        "validation_loss": best.validation_loss,
        "validation_accuracy": best.validation_accuracy,
        "temperature": temperature,
        **evaluation.metrics(),
    }
    images, labels = torch.from_numpy(dataset.test.images), torch.from_numpy(dataset.test.labels)
    folder.write("history.png", history_picture(state.history, f"{config.recipe}, {hyper.optimizer}"))
    folder.write("weights.png", weights_picture(model, prepared.validation.features))
    folder.write("predictions.png", predictions_picture(images, labels, evaluation.predictions))
    folder.write(CONFUSION, confusion_csv(evaluation.counts))
    folder.write_json(METRICS, metrics)
    return Outcome(folder, metrics)


def new_folder(path: str | None, recipe: str, timestamp: str) -> RunFolder:
    """Make the folder of a new run: the named one, or `runs/<recipe>-<time>` with the link `runs/latest` to it."""
    if path is not None:
        return RunFolder.create(Path(path))
    folder = RunFolder.create(Path("runs") / f"{recipe}-{timestamp}")
    folder.point_latest_here()
    return folder


def _provenance(dataset: Dataset) -> dict[str, Any]:
    return {
        "dataset": dataset.name,
        "train_sha256": dataset.train.sha256,
        "test_sha256": dataset.test.sha256,
        "versions": {
            "mnist-logistic": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
        },
        "threads": torch.get_num_threads(),
    }
