"""One training run, from data to a complete run folder; called by the command `train run`."""

import dataclasses
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from batch_infer._version import __version__
from batch_infer.errors import UsageError
from batch_infer.reports.files import confusion_csv
from train.additions import Additions, load_additions
from train.comparison import compare_with_bundled
from train.data import Dataset, load_data
from train.fitting.calibration import fold_temperature
from train.fitting.evaluate import evaluate
from train.fitting.feature_cache import CachedFeatures, cache_features
from train.fitting.loop import Epoch, train_epochs
from train.fitting.repeats import Choice, choose_repeats
from train.model.softmax import SoftmaxRegression
from train.plots import plot_confusion, plot_history, plot_predictions, plot_reliability, plot_weights
from train.recipes import RECIPES, Hyperparameters, get_recipe
from train.resuming import check_unchanged, read_choice
from train.run_folder import CONFIG, CONFUSION, METRICS, RunFolder, load_run
from train.training_set import TrainingSet, divide
from train.typed import build

VALIDATION_SIZE: Final = 10_000  # images for validation, unless the user or the data set says otherwise


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a run, as stored in config.json.

    Attributes:
        recipe: name of the recipe.
        data: None for the packaged MNIST, else a folder, the name of a torchvision data set, or one's own pictures.
        validation_size: number of training images held out for validation.
        seed: seed of the split, the initial weights, the augmentation and the shuffling.
        device: `cpu` or `cuda`.
        copies: number of distorted copies of each training image.
        outliers: number of outliers as a share of images and copies.
        hyperparameters: settings of the optimizer and of the training loop.
        data_labels: file of the labels of one's own pictures in `data`; None: as `batch-infer --labels auto`.
        add: one's own pictures to train on besides.
        add_labels: file of their labels; None: as `batch-infer --labels auto`.
    """

    recipe: str
    data: str | None
    validation_size: int
    seed: int
    device: str
    copies: int
    outliers: float
    hyperparameters: Hyperparameters
    data_labels: str | None = None
    add: tuple[str, ...] = ()
    add_labels: str | None = None

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Config":
        """Make a Config from the content of config.json.

        Raises:
            ValueError: a value is missing, or is one that the command line would not accept.
        """
        config = build(cls, content)
        hyper = config.hyperparameters
        allowed = {
            "recipe": config.recipe in RECIPES,
            "device": config.device in {"cpu", "cuda"},
            "validation_size": config.validation_size > 0,
            "seed": 0 <= config.seed < 1 << 63,
            "copies": 0 <= config.copies <= 100,
            "outliers": 0 <= config.outliers <= 1,
            "optimizer": hyper.optimizer in {"sgd", "lbfgs"},
            "epochs": hyper.epochs > 0,
            "batch_size": 0 < hyper.batch_size < 1 << 31 or (hyper.optimizer == "lbfgs" and hyper.batch_size == 0),
            "lr": hyper.lr >= 0,
            "momentum": 0 <= hyper.momentum <= 1,
            "weight_decay": hyper.weight_decay >= 0,
            "patience": hyper.patience > 0,
        }
        for name, right in allowed.items():
            if not right:
                raise ValueError(f"{name} has a value that `train run` would not take")
        return config


@dataclasses.dataclass(frozen=True)
class TrainingInputs:
    """Everything that training needs, checked and in memory.

    Attributes:
        config: settings of the run.
        dataset: the images.
        model: with its initial weights, on the device that trains.
        additions: one's own pictures to train on besides.
    """

    config: Config
    dataset: Dataset
    model: SoftmaxRegression
    additions: Additions | None = None

    @property
    def messages(self) -> tuple[str, ...]:
        """Lines for people about pictures of theirs that were left out."""
        return self.dataset.messages + (() if self.additions is None else self.additions.own.messages)


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """A finished run: its folder, and the content of metrics.json."""

    folder: RunFolder
    metrics: dict[str, Any]


def prepare(config: Config, *, resume: bool = False) -> TrainingInputs:
    """Load the data; nothing is written.

    Args:
        config: the settings.
        resume: whether they are those of a run that is continued.

    Raises:
        UsageError: the data set cannot be loaded, or has too few images for the validation size.
    """
    dataset = load_data(config.data, config.data_labels)
    if dataset.validation_size is not None:
        if config.validation_size != VALIDATION_SIZE and not resume:
            raise UsageError(
                f"--validation-size {config.validation_size}: one's own pictures are divided by their content, 70 % to "
                "train on, 15 % for validation, 15 % for the test; leave it out"
            )
        config = dataclasses.replace(config, validation_size=dataset.validation_size)
    total, held_out = len(dataset.train.labels), config.validation_size
    if not 0 < held_out < total:
        raise UsageError(f"--validation-size {held_out}: expected 1 to {total - 1} of the {total:,} training images")
    additions = load_additions(config.add, config.add_labels, dataset)
    model = SoftmaxRegression(config.recipe, seed=config.seed).to(config.device)
    return TrainingInputs(config, dataset, model, additions)


def fit(
    inputs: TrainingInputs,
    folder: RunFolder,
    *,
    resume: bool = False,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_choice: Callable[[Additions, Choice], None] | None = None,
) -> TrainingResult:
    """Train, evaluate and write the run folder.

    Args:
        inputs: model, data and settings.
        folder: where the files go.
        resume: continue from the folder's last epoch.
        on_epoch: called after each epoch, once its files are written.
        on_choice: called when the number of repetitions of one's own pictures was found.

    Raises:
        UsageError: the loss is no longer finite; or the pictures are not those that the run began with.
        ModelError: the state to continue from is damaged.
        OutputError: a file cannot be written.
    """
    config, dataset, model, additions = inputs.config, inputs.dataset, inputs.model, inputs.additions
    content = {**dataclasses.asdict(config), **_provenance(dataset)}
    if additions is not None:
        content["added"] = additions.describe()
    state, chosen = None, None
    if resume:
        before = folder.read_config()
        check_unchanged(before, content)
        chosen = before.get("repetition")
        state = folder.read_state(model.linear.state_dict())
    folder.write_json(CONFIG, content)
    images = divide(dataset, config.validation_size, config.seed)
    if additions is not None:
        choice = _choose_repeats(inputs, additions, images) if chosen is None else read_choice(chosen, folder)
        added = {**content["added"], "repeats": choice.repeats}
        folder.write_json(CONFIG, {**content, "added": added, "repetition": dataclasses.asdict(choice)})
        if on_choice is not None:
            on_choice(additions, choice)
        images = images.with_additions(additions, choice.repeats)
    train, validation = _cache_features(inputs, images)
    hyper = config.hyperparameters
    calibrate = get_recipe(config.recipe).calibrate
    epochs = train_epochs(
        model.linear,
        train,
        validation,
        hyper,
        seed=config.seed,
        num_images=len(images),
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
    temperature = fold_temperature(model.linear, validation) if calibrate else None
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
        **compare_with_bundled(model, dataset, additions, evaluation),
    }
    shown = torch.from_numpy(dataset.test.images), torch.from_numpy(dataset.test.labels)
    folder.write("history.png", plot_history(state.history, f"{config.recipe}, {hyper.optimizer}"))
    folder.write("weights.png", plot_weights(model, validation.features))
    folder.write("predictions.png", plot_predictions(*shown, evaluation.predictions))
    folder.write("confusion.png", plot_confusion(evaluation.counts))
    folder.write("reliability.png", plot_reliability(evaluation.counts))
    folder.write(CONFUSION, confusion_csv(evaluation.counts))
    folder.write_json(METRICS, metrics)
    return TrainingResult(folder, metrics)


def create_run_folder(path: str | None, recipe: str, timestamp: str) -> RunFolder:
    """Create the folder of a new run: `path`, or `runs/<recipe>-<timestamp>` with the link `runs/latest` to it."""
    if path is not None:
        return RunFolder.create(Path(path))
    folder = RunFolder.create(Path("runs") / f"{recipe}-{timestamp}")
    folder.point_latest_here()
    return folder


def _cache_features(inputs: TrainingInputs, images: TrainingSet) -> tuple[CachedFeatures, CachedFeatures]:
    """Compute the features of the training images, their copies and outliers, and of the images held out."""
    config, features = inputs.config, inputs.model.features
    train = cache_features(
        features,
        images.images,
        images.labels,
        config.device,
        copies=config.copies,
        outliers=round(config.outliers * (1 + config.copies) * len(images)),
        seed=config.seed,
    )
    return train, cache_features(features, images.validation_images, images.validation_labels, config.device)


def _choose_repeats(inputs: TrainingInputs, additions: Additions, images: TrainingSet) -> Choice:
    """Choose how often one's own pictures are repeated."""
    config = inputs.config
    return choose_repeats(
        inputs.model,
        images.images,
        images.labels,
        additions.train,
        config.device,
        copies=config.copies,
        seed=config.seed,
    )


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
