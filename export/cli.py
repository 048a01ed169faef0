"""The command `export onnx`: parses options, calls the export, prints the result."""

from typing import Annotated

import typer

from batch_infer._version import __version__
from batch_infer.cli.examples import with_examples
from batch_infer.cli.process import print_error, require_working_folder, run_app
from batch_infer.errors import MissingExtraError
from batch_infer.signals import signals_held

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)

_EXAMPLES = (
    ("python -m export onnx", "the latest run"),
    ("python -m export onnx --run runs/mine --out mine.onnx", "another run"),
    ("python -m export onnx --weights tutorial.pth", "another program's"),
)
_COMMAND_HELP = with_examples(
    "Write one self-contained ONNX file, if it gives the same results as the PyTorch model.", *_EXAMPLES
)


@app.callback(
    invoke_without_command=True,
    help=with_examples(
        "Export a trained model. In a shell type `python -m export onnx`: `export` alone is a shell builtin.",
        *_EXAMPLES,
    ),
)
def export_callback(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """Export a trained model. In a shell type `python -m export onnx`: `export` alone is a shell builtin."""
    if version:
        print(__version__)
        raise typer.Exit


@app.command("onnx", help=_COMMAND_HELP)
def onnx_command(
    run: Annotated[str | None, typer.Option(help="Run folder written by `train run`. [default: runs/latest]")] = None,
    out: Annotated[
        str, typer.Option(help="ONNX file to write; replaced only if the parity gate passes.")
    ] = "model.onnx",
    opset: Annotated[int, typer.Option(help="ONNX opset version, 18 to 21.")] = 18,
    atol: Annotated[float, typer.Option(min=0.0, help="Absolute tolerance of the logits.")] = 1e-5,
    rtol: Annotated[float, typer.Option(min=0.0, help="Relative tolerance, times the image's largest logit.")] = 1e-5,
    report: Annotated[str | None, typer.Option(help="CSV file to write with the results of the parity gate.")] = None,
    weights: Annotated[
        str | None,
        typer.Option(help="Instead of --run: a state_dict of one linear layer (10, 784), saved by any program."),
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="Recipe of --weights. [default: pixels]")] = None,
    input_mean: Annotated[
        float | None,
        typer.Option(help="Mean that the pixels (0 to 1) of --weights were normalized with. [default: found out]"),
    ] = None,
    input_std: Annotated[
        float | None, typer.Option(help="Standard deviation likewise; both are folded into the weights.")
    ] = None,
) -> int:
    """Write one self-contained ONNX file, if it gives the same results as the PyTorch model."""
    require_working_folder()
    try:
        with signals_held():
            from export.job import export_model
            from export.source import select_source
    except ModuleNotFoundError as error:
        raise MissingExtraError.of(error) from error
    source = select_source(run, weights, recipe=recipe, input_mean=input_mean, input_std=input_std)
    result = export_model(source, out, opset=opset, atol=atol, rtol=rtol, report=report)
    for line in result.lines:
        print(line)
    print(result.parity.summary_line())
    print(f"✓ {result.out}: {result.size:,} bytes")
    print(f"next: batch-infer ./images --model {result.out} --out preds.csv")
    if result.warning:
        print_error("export", result.warning)
    return 0


def main() -> None:
    """Run the command as a process."""
    run_app(app, "export")


def onnx_main() -> None:
    """Run the command `export-onnx` as a process."""
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(help=_COMMAND_HELP)(onnx_command)
    run_app(alone, "export-onnx")
