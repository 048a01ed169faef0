"""Output for a person at a terminal: a progress bar, a table."""

import contextlib
import csv
import io
from collections.abc import Callable, Iterator
from typing import Final

_MAX_ROWS: Final = 40


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


def show_table(content: bytes) -> None:
    """Print the first rows of a CSV file as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = csv.reader(io.StringIO(content.decode()))
    table = Table(box=None, pad_edge=False)
    for name in next(rows):
        table.add_column(name, overflow="fold")
    more = 0
    for row in rows:
        if table.row_count < _MAX_ROWS:
            table.add_row(*map(Text, row))
        else:
            more += 1
    console = Console()
    console.print(table)
    if more:
        console.print(f"… and {more:,} more rows; all of them: --out preds.csv")
