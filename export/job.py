"""One export, from a run folder or weights to a file that passed the parity gate; called by `export onnx`."""

import csv
import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from batch_infer.errors import UsageError
from batch_infer.outputs.atomic import StagedFile, write_atomically
from batch_infer.outputs.replaceable import follow_link
from batch_infer.paths import show_path
from export.parity import Parity, check_parity, edge_images, reference_logits
from export.source import RunSource, WeightsSource
from export.to_onnx import OPSETS, build_metadata, serialize_with_metadata, to_onnx
from train.run_folder import LATEST


@dataclass(frozen=True)
class ExportResult:
    """A finished export.

    Attributes:
        out: the file.
        size: in bytes.
        parity: the result of the parity gate.
        lines: what was found out about the model, for people.
        warning: what they should worry about; or None.
    """

    out: Path
    size: int
    parity: Parity
    lines: tuple[str, ...] = ()
    warning: str | None = None


def export_model(
    run: str | os.PathLike[str] | RunSource | WeightsSource = LATEST,
    out: str | os.PathLike[str] = "model.onnx",
    *,
    opset: int = 18,
    atol: float = 1e-5,
    rtol: float = 1e-5,
    report: str | os.PathLike[str] | None = None,
) -> ExportResult:
    """Export a model to one ONNX file, if it passes the parity gate.

    The gate checks the very bytes that are written, opened by the class that the batch job uses. Their metadata contain
    the gate's results, so it runs twice: once to compute them, once on the complete file.

    Args:
        run: the run folder; or weights alone, see `WeightsSource`.
        out: the file; an older one is replaced only if the gate passes.
        opset: ONNX opset version, 18 to 21.
        atol: absolute tolerance of a logit.
        rtol: tolerance of a logit relative to the largest one of its image.
        report: CSV file to write with the gate's results, whether it passes or not.

    Raises:
        UsageError: the opset is not supported, or the run's data set cannot be loaded.
        ModelError: the checkpoint is refused.
        GateError: the exported file gives different results; `out` was not written.
        OutputError: `out` cannot be written.
    """
    if opset not in OPSETS:
        raise UsageError(f"--opset {opset}: expected one of {', '.join(map(str, OPSETS))}")
    outputs = {"--out": os.fspath(out)} | ({} if report is None else {"--report": os.fspath(report)})
    source = run if isinstance(run, RunSource | WeightsSource) else RunSource(Path(run))
    name, *report_names = _check_outputs(source.files(), outputs)
    model, train, test, lines, warning = source.load()
    images = np.concatenate([test.images, edge_images()])
    graph = to_onnx(model, opset=opset)

    draft = serialize_with_metadata(graph, build_metadata(model, train, {}))
    references = reference_logits(model, images)
    parity = check_parity(references, draft, name, images, atol=atol, rtol=rtol)
    if parity.passed:
        summary = {
            "atol": atol,
            "rtol": rtol,
            "images": parity.images,
            # Rounded to one digit: the exact value differs from machine to machine.
            "max_difference": float(f"{parity.max_difference:.0e}"),
        }
        draft = serialize_with_metadata(graph, build_metadata(model, train, summary))
        parity = check_parity(references, draft, name, images, atol=atol, rtol=rtol)
    for report_name in report_names:
        write_atomically(report_name, _report_csv(parity))
    parity.raise_if_failed(len(test.images))
    write_atomically(name, draft)
    return ExportResult(Path(out), len(draft), parity, lines, warning)


def _check_outputs(files: dict[str, str], outputs: dict[str, str]) -> list[str]:
    """Check where the files go, before the gate, which takes a while.

    Args:
        files: what must not be replaced: resolved path → what it is.
        outputs: paths by option.

    Returns:
        The paths to write, in the same order: links are followed.

    Raises:
        UsageError: one of them must not be replaced, is not a file, or is the other one.
        OutputError: a folder does not exist or cannot be written, or a link must not be followed.
    """
    taken, targets = dict(files), []
    for option, name in outputs.items():
        shown, real = f"{option} {show_path(name)}", os.path.realpath(name)
        if real in taken:
            raise UsageError(f"{shown}: is {taken[real]}; choose another name")
        if os.path.exists(name) and not os.path.isfile(name):
            raise UsageError(f"{shown}: not a file; choose another name")
        taken[real] = f"the same file as {option}"
        targets.append(follow_link(name))
        with StagedFile(targets[-1]):  # can be made there
            pass
    return targets


def _report_csv(parity: Parity) -> bytes:
    rows, text = parity.report_rows(), io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
