"""The command batch-infer: options in, one call, exit code out."""

import codecs
import io
import json
import logging
import os
import sys
from typing import Annotated, Literal

import typer

from batch_infer._version import __version__
from batch_infer.cli.examples import with_examples
from batch_infer.cli.process import require_working_folder, run_app, setup_logging
from batch_infer.errors import OutputError, UsageError
from batch_infer.paths import explain_missing, show_path
from batch_infer.signals import signals_held

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_GATES = "Quality gates (exit 8)"
_OUTPUT = "Output"
_MAX_NAMES = 256 << 20  # bytes


@app.command(
    help=with_examples(
        "Classify images of handwritten digits: predictions, accuracy and reports as CSV.",
        ("batch-infer digit.png", "one picture"),
        ("batch-infer ./images --out preds.csv", "a folder, with reports"),
        ("batch-infer ./images --out preds.csv --incremental", "again: only what is new"),
    ),
    epilog="Exit codes: 0 all classified · 3 some inputs are rows with an error · 2 wrong usage · 4 no input · "
    "5 model refused · 6 output cannot be written · 7 another run holds the output · 8 a gate failed",
)
def batch_infer_command(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT",
            help="Image file, folder of images, or file of many images: IDX, .npy, .npz, CSV of pixels, Parquet.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            help="Predictions file: .csv, .csv.gz, .jsonl or .parquet. Reports are written beside it. "
            "Default: standard output."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            envvar="BATCH_INFER_MODEL", help="ONNX model made by: python -m export onnx.", show_default="bundled"
        ),
    ] = None,
    files_from: Annotated[
        str | None, typer.Option(help="Read more INPUTs from a file, one per line (- for standard input).")
    ] = None,
    null: Annotated[
        bool, typer.Option("-0", help="With --files-from: names are separated by NUL, as find -print0 writes them.")
    ] = False,
    labels: Annotated[
        str,
        typer.Option(
            help="auto (an IDX file's sibling, or folders named 0 to 9), none, or a file: CSV path,label "
            "(or path,index,label) or IDX labels."
        ),
    ] = "auto",
    fit: Annotated[
        Literal["auto", "never"],
        typer.Option(
            help="auto: bring every picture to MNIST's format; never: 28×28 as it is, others are wrong_shape."
        ),
    ] = "auto",
    orientation: Annotated[
        Literal["auto", "upright", "transposed"],
        typer.Option(help="Of images in IDX files, arrays and tables (EMNIST's are transposed); auto: by the content."),
    ] = "auto",
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Add the columns prob_0 to prob_9.")] = False,
    min_confidence: Annotated[
        float,
        typer.Option(help="Rows below this confidence (0 to 1) get the status low_confidence.", show_default=False),
    ] = 0.0,
    report_dir: Annotated[str | None, typer.Option(help="Folder for the reports.", show_default="beside --out")] = None,
    report: Annotated[bool, typer.Option(" /--no-report", help="Do not write reports.", show_default=False)] = True,
    report_pictures: Annotated[
        Literal["all", "none"], typer.Option(help="Pictures in the report for people; none for private handwriting.")
    ] = "all",
    min_accuracy: Annotated[
        float | None, typer.Option(help="Minimum accuracy over all labelled rows (0 to 1).", rich_help_panel=_GATES)
    ] = None,
    max_errors: Annotated[
        str | None,
        typer.Option(
            metavar="N|P%", help="Maximum number or share of error rows; up to that, exit 0.", rich_help_panel=_GATES
        ),
    ] = None,
    max_drift: Annotated[
        float | None,
        typer.Option(
            help="Maximum population stability index against earlier runs (0.25: a large change).",
            rich_help_panel=_GATES,
        ),
    ] = None,
    on_failed_gate: Annotated[
        Literal["publish", "keep"],
        typer.Option(help="publish: write the outputs all the same; keep: leave the old ones.", rich_help_panel=_GATES),
    ] = "publish",
    sort_into: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="Also lay the pictures into DIR/0 to DIR/9, DIR/review (low confidence) and DIR/error.",
        ),
    ] = None,
    sort_by: Annotated[
        Literal["symlink", "hardlink", "copy"] | None,
        typer.Option(
            help="How --sort-into lays them; images of IDX files, arrays and tables become PNG files.",
            show_default="symlink",
        ),
    ] = None,
    incremental: Annotated[
        bool,
        typer.Option(
            "--incremental", help="Classify only new and changed inputs; keeps a .state file beside the output."
        ),
    ] = False,
    workers: Annotated[int | None, typer.Option(help="Number of worker processes.", show_default="usable CPUs")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.", rich_help_panel=_OUTPUT)] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Print a summary line even without a terminal.", rich_help_panel=_OUTPUT)
    ] = False,
    log_format: Annotated[
        Literal["text", "json"], typer.Option(help="Format of the lines on standard error.", rich_help_panel=_OUTPUT)
    ] = "text",
    progress: Annotated[
        Literal["auto", "never"],
        typer.Option(help="auto: show a progress bar if standard error is a terminal.", rich_help_panel=_OUTPUT),
    ] = "auto",
    model_info: Annotated[
        bool, typer.Option("--model-info", help="Print the model's metadata as JSON and exit.")
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
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
    given = _given(inputs, files_from, null)
    if out is None and sys.stdout is None:
        raise OutputError("standard output is closed; name a file with --out")

    with signals_held():
        from batch_infer.cli.console import progress_bar, show_rows
        from batch_infer.cli.next_step import describe_reports, suggest
        from batch_infer.job.run import log, run_job

    _protect_names(files_from, out, report=report, report_dir=report_dir)
    table = out is None and sys.stdout.isatty()
    # The bars of a single picture need them. With reports they would change the checksum of the rows in run.json.
    bars = table and report_dir is None and len(given) == 1 and os.path.isfile(given[0])
    show_bar = progress == "auto" and not quiet and sys.stderr.isatty()
    collected = io.BytesIO() if table else None
    with progress_bar(enabled=show_bar) as advance:
        summary = run_job(
            given,
            out=out,
            model=model,
            labels=labels,
            fit=fit,
            orientation=orientation,
            probabilities=probabilities or bars,
            min_confidence=min_confidence,
            report=report,
            report_dir=report_dir,
            report_pictures=report_pictures,
            min_accuracy=min_accuracy,
            max_errors=max_errors,
            max_drift=max_drift,
            on_failed_gate=on_failed_gate,
            sort_into=sort_into,
            sort_by=sort_by,
            incremental=incremental,
            workers=workers,
            stream=None if out is not None else collected or sys.stdout.buffer,
            progress=advance,
        )
    if collected is not None and summary.published:
        show_rows(collected.getvalue(), probabilities=probabilities)
    for gate in summary.gates:
        log.error("%s; %s", gate, "the outputs are published" if summary.published else "the old outputs stay")
    if sys.stderr.isatty() and summary.published:  # not in cron mail
        log.info("%s%s", summary.line(), describe_reports(summary))
        log.info("next: %s", suggest(summary, sys.argv[1:]))
    else:
        log.info("%s", summary.line())
    return summary.exit_code


def main() -> None:
    """Run the command as a process."""
    run_app(app, "batch-infer")


def _level(quiet: bool, verbose: bool, out: str | None) -> int:
    if quiet:
        return logging.ERROR
    # Cron mail must stay empty on success; at a terminal people want to see that something was done.
    return (
        logging.INFO
        if verbose or (sys.stderr.isatty() and (out is not None or sys.stdout.isatty()))
        else logging.WARNING
    )


def _given(inputs: list[str] | None, files_from: str | None, null: bool) -> list[str]:
    """Collect the names of the INPUTs."""
    given = list(inputs or ())
    if files_from is not None:
        given += _read_names(files_from, null)
    elif null:
        raise UsageError("-0 goes with --files-from FILE")
    if not given and files_from is None:
        raise UsageError("no INPUT: name an image, a folder or an IDX file; try: batch-infer --help")
    if not all(os.path.isabs(path) for path in given):
        require_working_folder()
    return given


def _read_names(source: str, null: bool) -> list[str]:
    where = f"--files-from {show_path(source)}"
    try:
        if source == "-" and sys.stdin is None:
            raise UsageError(f"{where}: standard input is closed")
        with sys.stdin.buffer if source == "-" else open(source, "rb") as file:
            data = file.read(_MAX_NAMES + 1)
    except OSError as error:
        hint = explain_missing(source) if isinstance(error, FileNotFoundError) else ""
        raise UsageError(f"{where}: cannot be read: {error.strerror}{'; ' * bool(hint)}{hint}") from error
    if len(data) > _MAX_NAMES:
        raise UsageError(f"{where}: more than {_MAX_NAMES >> 20} MB; expected a list of names (or name their folder)")
    if not null and _is_utf16(data):
        raise UsageError(f"{where}: is UTF-16, as PowerShell writes it; save it as UTF-8: iconv -f UTF-16 -t UTF-8")
    data = data.removeprefix(codecs.BOM_UTF8)
    return [os.fsdecode(name) for name in data.split(b"\0" if null else b"\n") if name]


def _is_utf16(data: bytes) -> bool:
    """Whether a text is UTF-16: with a byte order mark, or with zeros at every second byte."""
    head = data[:64]
    zeros = [set(head[start::2]) == {0} for start in (0, 1)]
    return data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or (len(head) >= 8 and zeros.count(True) == 1)


def _protect_names(source: str | None, out: str | None, *, report: bool, report_dir: str | None) -> None:
    """Check that the run will not replace the list of names, even if that is standard input."""
    if source is not None:
        from batch_infer.job.publication.places import Places

        places = Places.of(out, report=report, report_dir=report_dir)
        places.refuse_sources([("--files-from", 0 if source == "-" else source)])


def _show_model(model: str | None) -> int:
    from batch_infer.classifier import OnnxClassifier

    classifier = OnnxClassifier(model)
    content = {"path": str(classifier.path), "sha256": classifier.sha256, **classifier.metadata}
    print(json.dumps(content, indent=1))
    return 0
