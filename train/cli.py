"""The command `train run`: parses options, calls the trainer, prints progress."""

import time
from typing import Annotated, Any, Literal

import typer

from batch_infer._version import __version__
from batch_infer.cli.examples import with_examples
from batch_infer.cli.process import print_error, require_working_folder, run_app
from batch_infer.errors import MissingExtraError, UsageError
from batch_infer.signals import signals_held

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)

_EXAMPLES = (
    ("train run", "the default recipe on MNIST"),
    ("train run --add ./scans --add-labels labels.csv", "and your own digits"),
    ("train run --resume", "continue the latest run"),
)

_RESUMABLE = "--out, --epochs and --quiet"


@app.callback(
    invoke_without_command=True, help=with_examples("Train softmax regression on handwritten digits.", *_EXAMPLES)
)
def train_callback(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """Train softmax regression on handwritten digits."""
    if version:
        print(__version__)
        raise typer.Exit


@app.command(
    "run", help=with_examples("Train a model, evaluate it on the test split, and write a run folder.", *_EXAMPLES)
)
def run_command(
    recipe: Annotated[
        str | None, typer.Option(help="Model family: pixels, deskew or strokes.", show_default="strokes")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Folder of IDX files; MNIST, QMNIST or EMNIST-digits, which are downloaded; or your own pictures with "
            "labels, as for --add, to train on these alone.",
            show_default="packaged MNIST",
        ),
    ] = None,
    data_labels: Annotated[
        str | None,
        typer.Option(
            help="File of the labels of your own pictures in --data.", show_default="found as batch-infer does"
        ),
    ] = None,
    add: Annotated[
        list[str] | None,
        typer.Option(
            help="Your own pictures with labels, to train on besides --data: folders 0 to 9, or whatever batch-infer "
            "reads. May be given several times. A fifth is held out to measure."
        ),
    ] = None,
    add_labels: Annotated[
        str | None,
        typer.Option(
            help="File of their labels: CSV path,label or path,index,label.", show_default="found as batch-infer does"
        ),
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="Run folder to write.", show_default="runs/<recipe>-<UTC time>")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of epochs.", show_default="the recipe's")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images per step (sgd only).", show_default="the recipe's")
    ] = None,
    lr: Annotated[float | None, typer.Option(min=0.0, help="Learning rate.", show_default="the recipe's")] = None,
    momentum: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Momentum (sgd only).", show_default="the recipe's")
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(min=0.0, help="Weight decay (L2 penalty).", show_default="the recipe's")
    ] = None,
    optimizer: Annotated[
        Literal["sgd", "lbfgs"] | None, typer.Option(help="Optimizer.", show_default="the recipe's")
    ] = None,
    validation_size: Annotated[
        int | None, typer.Option(min=1, help="Number of training images held out for validation.", show_default="10000")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Random seed; the same seed gives the same weights.", show_default="0")
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"] | None, typer.Option(help="Device to train on.", show_default="auto")
    ] = None,
    augment: Annotated[
        bool | None,
        typer.Option(
            "--augment/--no-augment",
            help="Also train on distorted copies and on outliers (pictures that are not digits).",
            show_default="the recipe's",
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(min=1, help="Epochs without improvement before stopping.", show_default="the recipe's"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out, or the latest one.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> int:
    """Train a model, evaluate it on the test split, and write a run folder."""
    given = {
        "recipe": recipe,
        "data": data,
        "data_labels": data_labels,
        "add": add or None,
        "add_labels": add_labels,
        "batch_size": batch_size,
        "lr": lr,
        "momentum": momentum,
        "weight_decay": weight_decay,
        "optimizer": optimizer,
        "validation_size": validation_size,
        "seed": seed,
        "device": device,
        "augment": augment,
        "patience": patience,
    }
    if resume:
        _refuse_settings(given)
    require_working_folder()
    try:
        with signals_held():
            from train import trainer
            from train.messages import describe_choice, describe_comparison
    except ModuleNotFoundError as error:
        raise MissingExtraError.of(error) from error
    if resume:
        config, folder = _resumed_run(out, epochs)
        prepared = trainer.prepare(config, resume=True)
    else:
        config = _new_config(given, epochs)
        prepared = trainer.prepare(config)
        folder = trainer.create_run_folder(out, config.recipe, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))

    def print_epoch(epoch: Any) -> None:
        print(
            f"epoch {epoch.epoch:3d}/{config.hyperparameters.epochs}  "
            f"train loss {epoch.train_loss:.4f} accuracy {epoch.train_accuracy:.2%}  "
            f"validation loss {epoch.validation_loss:.4f} accuracy {epoch.validation_accuracy:.2%}  "
            f"{epoch.seconds:.2f} s",
            flush=True,
        )

    def print_choice(additions: Any, choice: Any) -> None:
        print(describe_choice(additions, choice), flush=True)

    if not quiet:
        for message in prepared.messages:
            print_error("train", message)
        print(f"{config.recipe}: {config.hyperparameters.optimizer} on {config.device} → {folder.path}", flush=True)
    metrics = trainer.fit(
        prepared,
        folder,
        resume=resume,
        on_epoch=None if quiet else print_epoch,
        on_choice=None if quiet else print_choice,
    ).metrics
    if not quiet:
        print(
            f"✓ test accuracy {metrics['test_accuracy']:.2%}, log-loss {metrics['test_log_loss']:.4f}, "
            f"calibration error {metrics['test_calibration_error']:.2%} (weights of epoch {metrics['epoch']})"
        )
        for line in describe_comparison(prepared.dataset.name, metrics):
            print(line)
        print(f"next: python -m export onnx --run {folder.path} --out model.onnx")
    return 0


def main() -> None:
    """Run the command as a process."""
    run_app(app, "train")


def _refuse_settings(given: dict[str, Any]) -> None:
    """Check that no setting is given with --resume."""
    names = ", ".join(f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None)
    if names:
        raise UsageError(f"{names}: a resumed run keeps its settings; with --resume only {_RESUMABLE} can be given")


def _new_config(given: dict[str, Any], epochs: int | None) -> Any:
    """Make the Config of a new run from the options given (None is not given) and the recipe's defaults."""
    import torch

    from train.recipes import DEFAULT_RECIPE, get_recipe
    from train.trainer import VALIDATION_SIZE, Config

    recipe = get_recipe(given["recipe"] or DEFAULT_RECIPE)
    optimizer = given["optimizer"] or recipe.default_optimizer
    for name in ("batch_size", "momentum"):
        if optimizer == "lbfgs" and given[name] is not None:
            raise UsageError(f"--{name.replace('_', '-')}: lbfgs has none (every step uses all images); leave it out")
    augment = recipe.augment if given["augment"] is None else given["augment"]
    hyper = recipe.hyperparameters(
        optimizer,
        augment=augment,
        epochs=epochs,
        **{name: given[name] for name in ("batch_size", "lr", "momentum", "weight_decay", "patience")},
    )
    device = given["device"] or "auto"
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no CUDA device; leave --device out to train on the CPU")
    size = given["validation_size"]
    return Config(
        recipe=recipe.name,
        data=given["data"],
        validation_size=VALIDATION_SIZE if size is None else size,
        seed=given["seed"] or 0,
        device=device,
        copies=recipe.copies if augment else 0,
        outliers=recipe.outliers if augment else 0.0,
        hyperparameters=hyper,
        data_labels=given["data_labels"],
        add=tuple(given["add"] or ()),
        add_labels=given["add_labels"],
    )


def _resumed_run(out: str | None, epochs: int | None) -> Any:
    """Read the Config and RunFolder of the run to continue."""
    import dataclasses
    from pathlib import Path

    from batch_infer.errors import ModelError
    from train.run_folder import CONFIG, LATEST, RunFolder
    from train.trainer import Config

    folder = RunFolder(Path(out) if out is not None else LATEST)
    content = folder.read_config()
    try:
        config = Config.from_dict(content)
    except ValueError as error:
        raise ModelError(f"{folder.path / CONFIG}: {error}; start a new run") from error
    if epochs is not None:
        hyper = dataclasses.replace(config.hyperparameters, epochs=epochs)
        config = dataclasses.replace(config, hyperparameters=hyper)
    return config, folder
