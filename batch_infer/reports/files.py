"""The report files for programs: accuracy by class, confusion matrix, mistakes; and how all of them are recognized."""

from typing import Any, Final

import numpy as np

from batch_infer.contract import CLASSES, MISTAKES_COLUMNS
from batch_infer.outputs.formats import arrow_to_csv, csv_header
from batch_infer.reports.metrics import Tally, class_scores

MAX_MISTAKES: Final = 10_000
RUN_JSON: Final = ".run.json"
MISTAKES: Final = ".mistakes.csv"
PAGE: Final = ".report.html"
REPORTS: Final = (PAGE, ".accuracy.csv", ".confusion.csv", MISTAKES)
# A text in each, without quotes and blanks, that distinguishes it from another program's file of the same name.
MARKS: Final = dict(
    zip(
        (*REPORTS, RUN_JSON),
        (
            "<metaname=generatorcontent=mnist-logistic",
            "class,support,",
            "true\\predicted,",
            "path,index,",
            "predictions_sha256:",
        ),
        strict=True,
    )
)


class Mistakes:
    """The most confident misclassified rows, at most 10,000; the earlier one first if confidences are equal."""

    def __init__(self) -> None:
        self._batches: list[Any] = []
        self._rows = 0

    def add(self, message: bytes) -> None:
        """Add the mistakes of a chunk, as an Arrow message with the schema of outputs.arrow.MISTAKES_SCHEMA."""
        if message:
            import pyarrow as pa

            from batch_infer.outputs.arrow import MISTAKES_SCHEMA

            batch = pa.ipc.read_record_batch(pa.py_buffer(message), MISTAKES_SCHEMA)
            self._batches.append(batch)
            self._rows += len(batch)
            if self._rows > 4 * MAX_MISTAKES:
                self._keep_best()

    def csv(self) -> bytes:
        """`path,index,label,prediction,confidence`, most confident first."""
        self._keep_best()
        return csv_header(MISTAKES_COLUMNS) + b"".join(arrow_to_csv(batch) for batch in self._batches)

    def _keep_best(self) -> None:
        if not self._batches:
            return
        import pyarrow as pa

        from batch_infer.outputs.arrow import decimals_to_ppm, take

        table = pa.Table.from_batches(self._batches).combine_chunks()
        best = np.argsort(-decimals_to_ppm(table["confidence"].chunk(0)), kind="stable")[:MAX_MISTAKES]
        self._batches = take(table, best).to_batches()
        self._rows = len(best)


def report_files(tally: Tally, mistakes: Mistakes) -> dict[str, bytes]:
    """Make the three reports that need labels → content by the ending that follows the stem of the output's name."""
    return {
        ".accuracy.csv": _csv(accuracy_frame(tally), index=False),
        ".confusion.csv": confusion_csv(tally),
        MISTAKES: mistakes.csv(),
    }


def accuracy_frame(tally: Tally) -> Any:
    """Precision, recall and F1 → DataFrame `class,support,predicted,correct,precision,recall,f1`.

    Rows are `0`–`9`, then `macro` (mean over classes), `weighted` (mean by support) and `all` (precision is the
    accuracy over predicted rows, recall over all labelled ones: rows with an error count as wrong there).
    """
    import pandas as pd

    scores = class_scores(tally.confusion, tally.unpredicted)
    columns = ("support", "predicted", "correct", "precision", "recall", "f1")
    frame = pd.DataFrame({name: getattr(scores, name) for name in columns})
    counts = frame[["support", "predicted", "correct"]].sum()
    quotients = frame[["precision", "recall", "f1"]]
    total = class_scores(np.array([[tally.correct]]), np.array([tally.labelled - tally.correct]))
    precision = tally.correct / tally.scored if tally.scored else 0.0
    rows = {
        "macro": [*counts, *quotients.mean()],
        "weighted": [*counts, *(quotients.mul(frame["support"], axis=0).sum() / max(1, tally.labelled))],
        "all": [*counts, precision, total.recall[0], 2 * tally.correct / max(1, tally.scored + tally.labelled)],
    }
    frame = pd.concat([frame, pd.DataFrame.from_dict(rows, orient="index", columns=list(columns))], ignore_index=True)
    for name in ("support", "predicted", "correct"):
        frame[name] = frame[name].astype("int64")
    frame.insert(0, "class", [*map(str, range(CLASSES)), *rows])
    return frame


def confusion_csv(tally: Tally) -> bytes:
    """The confusion matrix as CSV: rows are true classes, columns predicted ones."""
    import pandas as pd

    return _csv(pd.DataFrame(tally.confusion, index=pd.RangeIndex(CLASSES, name="true\\predicted")), index=True)


def _csv(frame: Any, *, index: bool) -> bytes:
    text: str = frame.to_csv(index=index, lineterminator="\n", float_format="%.6f")
    return text.encode()
