"""The history of an output: one row of counts for each of its last 30 published runs, as CSV."""

import codecs
import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from batch_infer.contract import CLASSES, MILLION, STATUSES
from batch_infer.errors import OutputError
from batch_infer.outputs.foreign import refuse_special
from batch_infer.outputs.replaceable import refuse_irreplaceable
from batch_infer.paths import show_path
from batch_infer.reports.metrics import CONFIDENCE_BOUNDS, Tally

HISTORY: Final = ".history.csv"
MAX_RUNS: Final = 30

_BOUNDS: Final = (500_000, 700_000, 800_000, 900_000, 950_000, 990_000, 999_000, MILLION)  # ppm; some of metrics'
_FIRST_BINS: Final = (0, *(CONFIDENCE_BOUNDS.index(bound) + 1 for bound in _BOUNDS[:-1]))
_PREDICTED: Final = tuple(f"predicted_{digit}" for digit in range(CLASSES))
_CONFIDENCES: Final = tuple(f"confidence_to_{bound / MILLION:g}" for bound in _BOUNDS)
_SCORES: Final = ("labelled", "correct", "accuracy", "mean_confidence")
_PSI: Final = ("psi_classes", "psi_confidence")
_WAY: Final = ("model_sha256", "normalization", "fit")
COLUMNS: Final = ("finished", "exit_code", "rows", *STATUSES, *_SCORES, *_PREDICTED, *_CONFIDENCES, *_PSI, *_WAY)

_MAX_BYTES: Final = 1 << 20  # of a history; ours has at most 20,000
_COUNTS: Final = re.compile(r"[0-9]{1,15}(?:,[0-9]{1,15})*\Z")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,12}Z\Z")
_WORD: Final = re.compile(r"[0-9a-z]{1,64}\Z")


@dataclass(frozen=True)
class PastRun:
    """One finished run.

    Attributes:
        finished: UTC, as in run.json.
        exit_code: of the process.
        statuses: rows by status, in the order of contract.STATUSES.
        labelled: rows with a label.
        correct: those of them whose prediction is the label.
        mean_confidence: 0 to 1; None without predictions.
        predicted: `(10,)` rows by predicted class.
        confidences: `(8,)` rows by confidence, in the bins of the columns `confidence_to_…`.
        way: SHA-256 of the model, version of the normalization, `fit`: what confidences depend on besides pictures.
        psi: drift of classes and of confidence, as it was then; None where there were too few rows.
        more: what a newer version wrote into columns that this one does not know.
    """

    finished: str
    exit_code: int
    statuses: tuple[int, ...]
    labelled: int
    correct: int
    mean_confidence: float | None
    predicted: tuple[int, ...]
    confidences: tuple[int, ...]
    way: tuple[str, str, str]
    psi: tuple[float | None, float | None] = (None, None)
    more: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(self.statuses)

    @property
    def errors(self) -> int:
        """Rows with status `error`."""
        return self.statuses[-1]

    @property
    def predicted_rows(self) -> int:
        """Rows with a prediction."""
        return sum(self.predicted)

    @property
    def accuracy(self) -> float | None:
        """Correct rows over all labelled ones; None without labels."""
        return self.correct / self.labelled if self.labelled else None


def past_run(tally: Tally, way: tuple[str, str, str], *, finished: str = "", exit_code: int = 0) -> PastRun:
    """Make the row of a run of its counts."""
    return PastRun(
        finished,
        exit_code,
        tuple(tally.statuses.tolist()),
        tally.labelled,
        tally.correct,
        tally.mean_confidence if tally.predicted_rows else None,
        tuple(tally.predicted.tolist()),
        tuple(np.add.reduceat(tally.confidence, _FIRST_BINS).tolist()),
        way,
    )


