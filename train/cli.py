"""The command `train run`: options in, one call, lines out."""

import time
from typing import Annotated, Any, Literal

import typer

from batch_infer._version import __version__
from batch_infer.cli.process import require_working_folder, run_app
from batch_infer.cli.start import enable_keyboard_interrupt
from batch_infer.errors import MissingExtraError, UsageError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)

_RESUMABLE = "--out, --epochs and --quiet"


@app.callback(invoke_without_command=True)
def train_callback(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """Train softmax regression on handwritten digits."""
    if version:
        print(__version__)
        raise typer.Exit


@app.command("run")
def run_command(
    recipe: Annotated[
        str | None, typer.Option(help="pixels, deskew or strokes: what the model sees.", show_default="strokes")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Folder of IDX files, or MNIST, QMNIST, EMNIST-digits (downloaded).", show_default="packaged MNIST"
        ),
    ] = None,
    out: Annotated[str | None, typer.Option(help="Run folder.", show_default="runs/<recipe>-<UTC time>")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most so many.", show_default="the recipe's")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images a step, sgd only.", show_default="the recipe's")
    ] = None,
    lr: Annotated[float | None, typer.Option(min=0.0, help="Learning rate.", show_default="the recipe's")] = None,
    momentum: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Sgd only.", show_default="the recipe's")
    ] = None,
    weight_decay: Annotated[
        float | None, typer.Option(min=0.0, help="L2 penalty.", show_default="the recipe's")
    ] = None,
    optimizer: Annotated[Literal["sgd", "lbfgs"] | None, typer.Option(show_default="the recipe's")] = None,
    validation_size: Annotated[
        int | None, typer.Option(min=1, help="Training images kept back.", show_default="10000")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed gives the same weights.", show_default="0")
    ] = None,
    device: Annotated[Literal["auto", "cpu", "cuda"] | None, typer.Option(show_default="auto")] = None,
    augment: Annotated[
        bool | None,
        typer.Option(
            "--augment/--no-augment",
            help="Train on distorted copies and on pictures that are no digits, too.",
            show_default="the recipe's",
        ),
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many epochs without progress.", show_default="the recipe's")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out, else the latest.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> int:
    """Train a model, evaluate it on the test split, and write a run folder."""
    chosen = {
        "recipe": recipe,
        "data": data,
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
    if resume and any(value is not None for value in chosen.values()):
        given = ", ".join(f"--{name.replace('_', '-')}" for name, value in chosen.items() if value is not None)
        raise UsageError(f"{given}: a resumed run keeps its settings; with --resume only {_RESUMABLE} go")
    require_working_folder()
    try:
        from train import trainer
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{error.name} is not installed; type: pip install '.[train]'") from error

    enable_keyboard_interrupt()
    if resume:
        config, folder = _resumed(out, epochs)
        prepared = trainer.prepare(config)
    else:
        config = _config(chosen, epochs)
        prepared = trainer.prepare(config)
        folder = trainer.new_folder(out, config.recipe, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))

    def report(epoch: Any) -> None:
        if not quiet:
            print(
                f"epoch {epoch.epoch:3d}/{config.hyperparameters.epochs}  "
                f"train loss {epoch.train_loss:.4f} accuracy {epoch.train_accuracy:.2%}  "
                f"validation loss {epoch.validation_loss:.4f} accuracy {epoch.validation_accuracy:.2%}  "
                f"{epoch.seconds:.2f} s",
                flush=True,
            )

    if not quiet:
        print(f"{config.recipe}: {config.hyperparameters.optimizer} on {config.device} → {folder.path}", flush=True)
    outcome = trainer.fit(prepared, folder, resume=resume, on_epoch=report)
    if not quiet:
        metrics = outcome.metrics
        print(
            f"✓ test accuracy {metrics['test_accuracy']:.2%}, log-loss {metrics['test_log_loss']:.4f}, "
            f"calibration error {metrics['test_calibration_error']:.2%} (weights of epoch {metrics['epoch']})"
        )
        print(f"next: python -m export onnx --run {folder.path} --out model.onnx")
    return 0


def main() -> None:
    """Run the command as a process."""
    run_app(app, "train")


def _config(chosen: dict[str, Any], epochs: int | None) -> Any:
    import torch

    from train.recipes import DEFAULT_RECIPE, recipe_named
    from train.trainer import Config

    recipe = recipe_named(chosen["recipe"] or DEFAULT_RECIPE)
    optimizer = chosen["optimizer"] or recipe.default_optimizer
    for name in ("batch_size", "momentum"):
        if optimizer == "lbfgs" and chosen[name] is not None:
            raise UsageError(f"--{name.replace('_', '-')}: lbfgs has none (it sees all images at once); leave it out")
    augment = recipe.augment if chosen["augment"] is None else chosen["augment"]
    hyper = recipe.hyperparameters(
        optimizer,
        augment=augment,
        epochs=epochs,
        **{name: chosen[name] for name in ("batch_size", "lr", "momentum", "weight_decay", "patience")},
    )
    device = chosen["device"] or "auto"
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no CUDA device; leave --device out to train on the CPU")
    size = chosen["validation_size"]
    return Config(
        recipe=recipe.name,
        data=chosen["data"],
        validation_size=10_000 if size is None else size,
        seed=chosen["seed"] or 0,
        device=device,
        copies=recipe.copies if augment else 0,
        outliers=recipe.outliers if augment else 0.0,
        hyperparameters=hyper,
    )


def _resumed(out: str | None, epochs: int | None) -> Any:
    import dataclasses
    from pathlib import Path

    from batch_infer.errors import ModelError
    from train.run_folder import CONFIG, LATEST, RunFolder
    from train.trainer import Config

    folder = RunFolder(Path(out) if out is not None else LATEST)
    content = folder.read_config()
    try:
        config = Config.from_dict(content)
    except (KeyError, TypeError) as error:
        raise ModelError(f"{folder.path / CONFIG}: lacks {error}; start a new run") from error
    if epochs is not None:
        hyper = dataclasses.replace(config.hyperparameters, epochs=epochs)
        config = dataclasses.replace(config, hyperparameters=hyper)
    return config, folder
