"""Output for a person at a terminal: a progress bar, the rows as a table or as bars."""

import contextlib
import csv
import io
import itertools
from collections.abc import Callable, Iterator
from typing import Final

from batch_infer.contract import PROBABILITY_COLUMNS

_MAX_ROWS: Final = 40
_MAX_BAR: Final = 50  # characters
_BESIDE_A_BAR: Final = 14  # characters: the digit, its probability, blanks
_EIGHTHS: Final = " ▏▎▍▌▋▊▉"  # of a character


@contextlib.contextmanager
def progress_bar(*, enabled: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function `(done, total)` that updates a bar on stderr; None if not enabled."""
    if not enabled:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("classifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task("", total=None)

    def advance(done: int, total: int) -> None:
        bar.start()  # now, and not before workers were forked: it starts a thread
        bar.update(task, completed=done, total=total)

    try:
        yield advance
    finally:
        bar.stop()


def show_rows(content: bytes, *, probabilities: bool) -> None:
    """Print the rows of a CSV file: a single prediction as a bar for each digit, others as a table.

    Args:
        content: the file; bars need the columns `prob_0 … prob_9`.
        probabilities: show these columns in a table, too.
    """
    reader = csv.reader(io.StringIO(content.decode()))
    names, rows = next(reader), list(itertools.islice(reader, _MAX_ROWS))
    if len(rows) == 1:
        row = dict(zip(names, rows[0], strict=True))
        if row.get(PROBABILITY_COLUMNS[0]):
            _show_bars(row)
            return
    if not probabilities:
        names = [name for name in names if name not in PROBABILITY_COLUMNS]
    _show_table(names, rows, more=sum(1 for _ in reader))


def _show_table(names: list[str], rows: list[list[str]], *, more: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row[: len(names)]))
    console = Console()
    console.print(table)
    if more:
        console.print(f"… and {more:,} more rows; all of them: --out preds.csv")


def _show_bars(row: dict[str, str]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    longest = max(1, min(_MAX_BAR, console.width - _BESIDE_A_BAR))
    parts = [f"{row['path']}: {row['prediction']}", f"confidence {row['confidence']}"]
    parts += [row["status"]] * (row["status"] != "ok") + [f"label {row['label']}"] * bool(row["label"])
    console.print(Text(", ".join(parts)), soft_wrap=True)
    for digit, name in enumerate(PROBABILITY_COLUMNS):
        bar = _bar(float(row[name]) * longest, ascii_only=console.options.ascii_only)
        line = f" {digit}  {row[name]}  {bar}".rstrip()
        console.print(Text(line, style="bold" if str(digit) == row["prediction"] else ""), soft_wrap=True)


def _bar(length: float, *, ascii_only: bool) -> str:
    """Draw a bar of a length in characters, to an eighth of one; without blocks to a whole one."""
    if ascii_only:
        return "#" * round(length)
    whole, eighths = divmod(round(8 * length), 8)
    return "█" * whole + _EIGHTHS[eighths]
