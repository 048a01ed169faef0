"""Whether the labels that folders gave agree with the predictions: folders 1 … 9 may be dates or batches."""

from collections.abc import Callable
from typing import Final

from batch_infer.inputs.inventory import FileGroup, Inventory
from batch_infer.paths import escape_path
from batch_infer.reports.metrics import Tally

_MIN_AGREEMENT: Final = 0.3  # chance gives 0.1; of the worst real collections more than half are right
_MIN_ROWS: Final = 10  # of fewer, a low share may be chance


class FolderAgreement:
    """Counts, for each INPUT whose folders give labels, the rows with a label and a prediction, and the right ones."""

    def __init__(self, inventory: Inventory) -> None:
        """Start empty.

        Args:
            inventory: the inputs, with their labels.
        """
        self._ends: list[tuple[int, str]] = []  # end row of each stretch of the inputs, and its INPUT
        self._counts: dict[str, list[int]] = {}
        self._row = self._stretch = end = 0
        for entry in inventory.entries:
            end += entry.row_count
            labelled_by = entry.labelled_by if isinstance(entry, FileGroup) else ""
            if self._ends and self._ends[-1][1] == labelled_by:
                self._ends.pop()
            self._ends.append((end, labelled_by))

    def add(self, tally: Tally) -> None:
        """Add the counts of the next chunk; it lies in one such INPUT, or in none."""
        while self._row >= self._ends[self._stretch][0]:
            self._stretch += 1
        labelled_by = self._ends[self._stretch][1]
        if labelled_by:
            counts = self._counts.setdefault(labelled_by, [0, 0])
            counts[0] += tally.scored
            counts[1] += tally.correct
        self._row += tally.rows

    def report(self, notify: Callable[[str], None]) -> None:
        """After the last chunk: call `notify` with one line for each INPUT where fewer than 30 % agree."""
        for labelled_by, (scored, correct) in self._counts.items():
            if scored >= _MIN_ROWS and correct < _MIN_AGREEMENT * scored:
                notify(
                    f"{escape_path(labelled_by)}: the labels that its folders 0 to 9 give agree with less than 30 % of "
                    "the predictions; if these folders are dates, batches or the like: --labels none"
                )
