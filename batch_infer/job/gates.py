"""Quality gates: limits that a user sets; a finished run that fails one exits with 8."""

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from batch_infer.errors import EXIT_ERROR_ROWS, EXIT_GATE, EXIT_OK, UsageError
from batch_infer.reports.drift import Drift
from batch_infer.reports.metrics import Tally

_LIMIT: Final = re.compile(r"([0-9]+|[0-9]+(?:\.[0-9]+)?%)\Z")


@dataclass(frozen=True)
class Gates:
    """The limits of a run.

    Attributes:
        min_accuracy: accuracy over all labelled rows, errors count as wrong; None for no gate.
        max_errors: number `N` or share `P%` of error rows; if None, any error row gives exit 3.
        max_drift: population stability index of classes and of confidence against earlier runs; None for no gate.
        on_failure: `publish` the outputs of a run that fails a gate, or `keep` the old ones.
    """

    min_accuracy: float | None = None
    max_errors: str | None = None
    max_drift: float | None = None
    on_failure: str = "publish"

    def __post_init__(self) -> None:
        if self.min_accuracy is not None and not 0 <= self.min_accuracy <= 1:
            raise UsageError(f"--min-accuracy {self.min_accuracy}: expected a number from 0 to 1, such as 0.95")
        if self.max_errors is not None:
            match = _LIMIT.match(self.max_errors)
            if match is None or (self.max_errors.endswith("%") and Decimal(self.max_errors[:-1]) > 100):
                raise UsageError(f"--max-errors {self.max_errors}: expected a count such as 20, or a share such as 2%")
        if self.max_drift is not None and not 0 < self.max_drift < math.inf:
            raise UsageError(f"--max-drift {self.max_drift}: expected a number above 0, such as 0.25")
        if self.on_failure not in {"publish", "keep"}:
            raise UsageError(f"--on-failed-gate {self.on_failure}: expected publish or keep")
        if self.on_failure == "keep" and (self.min_accuracy, self.max_errors, self.max_drift) == (None,) * 3:
            raise UsageError(
                "--on-failed-gate keep: there is no gate; add --min-accuracy A, --max-errors N or --max-drift X"
            )

    def require_labels(self, *, labelled: bool) -> None:
        """Check that accuracy can be computed.

        Args:
            labelled: whether any input has a label.

        Raises:
            UsageError: there is an accuracy gate, and no input has a label.
        """
        if self.min_accuracy is not None and not labelled:
            raise UsageError("--min-accuracy: none of the inputs has a label; name them with --labels FILE")

    def require_history(self, *, kept: bool) -> None:
        """Check that drift can be measured.

        Args:
            kept: whether a history of the output's runs is kept.

        Raises:
            UsageError: there is a drift gate, and there will be no history.
        """
        if self.max_drift is not None and not kept:
            raise UsageError("--max-drift needs the history of earlier runs: give --out, and leave out --no-report")

    def check(self, tally: Tally, drift: Drift | None = None) -> tuple[int, list[str]]:
        """Check a finished run against the limits → exit code, and a line for each gate that failed.

        Too few rows to measure drift fail no gate: a new output has no earlier runs.
        """
        failed = []
        if self.min_accuracy is not None and not tally.labelled:
            failed.append(f"--min-accuracy {self.min_accuracy}: no labelled input could be read")
        elif self.min_accuracy is not None and tally.correct < Decimal(str(self.min_accuracy)) * tally.labelled:
            failed.append(
                f"--min-accuracy {self.min_accuracy}: accuracy is {tally.correct / tally.labelled:.6f} "
                f"({tally.correct:,} of {tally.labelled:,} labelled)"
            )
        errors = tally.error_rows
        if self.max_errors is not None and not self.allows_errors(tally):
            failed.append(f"--max-errors {self.max_errors}: {errors:,} of {tally.rows:,} inputs could not be read")
        if self.max_drift is not None and drift is not None:
            measured = (("predicted classes", drift.classes, drift.rows, drift.runs),
                        ("confidence", drift.confidence, drift.confidence_rows, drift.confidence_runs))  # fmt: skip
            failed += [
                f"--max-drift {self.max_drift}: PSI of {name} is {psi:.6f} (against {rows:,} rows of {runs} earlier "
                f"run{'s' * (runs != 1)})"
                for name, psi, rows, runs in measured
                if psi is not None and psi > self.max_drift
            ]
        if failed:
            return EXIT_GATE, failed
        return (EXIT_ERROR_ROWS if errors and self.max_errors is None else EXIT_OK), []

    def allows_errors(self, tally: Tally) -> bool:
        """Whether `max_errors` was given and allows this many error rows."""
        return self.max_errors is not None and tally.error_rows <= self._allowed(tally.rows)

    def _allowed(self, rows: int) -> Decimal:
        assert self.max_errors is not None
        if self.max_errors.endswith("%"):
            return Decimal(self.max_errors[:-1]) * rows / 100
        return Decimal(self.max_errors)
