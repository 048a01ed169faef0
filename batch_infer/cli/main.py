"""The command batch-infer: options in, one call, exit code out."""

import io
import json
import logging
import os
import sys
from typing import Annotated, Literal

import typer

from batch_infer._version import __version__
from batch_infer.cli.process import run_app, setup_logging
from batch_infer.cli.start import interruptible
from batch_infer.errors import OutputError, UsageError
from batch_infer.paths import escape_path

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_LIMITS = "Limits that turn a finished run into exit 8"
_SHOWN = "What is shown"
_MAX_NAMES = 256 << 20  # bytes


@app.command(
    epilog="Exit codes: 0 all classified · 3 some inputs are rows with an error · 2 wrong usage · 4 no input · "
    "5 model refused · 6 output cannot be written · 7 another run holds the output · 8 a limit was missed"
)
def batch_infer_command(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="INPUT", help="Image file, folder, or IDX image file (plain or gzip)."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(help="Predictions: .csv, .csv.gz or .parquet; reports go beside it. Without: to stdout."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(envvar="BATCH_INFER_MODEL", help="Model from: python -m export onnx.", show_default="bundled"),
    ] = None,
    files_from: Annotated[
        str | None, typer.Option(help="Read more INPUTs from a file, one a line (- for stdin).")
    ] = None,
    null: Annotated[
        bool, typer.Option("-0", help="With --files-from: a NUL between the names, as from find -print0.")
    ] = False,
    labels: Annotated[
        str,
        typer.Option(help="auto (sibling of an IDX file, folders named 0…9), none, or a file: CSV path,label or IDX."),
    ] = "auto",
    fit: Annotated[
        Literal["auto", "never"], typer.Option(help="auto: bring other pictures to 28×28; never: they are wrong_shape.")
    ] = "auto",
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Add the columns prob_0 … prob_9.")] = False,
    min_confidence: Annotated[
        float, typer.Option(help="Rows below get status low_confidence (0 to 1).", show_default=False)
    ] = 0.0,
    report_dir: Annotated[str | None, typer.Option(help="Where the reports go.", show_default="beside --out")] = None,
    report: Annotated[bool, typer.Option(" /--no-report", help="Write no report files.", show_default=False)] = True,
    min_accuracy: Annotated[
        float | None, typer.Option(help="Least accuracy over all labelled rows (0 to 1).", rich_help_panel=_LIMITS)
    ] = None,
    max_errors: Annotated[
        str | None,
        typer.Option(metavar="N|P%", help="Most error rows; up to that many give exit 0.", rich_help_panel=_LIMITS),
    ] = None,
    incremental: Annotated[
        bool, typer.Option("--incremental", help="Classify only what is new or changed; keeps a .state file.")
    ] = False,
    workers: Annotated[int | None, typer.Option(help="Processes.", show_default="the cores it may use")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only errors.", rich_help_panel=_SHOWN)] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="A summary line, also without a terminal.", rich_help_panel=_SHOWN)
    ] = False,
    log_format: Annotated[
        Literal["text", "json"], typer.Option(help="Lines on stderr.", rich_help_panel=_SHOWN)
    ] = "text",
    progress: Annotated[
        Literal["auto", "never"], typer.Option(help="auto: a bar, if stderr is a terminal.", rich_help_panel=_SHOWN)
    ] = "auto",
    model_info: Annotated[bool, typer.Option("--model-info", help="Show the model's metadata as JSON.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> int:
    """Classify images of handwritten digits: predictions, accuracy and reports as CSV."""
    if version:
        print(__version__)
        return 0
    if model_info:
        return _show_model(model)
    if quiet and verbose:
        raise UsageError("--quiet and --verbose exclude each other; give one of them")
    setup_logging("batch-infer", level=_level(quiet, verbose, out), json_lines=log_format == "json")
    given = list(inputs or ())
    if files_from is not None:
        given += _read_names(files_from, null)
    elif null:
        raise UsageError("-0 goes with --files-from FILE")
    if not given and files_from is None:
        raise UsageError("no INPUT: name an image, a folder or an IDX file; try: batch-infer --help")

    if out is None and sys.stdout is None:
        raise OutputError("standard output is closed; name a file with --out")

    from batch_infer.cli.console import progress_bar, show_table
    from batch_infer.job.run import log, run_job

    table = out is None and sys.stdout.isatty()
    show_bar = progress == "auto" and not quiet and sys.stderr.isatty()
    collected = io.BytesIO() if table else None
    interruptible()
    with progress_bar(enabled=show_bar) as advance:
        summary = run_job(
            given,
            out=out,
            model=model,
            labels=labels,
            fit=fit,
            probabilities=probabilities,
            min_confidence=min_confidence,
            report=report,
            report_dir=report_dir,
            min_accuracy=min_accuracy,
            max_errors=max_errors,
            incremental=incremental,
            workers=workers,
            stream=None if out is not None else collected or sys.stdout.buffer,
            progress=advance,
        )
    if collected is not None:
        show_table(collected.getvalue())
    for gate in summary.gates:
        log.error("%s; the outputs are published", gate)
    log.info("%s", summary.line())
    return summary.exit_code


def main() -> None:
    """Run the command as a process."""
    run_app(app, "batch-infer")


def _level(quiet: bool, verbose: bool, out: str | None) -> int:
    if quiet:
        return logging.ERROR
    # Cron mail must stay empty on success; at a terminal one wants to see that something was done.
    return (
        logging.INFO
        if verbose or (sys.stderr.isatty() and (out is not None or sys.stdout.isatty()))
        else logging.WARNING
    )


def _read_names(source: str, null: bool) -> list[str]:
    where = f"--files-from {escape_path(source)}"
    try:
        if source == "-" and sys.stdin is None:
            raise UsageError(f"{where}: standard input is closed")
        with sys.stdin.buffer if source == "-" else open(source, "rb") as file:
            data = file.read(_MAX_NAMES + 1)
    except OSError as error:
        raise UsageError(f"{where}: cannot be read: {error.strerror}") from error
    if len(data) > _MAX_NAMES:
        raise UsageError(f"{where}: more than {_MAX_NAMES >> 20} MB; expected a list of names (or name their folder)")
    return [os.fsdecode(name) for name in data.split(b"\0" if null else b"\n") if name]


def _show_model(model: str | None) -> int:
    from batch_infer.classifier import OnnxClassifier

    classifier = OnnxClassifier(model)
    content = {"path": str(classifier.path), "sha256": classifier.sha256, **classifier.metadata}
    print(json.dumps(content, indent=1))
    return 0
