"""The summary of a run: the content of run.json, and one line for people."""

import json
import math
import platform
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import PIL

from batch_infer._version import __version__
from batch_infer.contract import ERROR_CODES, STATUSES
from batch_infer.errors import EXIT_OK
from batch_infer.paths import escape_path
from batch_infer.reports.metrics import Tally, wilson_interval


@dataclass
class Summary:
    """The summary of one run.

    Attributes:
        inputs: as given by the caller.
        out: the predictions file, or None.
        tally: the counts of all published rows.
        skipped: number of files and folders that were skipped, by reason.
        model: path, SHA-256 and recipe of the model, once it was opened.
        onnxruntime: version of ONNX Runtime.
        predictions_sha256: SHA-256 of the predictions file.
        gates: one line for each gate that failed.
        exit_code: exit code of the process.
        published: whether the predictions were published.
        notices: what a person should know although the run succeeded.
        error: message of the error that ended the run, if any.
    """

    inputs: list[str]
    out: str | None = None
    tally: Tally = field(default_factory=Tally)
    skipped: Counter[str] = field(default_factory=Counter)
    model: dict[str, Any] = field(default_factory=dict)
    onnxruntime: str | None = None
    predictions_sha256: str | None = None
    gates: list[str] = field(default_factory=list)
    exit_code: int = EXIT_OK
    published: bool = False
    notices: list[str] = field(default_factory=list)
    error: str | None = None
    started: float = field(default_factory=time.time)
    ended: float | None = None

    @property
    def seconds(self) -> float:
        """Duration of the run so far."""
        return (self.ended or time.time()) - self.started

    @property
    def accuracy(self) -> float:
        """Correct rows over all labelled rows (errors count as wrong); nan without labels."""
        return self.tally.correct / self.tally.labelled if self.tally.labelled else math.nan

    def to_json(self) -> bytes:
        """The content of run.json."""
        tally = self.tally
        content = {
            "started": _timestamp(self.started),
            "ended": _timestamp(self.ended or time.time()),
            "exit_code": self.exit_code,
            "published": self.published,
            "error": self.error,
            "inputs": [escape_path(path) for path in self.inputs[:1000]],
            "predictions": None if self.out is None else escape_path(self.out),
            "rows": tally.rows,
            "predictions_sha256": self.predictions_sha256,
            "statuses": dict(zip(STATUSES, tally.statuses.tolist(), strict=True)),
            "errors": {code: count for code, count in zip(ERROR_CODES, tally.errors.tolist(), strict=True) if count},
            "skipped": dict(sorted(self.skipped.items())),
            "images_per_second": round(tally.rows / self.seconds, 1) if self.seconds else None,
            "labels": _scores(tally) if tally.labelled else None,
            "gates_failed": self.gates,
            "notices": self.notices,
            "model": self.model,
            "versions": self._versions(),
        }
        return json.dumps(content, indent=1, ensure_ascii=True).encode() + b"\n"

    def line(self) -> str:
        """One line for people."""
        tally = self.tally
        parts = [f"{tally.rows:,} image{'s' * (tally.rows != 1)}"]
        parts += [f"{count:,} {name}" for name, count in zip(STATUSES, tally.statuses.tolist(), strict=True) if count]
        if tally.labelled:
            parts.append(f"accuracy {self.accuracy:.2%} ({tally.correct:,} of {tally.labelled:,} labelled)")
        parts.append(f"{self.seconds:.1f} s")
        return " · ".join(parts) + (f" → {escape_path(self.out)}" if self.out is not None and self.published else "")

    def _versions(self) -> dict[str, str | None]:
        # Without importlib.metadata: it loads a mail parser, which takes longer than a small job.
        return {
            "mnist-logistic": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "onnxruntime": self.onnxruntime,
            "pillow": PIL.__version__,
            "pyarrow": getattr(sys.modules.get("pyarrow"), "__version__", None),  # None: it was not loaded
        }


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


def _timestamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"
