"""Where a model to export comes from: a run folder of `train run`, or weights that somebody else trained."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from batch_infer.errors import ModelError, UsageError
from batch_infer.paths import show_path
from export.scaling import Scaling, Score, find_scaling, fold, given_scaling
from export.weights import Layer, load_layer, make_model
from train.data import Dataset, Split, load_data
from train.fitting.evaluate import evaluate
from train.model.features import FEATURES
from train.model.softmax import SoftmaxRegression
from train.recipes import get_recipe
from train.run_folder import CONFIG, LAST, LATEST, METRICS, WEIGHTS, RunFolder, load_run

PIXELS: Final = "pixels"
POOR: Final = 0.85  # softmax regression on raw pixels gets 90 to 93 % of MNIST right, whoever trains it


class Loaded(NamedTuple):
    """A model to export.

    Attributes:
        model: on the CPU, in eval mode.
        train: metadata about its training: no path, time or duration.
        test: the images that the gate compares.
        lines: what was found out about it, for people.
        warning: what they should worry about; or None.
    """

    model: SoftmaxRegression
    train: dict[str, Any]
    test: Split
    lines: tuple[str, ...] = ()
    warning: str | None = None


@dataclass(frozen=True)
class RunSource:
    """A run folder."""

    path: Path

    def files(self) -> dict[str, str]:
        """The files that an export must not replace: resolved path → what it is."""
        return {os.path.realpath(self.path / name): "a file of the run" for name in (WEIGHTS, CONFIG, METRICS, LAST)}

    def load(self) -> Loaded:
        """Load the model, what is known of its training, and the data set that it was trained on.

        Raises:
            ModelError: the folder is not a finished run, or damaged.
            UsageError: the data set cannot be loaded.
        """
        if os.path.isfile(self.path):
            shown = show_path(str(self.path))
            raise ModelError(f"{shown}: a file; expected a run folder; for weights alone: --weights {shown}")
        model, folder = load_run(self.path), RunFolder(self.path)
        config, metrics = folder.read_config(), folder.read_json(METRICS)
        kept = (
            "recipe",
            "dataset",
            "train_sha256",
            "test_sha256",
            "validation_size",
            "seed",
            "hyperparameters",
            "added",
        )
        train = {
            "config": {key: config[key] for key in kept if key in config},
            "test_accuracy": metrics.get("test_accuracy"),
            "test_log_loss": metrics.get("test_log_loss"),
        }
        if isinstance(config.get("added"), dict):
            held_out = metrics.get("comparison", {}).get("held_out", {})
            train["added_held_out"] = {
                "images": held_out.get("images"),
                "accuracy": (held_out.get("new") or {}).get("accuracy"),
            }
        test = load_data(config.get("data"), config.get("data_labels")).test
        if test.sha256 != config.get("test_sha256", test.sha256):
            raise UsageError(
                f"{self.path}: the test images of its --data are not those that it was measured on; train again"
            )
        return Loaded(model, train, test)


@dataclass(frozen=True)
class WeightsSource:
    """A file with the state_dict of one linear layer, trained by another program.

    Attributes:
        path: the file.
        recipe: what the layer sees, a name of `train.recipes.RECIPES`.
        input_mean: with `pixels`: what was subtracted from the pixels, 0 … 1, before the layer; None to find out.
        input_std: what they were then divided by; None to find out.
    """

    path: Path
    recipe: str = PIXELS
    input_mean: float | None = None
    input_std: float | None = None

    def files(self) -> dict[str, str]:
        """The files that an export must not replace: resolved path → what it is."""
        return {os.path.realpath(self.path): "the file of --weights"}

    def load(self) -> Loaded:
        """Load the layer, find out how its pixels were scaled, and score it on MNIST.

        Raises:
            ModelError: the file is not a state_dict of one linear layer of the right shapes.
            UsageError: there is no such recipe, or a wrong mean or standard deviation.
        """
        given = given_scaling(self.input_mean, self.input_std)
        recipe = get_recipe(self.recipe).name
        if given and recipe != PIXELS:
            raise UsageError(f"--input-mean and --input-std go with the recipe {PIXELS}, not with {recipe}")
        layer = load_layer(self.path, FEATURES[recipe].size)
        data = load_data()
        train: dict[str, Any] = {"training": "unknown: exported from weights alone (--weights)"}
        lines = [f"✓ {show_path(str(self.path))}: {layer.found}"]
        if recipe == PIXELS:
            layer, scaling, line = _scale(layer, given, data)
            train |= {"input_mean": scaling.mean, "input_std": scaling.std}
            lines.append(line)
        model = make_model(layer, recipe)
        accuracy = evaluate(model, data.test).metrics()["test_accuracy"]
        train["test_accuracy"] = accuracy
        lines.append(f"✓ MNIST test accuracy {accuracy:.2%} (how the weights were trained is unknown)")
        warning = None
        if accuracy < POOR:
            warning = (
                f"warning: MNIST test accuracy {accuracy:.2%}, below {POOR:.0%}: not trained on digits, on dark ink on "
                "light, or on pixels scaled in another way (--input-mean, --input-std)"
            )
        return Loaded(model, train, data.test, tuple(lines), warning)


def select_source(
    run: str | None,
    weights: str | None,
    *,
    recipe: str | None = None,
    input_mean: float | None = None,
    input_std: float | None = None,
) -> RunSource | WeightsSource:
    """Choose where the model comes from by the options of `export onnx`.

    Raises:
        UsageError: they do not go together.
    """
    if weights is None:
        given = {"--recipe": recipe, "--input-mean": input_mean, "--input-std": input_std}
        for option, value in given.items():
            if value is not None:
                raise UsageError(f"{option} goes with --weights; a run folder knows its own")
        return RunSource(Path(run if run is not None else LATEST))
    if run is not None:
        raise UsageError("--run and --weights: give one of them")
    return WeightsSource(Path(weights), recipe or PIXELS, input_mean, input_std)


def _scale(layer: Layer, given: Scaling | None, data: Dataset) -> tuple[Layer, Scaling, str]:
    """Fold the given scaling, or the best of the common ones, into a layer → also a line that names it."""
    if given:
        return fold(layer, given), given, f"✓ pixels scaled as given: {given.name}"
    best, scores = find_scaling(layer, data.train)
    return fold(layer, best), best, f"✓ pixels scaled as found on training images: {best.name} ({_show(scores)})"


def _show(scores: dict[Scaling, Score]) -> str:
    return ", ".join(f"{scaling.name} {found.accuracy:.1%}" for scaling, found in scores.items())
