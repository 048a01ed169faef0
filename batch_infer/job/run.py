"""run_job: one run from inputs to exit code; called by the command batch-infer."""

import contextlib
import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from batch_infer._version import __version__
from batch_infer.classifier import BUNDLED_MODEL, read_model
from batch_infer.contract import NORMALIZATION_VERSION
from batch_infer.decoding.read import MAX_FILE_BYTES
from batch_infer.errors import (
    EXIT_BUG,
    EXIT_SIGINT,
    LockError,
    MnistLogisticError,
    ModelError,
    OutputError,
    TerminatedError,
    UsageError,
)
from batch_infer.inference.classify import Settings
from batch_infer.inference.cpu_count import usable_cpus
from batch_infer.inference.task import ChunkTask
from batch_infer.inference.workers.pool import InProcess, Workers
from batch_infer.inputs.chunks import CHUNK, chunks, count_chunks
from batch_infer.inputs.inventory import Inventory
from batch_infer.job.arguments import confidence_in_ppm, paths_of, sources_of
from batch_infer.job.collector import Collector
from batch_infer.job.folder_agreement import FolderAgreement
from batch_infer.job.gates import Gates
from batch_infer.job.listing import list_inputs
from batch_infer.job.notices import Notices
from batch_infer.job.orientation import check_orientation, orient
from batch_infer.job.publication.publish import Outputs
from batch_infer.job.publication.report import make_page, prepare_page
from batch_infer.job.summary import Findings, Summary
from batch_infer.outputs.lock import locked

if TYPE_CHECKING:
    from batch_infer.job.sorting.sort_into import SortInto  # likewise
    from batch_infer.job.state.incremental import State  # loads SQLite, which only --incremental needs

log = logging.getLogger("batch_infer")

_SMALL_JOB: Final = 2 * CHUNK  # images; for so few, starting processes would take longer than the work


def run_job(
    inputs: Iterable[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str] | None = None,
    model: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] = "auto",
    fit: str = "auto",
    orientation: str = "auto",
    probabilities: bool = False,
    min_confidence: float = 0.0,
    report: bool = True,
    report_dir: str | os.PathLike[str] | None = None,
    report_pictures: str = "all",
    min_accuracy: float | None = None,
    max_errors: str | int | None = None,
    max_drift: float | None = None,
    on_failed_gate: str = "publish",
    sort_into: str | os.PathLike[str] | None = None,
    sort_by: str | None = None,
    incremental: bool = False,
    workers: int | None = None,
    stream: BinaryIO | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Summary:
    """Classify images and publish predictions and reports, completely or not at all.

    Args:
        inputs: image files, folders, files of many images (IDX, .npy, .npz, CSV of pixels, Parquet).
        out: `.csv`, `.csv.gz`, `.jsonl` or `.parquet`; its folder must exist.
        model: an exported model; None for the bundled one.
        labels: `auto`, `none`, or a file (CSV `path,label`, or an IDX label file).
        fit: `auto` brings every picture to MNIST's format; `never` takes 28×28 ones as they are, refuses others.
        orientation: of images in IDX files, arrays and tables: `auto` (by the content, once per file), `upright` or
            `transposed`, as EMNIST publishes its digits.
        probabilities: add the columns `prob_0 … prob_9`.
        min_confidence: 0 to 1; rows below get the status `low_confidence`.
        report: write the report files.
        report_dir: folder for them; None for that of `out`.
        report_pictures: `all`: the report for people (`.report.html`) shows pictures; `none`: paths and numbers alone.
        min_accuracy: gate, 0 to 1, over all labelled rows.
        max_errors: gate, `N` or `P%`.
        max_drift: gate, population stability index against the earlier runs of `out`, such as 0.25.
        on_failed_gate: if a gate fails, `publish` the outputs anyway, or `keep` the old ones.
        sort_into: a folder that the pictures are also laid into, sorted by prediction: new, empty, or made so before.
        sort_by: how they are: `symlink` (also None), `hardlink` or `copy`.
        incremental: classify only inputs that are new or changed since earlier runs to the same `out`; the result is
            that of a full run.
        workers: number of processes; None for the cores this process may use (within a container's CPU limit).
        stream: where the rows go, as CSV, without `out`; None discards them.
        progress: called with the number of rows done and the total.

    Returns:
        The summary of the run; its `exit_code` is 0, 3 (some inputs are rows with an error) or 8 (a gate failed).

    Raises:
        MnistLogisticError: nothing was published, unless the message says that the predictions are (`sort_into`); the
            subclass has the exit code.
    """
    paths = paths_of(inputs)
    settings = Settings(fit, confidence_in_ppm(min_confidence))
    if fit not in {"auto", "never"}:
        raise UsageError(f"--fit {fit}: expected auto or never")
    check_orientation(orientation)
    if report_pictures not in {"all", "none"}:
        raise UsageError(f"--report-pictures {report_pictures}: expected all or none")
    if workers is not None and workers < 1:
        raise UsageError(f"--workers {workers}: expected 1 or more")
    if incremental and out is None:
        raise UsageError("--incremental needs --out: the state is kept beside it")
    gates = Gates(min_accuracy, None if max_errors is None else str(max_errors), max_drift, on_failed_gate)
    target = None if out is None else os.fspath(out)
    outputs = Outputs(
        target,
        report=report,
        report_dir=None if report_dir is None else os.fspath(report_dir),
        stream=stream,
        probabilities=probabilities,
        incremental=incremental,
        sources=sources_of(paths, labels, model),
    )
    sorting = _sorting(sort_into, sort_by, paths, [target, report_dir])
    gates.require_history(kept=outputs.run_json_path is not None)
    notices = Notices(outputs.run_json_path)
    findings = Findings(paths, target, notices)
    with contextlib.ExitStack() as stack:
        if outputs.lock_path is not None:
            alone = stack.enter_context(locked(outputs.lock_path, notices.add))
            if alone:
                outputs.remove_orphans()
        stack.enter_context(outputs)
        stack.enter_context(sorting or contextlib.nullcontext())
        try:
            outputs.read_history(notices.add, required=max_drift is not None)
            show = report_pictures == "all"
            task = _task(model, settings, outputs, incremental=incremental, pictures=show, sort=sorting is not None)
            inventory = list_inputs(paths, os.fspath(labels), gates, notices)
            findings.skipped = inventory.skipped
            number = workers or usable_cpus()
            summary = _run(inventory, task, orientation, outputs, gates, findings, sorting, number, progress)
        except (UsageError, OutputError, LockError):
            raise
        except BaseException as error:
            summary = findings.conclude(exit_code_of(error), error=str(error) or type(error).__name__)
            with contextlib.suppress(OutputError):
                outputs.write_run_json(summary)
            raise
        if sorting is not None and summary.published:
            outputs.finish()
            summary = sorting.lay_out(inventory, summary, notices, outputs.write_run_json)
        return summary


