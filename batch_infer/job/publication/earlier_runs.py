"""The earlier runs of an output: read under its lock, compared with this run, and written again with it."""

from collections.abc import Callable
from dataclasses import replace

from batch_infer.contract import NORMALIZATION_VERSION
from batch_infer.errors import OutputError
from batch_infer.paths import show_path
from batch_infer.reports.drift import Drift, measure_drift
from batch_infer.reports.history import MAX_RUNS, History, PastRun, past_run, read_history
from batch_infer.reports.metrics import Tally


class EarlierRuns:
    """The history of an output, and the run that is to be added.

    Attributes:
        path: of the history; None if none is kept, or if what exists there must not be touched.
    """

    def __init__(self, path: str | None, notify: Callable[[str], None], *, required: bool) -> None:
        """Read the history; to be called with the lock held.

        Args:
            path: of the history; None for none.
            notify: called with one line if the file is damaged, or must not be touched.
            required: whether a gate needs it; what must not be touched is then an error.

        Raises:
            OutputError: it is required, and cannot be read or written.
        """
        self.path = path
        self._history = History()
        self._this: PastRun | None = None
        if path is None:
            return
        try:
            self._history = read_history(path)
        except OutputError as error:
            if required:
                raise OutputError(f"{error}; --max-drift needs a history") from error
            notify(f"{error}; no history is kept, and drift is not measured")
            self.path = None
        if self._history.damaged:
            notify(f"{show_path(path)}: the history is damaged; what could be read of it is kept")

    def measure(self, tally: Tally, model_sha256: str, fit: str) -> Drift | None:
        """Compare a run, whose rows are complete, with the earlier ones → None if no history is kept."""
        if self.path is None:
            return None
        this = past_run(tally, (model_sha256, str(NORMALIZATION_VERSION), fit))
        drift = measure_drift(self._history.runs, this)
        self._this = replace(this, psi=(drift.classes, drift.confidence))
        return drift

    def runs(self, finished: str, exit_code: int) -> tuple[PastRun, ...]:
        """The last runs, at most 30, oldest first, and this one last; none if no history is kept.

        Args:
            finished: when this run ended, as in run.json.
            exit_code: of this run.
        """
        if self._this is None:
            return ()
        return (*self._history.runs, replace(self._this, finished=finished, exit_code=exit_code))[-MAX_RUNS:]

    def csv(self, finished: str, exit_code: int) -> bytes:
        """The content of the history with this run, which `measure` was called for."""
        return self._history.csv(self.runs(finished, exit_code))