@dataclass(frozen=True)
class History:
    """What a history file holds.

    Attributes:
        runs: the last runs, at most 30, oldest first.
        more: names of columns that a newer version added; they are kept.
        damaged: number of lines that are no runs; they are left out when the file is written again.
    """

    runs: tuple[PastRun, ...] = ()
    more: tuple[str, ...] = ()
    damaged: int = 0

    def csv(self, runs: Sequence[PastRun]) -> bytes:
        """The content of the file with other runs in it."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow((*COLUMNS, *self.more))
        for run in runs:
            writer.writerow((*_cells(run), *(run.more or [""] * len(self.more))))
        return text.getvalue().encode()


def read_history(path: str) -> History:
    """Read a history file; none, one that may not be read, an empty one, and zeros (a power failure) give no runs.

    Raises:
        OutputError: it cannot be read or replaced, or is not ours, or of a version that this one does not understand.
    """
    refuse_special(path)
    refuse_irreplaceable([path])
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (FileNotFoundError, PermissionError):  # who may write to the folder may replace it, as with other reports
        return History()
    except OSError as error:
        raise OutputError(f"{show_path(path)}: cannot be read: {error.strerror or error}") from error
    if not content.strip(b"\0"):
        return History(damaged=bool(content))
    header, *lines = content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace").split("\n")
    names, delimiter = _names(header)
    if len(content) > _MAX_BYTES or names[:2] != list(COLUMNS[:2]):
        raise OutputError(f"{show_path(path)}: is not a history of batch-infer, and stays as it is; move it away")
    if missing := [name for name in COLUMNS if names.count(name) != 1]:
        raise OutputError(
            f"{show_path(path)}: is a history of another version of batch-infer (there is no column {missing[0]}), and "
            "stays as it is; move it away"
        )
    more = tuple(name for name in names if name not in COLUMNS)
    runs = [_parse(_split(line, delimiter), names, more) for line in lines if line.strip()]
    found = [run for run in runs if run is not None]
    return History(tuple(found[-MAX_RUNS:]), more, len(runs) - len(found))


def _names(header: str) -> tuple[list[str], str]:
    """Split a header at the delimiter that it has; a spreadsheet may have saved the file again."""
    delimiter = next((one for one in ",;\t" if one in header), ",")
    return _split(header, delimiter), delimiter


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r")], delimiter=delimiter), [])
    except csv.Error:
        return []


def _cells(run: PastRun) -> list[Any]:
    values = (run.accuracy, run.mean_confidence)
    return [
        run.finished, run.exit_code, run.rows, *run.statuses, run.labelled, run.correct, *map(_decimals, values),
        *run.predicted, *run.confidences, *map(_decimals, run.psi), *run.way,
    ]  # fmt: skip


def _parse(cells: Sequence[str], names: Sequence[str], more: tuple[str, ...]) -> PastRun | None:
    """Make a run of a line → None if it is damaged: a value that cannot be, or counts that contradict each other."""
    if len(cells) != len(names):
        return None
    row = dict(zip(names, cells, strict=True))
    try:
        exit_code, rows, labelled, correct = _counts(row, ("exit_code", "rows", "labelled", "correct"))
        run = PastRun(
            row["finished"],
            exit_code,
            _counts(row, STATUSES),
            labelled,
            correct,
            _number(row["mean_confidence"]),
            _counts(row, _PREDICTED),
            _counts(row, _CONFIDENCES),
            (row["model_sha256"], row["normalization"], row["fit"]),
            (_number(row["psi_classes"]), _number(row["psi_confidence"])),
            tuple(row[name] for name in more),
        )
    except ValueError:
        return None
    counts = rows == run.rows and run.predicted_rows == sum(run.confidences) == rows - run.errors
    words = _TIME.match(run.finished) and all(_WORD.match(word) for word in run.way)
    return run if counts and run.correct <= run.labelled <= rows and words else None


def _counts(row: Mapping[str, str], names: Sequence[str]) -> tuple[int, ...]:
    cells = [row[name] for name in names]
    if not _COUNTS.match(",".join(cells)):
        raise ValueError(cells)
    return tuple(map(int, cells))


def _number(text: str) -> float | None:
    if not text:
        return None
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError(text)
    return value


def _decimals(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