def _sorting(
    folder: str | os.PathLike[str] | None,
    way: str | None,
    inputs: list[str],
    outputs: Iterable[str | os.PathLike[str] | None],
) -> "SortInto | None":
    if folder is None:
        if way is not None:
            raise UsageError(f"--sort-by {way}: goes with --sort-into DIR")
        return None
    from batch_infer.job.sorting.sort_into import SortInto

    written = [os.fspath(path) for path in outputs if path is not None]
    return SortInto(os.fspath(folder), way or "symlink", inputs=inputs, outputs=written)


def exit_code_of(error: BaseException) -> int:
    """The exit code of an exception that ends a run."""
    if isinstance(error, MnistLogisticError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return EXIT_SIGINT
    return error.exit_code if isinstance(error, TerminatedError) else EXIT_BUG


def _task(
    model: str | os.PathLike[str] | None,
    settings: Settings,
    outputs: Outputs,
    *,
    incremental: bool,
    pictures: bool,
    sort: bool,
) -> ChunkTask:
    if model is not None and not os.fspath(model):
        raise ModelError("--model: an empty name; is a variable not set?")
    path = BUNDLED_MODEL if model is None else Path(model)
    report = outputs.run_json_path is not None
    return ChunkTask(
        path,
        read_model(path),
        settings,
        outputs.format,
        keep_probabilities=incremental,
        find_folders=sort,
        choose_samples=report,
        pictures=report and pictures,
    )


def _run(
    inventory: Inventory,
    task: ChunkTask,
    orientation: str,
    outputs: Outputs,
    gates: Gates,
    findings: Findings,
    sorting: "SortInto | None",
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> Summary:
    workers = 1 if inventory.total <= _SMALL_JOB else min(workers, count_chunks(inventory))
    with InProcess(task) if workers == 1 else Workers(task, workers) as pool:
        findings.model = pool.info
        if sorting is not None:
            sorting.claim(findings.notices)
        orient(inventory, orientation, pool, findings.notices)
        with outputs.open() as spool, _state(task, outputs, findings.notices) as state:
            collector = Collector(spool, inventory.total, progress, tolerant=gates.max_errors is not None)
            agreement = FolderAgreement(inventory)
            given = chunks(inventory) if state is None else state.lookup(chunks(inventory))
            for number, result in enumerate(pool.map(given)):
                if task.choose_samples and not number:
                    prepare_page()  # meanwhile the workers have other chunks
                collector.add(result)
                agreement.add(result.tally)
                if sorting is not None:
                    sorting.add(result.folders)
                if state is not None:
                    state.store(result)
            findings.tally = collector.tally
            inventory.check_roots()
            agreement.report(findings.notices.add)
            if not gates.allows_errors(collector.tally):
                collector.check_lost(inventory.file_count)
            if outputs.earlier_runs is not None:
                findings.drift = outputs.earlier_runs.measure(collector.tally, pool.info.sha256, task.settings.fit)
            exit_code, failed = gates.check(collector.tally, findings.drift)
            keep = failed and gates.on_failure == "keep"
            if state is not None and not keep:
                # Before publishing: nothing may fail after that.
                state.prune(collector.samples.rows if task.pictures else ())
            summary = findings.conclude(exit_code, gates=failed)
            if keep:
                outputs.write_run_json(summary)
            else:
                page = partial(make_page, collector=collector, pictures=task.pictures)
                summary = outputs.publish(spool, summary, collector.mistakes, page)
    collector.log_errors(summary)
    return summary


@contextlib.contextmanager
def _state(task: ChunkTask, outputs: Outputs, notices: Notices) -> "Iterator[State | None]":
    if not task.keep_probabilities or outputs.state_path is None:
        yield None
        return
    from batch_infer.decoding.structure.limits import MAX_PIXELS
    from batch_infer.job.state.incremental import State

    fingerprint = {
        "model_sha256": hashlib.sha256(task.model_bytes).hexdigest(),
        "version": __version__,
        "fit": task.settings.fit,
        "normalization": str(NORMALIZATION_VERSION),
        "limits": f"{MAX_FILE_BYTES} bytes, {MAX_PIXELS} pixels",
    }
    state = State(outputs.state_path, fingerprint, notices.add)
    try:
        yield state
    except BaseException:
        with contextlib.suppress(OutputError):  # the error that ended the run matters more
            state.close()
        raise
    state.close()
