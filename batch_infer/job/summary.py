"""The summary of a run: the content of run.json, and one line for people."""

import json
import math
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import PIL

from batch_infer._version import __version__
from batch_infer.contract import ERROR_CODES, STATUSES
from batch_infer.inference.task import ModelInfo
from batch_infer.inputs.skipped import Skipped, describe_suffixes
from batch_infer.job.notices import Notices
from batch_infer.paths import escape_path
from batch_infer.reports.drift import Drift
from batch_infer.reports.metrics import Tally, wilson_interval


@dataclass(frozen=True)
class Summary:
    """The summary of one run, made when it is over.

    Attributes:
        inputs: as given by the caller.
        out: the predictions file, or None.
        started: seconds since 1970.
        ended: seconds since 1970.
        exit_code: exit code of the process.
        tally: the counts of all rows.
        skipped: the files and folders that were skipped.
        model: the model, if it was opened.
        notices: what a person should know although the run succeeded.
        gates: one line for each gate that failed.
        error: message of the error that ended the run, if any.
        published: whether the predictions were published.
        predictions_sha256: SHA-256 of the predictions file, if they were.
        reports: paths of the report files that were published.
        drift: how the rows differ from those of earlier runs, if that was measured.
    """

    inputs: tuple[str, ...]
    out: str | None
    started: float
    ended: float
    exit_code: int
    tally: Tally
    skipped: Skipped
    model: ModelInfo | None
    notices: tuple[str, ...]
    gates: tuple[str, ...] = ()
    error: str | None = None
    published: bool = False
    predictions_sha256: str | None = None
    reports: tuple[str, ...] = ()
    drift: Drift | None = None

    @property
    def seconds(self) -> float:
        """Duration of the run."""
        return self.ended - self.started

    @property
    def accuracy(self) -> float:
        """Correct rows over all labelled rows (errors count as wrong); nan without labels."""
        return self.tally.correct / self.tally.labelled if self.tally.labelled else math.nan

    def to_json(self) -> bytes:
        """The content of run.json."""
        return json.dumps(self.content(), indent=1, ensure_ascii=True).encode() + b"\n"

    def content(self) -> dict[str, Any]:
        """The object of run.json."""
        tally = self.tally
        return {
            "started": timestamp(self.started),
            "ended": timestamp(self.ended),
            "exit_code": self.exit_code,
            "published": self.published,
            "error": self.error,
            "inputs": [escape_path(path) for path in self.inputs[:1000]],
            "predictions": None if self.out is None else escape_path(self.out),
            "rows": tally.rows,
            "predictions_sha256": self.predictions_sha256,
            "statuses": dict(zip(STATUSES, tally.statuses.tolist(), strict=True)),
            "errors": {code: count for code, count in zip(ERROR_CODES, tally.errors.tolist(), strict=True) if count},
            "skipped": dict(sorted(self.skipped.reasons.items())),
            "skipped_suffixes": self.skipped.by_suffix(),
            "images_per_second": round(tally.rows / self.seconds, 1) if self.seconds else None,
            "labels": _scores(tally) if tally.labelled else None,
            "drift": None if self.drift is None else self.drift.to_json(),
            "gates_failed": self.gates,
            "notices": self.notices,
            "model": {} if self.model is None else _model(self.model),
            "versions": self._versions(),
        }

    def line(self) -> str:
        """One line for people."""
        tally = self.tally
        parts = [f"{tally.rows:,} image{'s' * (tally.rows != 1)}"]
        parts += [f"{count:,} {name}" for name, count in zip(STATUSES, tally.statuses.tolist(), strict=True) if count]
        if tally.labelled:
            parts.append(f"accuracy {self.accuracy:.2%} ({tally.correct:,} of {tally.labelled:,} labelled)")
        if self.skipped.suffixes:
            parts.append(f"skipped {describe_suffixes(self.skipped)}")
        parts.append(f"{self.seconds:.1f} s")
        return " · ".join(parts) + (f" → {escape_path(self.out)}" if self.out is not None and self.published else "")

    def _versions(self) -> dict[str, str | None]:
        # Without importlib.metadata: it loads a mail parser, which takes longer than a small job.
        return {
            "mnist-logistic": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "onnxruntime": None if self.model is None else self.model.onnxruntime,
            "pillow": PIL.__version__,
            "pyarrow": getattr(sys.modules.get("pyarrow"), "__version__", None),  # None: it was not loaded
        }


@dataclass
class Findings:
    """What is known of a run so far; a Summary is made of it when the run is over, however it ends.

    Attributes:
        inputs: as given by the caller.
        out: the predictions file, or None.
        notices: what a person should know although the run succeeded.
        skipped: the files and folders that were skipped, once the inputs were listed.
        model: the model, once it was opened.
        tally: the counts of all rows, once there are all.
        drift: how they differ from those of earlier runs, if that was measured.
        started: seconds since 1970.
    """

    inputs: Sequence[str]
    out: str | None
    notices: Notices
    skipped: Skipped = field(default_factory=Skipped)
    model: ModelInfo | None = None
    tally: Tally = field(default_factory=Tally)
    drift: Drift | None = None
    started: float = field(default_factory=time.time)

    def conclude(self, exit_code: int, *, gates: Sequence[str] = (), error: str | None = None) -> Summary:
        """Make the summary of a run that has published nothing so far."""
        return Summary(
            tuple(self.inputs),
            self.out,
            self.started,
            time.time(),
            exit_code,
            self.tally,
            self.skipped,
            self.model,
            tuple(self.notices.texts),
            tuple(gates),
            error,
            drift=self.drift,
        )


def _model(info: ModelInfo) -> dict[str, Any]:
    return {"path": info.path, "sha256": info.sha256, "recipe": info.metadata.get("recipe")}


def _scores(tally: Tally) -> dict[str, Any]:
    def share(correct: int, total: int) -> dict[str, Any]:
        low, high = wilson_interval(correct, total)
        accuracy = round(correct / total, 6) if total else None
        return {"rows": total, "correct": correct, "accuracy": accuracy, "wilson_95": [round(low, 6), round(high, 6)]}

    return {
        "all_labelled": share(tally.correct, tally.labelled),
        "predicted": share(tally.correct, tally.scored),
        "log_loss": round(tally.log_loss, 6) if tally.scored else None,
        "calibration_error": round(tally.calibration_error, 6) if tally.scored else None,
    }


def timestamp(seconds: float) -> str:
    """Seconds since 1970 → UTC, to the millisecond, as ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"
