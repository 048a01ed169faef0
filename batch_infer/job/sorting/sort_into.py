"""--sort-into: what run_job does for it, from the check of the folder to the pictures in it."""

import contextlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace

from batch_infer.errors import OutputError, TerminatedError, UsageError
from batch_infer.inference.folders import FOLDERS
from batch_infer.inputs.inventory import Inventory
from batch_infer.job.notices import Notices
from batch_infer.job.sorting.files import COPY, SYMLINK, WAYS
from batch_infer.job.sorting.folder import SortedFolder
from batch_infer.job.sorting.items import items
from batch_infer.job.sorting.layout import Layout
from batch_infer.job.sorting.ledger import Ledger
from batch_infer.job.summary import Summary
from batch_infer.outputs.atomic import output_errors
from batch_infer.paths import escape_path, show_path

log = logging.getLogger("batch_infer")


class SortInto:
    """Sorts the pictures of one run into a folder, once the predictions are published."""

    def __init__(self, folder: str, way: str, *, inputs: Iterable[str], outputs: Iterable[str]) -> None:
        """Check the folder, without changing anything.

        Args:
            folder: the folder.
            way: one of WAYS.
            inputs: what the run reads.
            outputs: what it writes.

        Raises:
            UsageError: there is no such way; the folder lies in an INPUT, or one of the others in it.
            OutputError: the folder is not ours, or cannot be made.
        """
        if way not in WAYS:
            raise UsageError(f"--sort-by {way}: expected {', '.join(WAYS[:-1])} or {WAYS[-1]}")
        self._folder = SortedFolder(folder)
        self._folder.refuse_overlap(inputs, outputs)
        self._folder.check()
        self._way = way
        self._rows = bytearray()
        self._stack = contextlib.ExitStack()
        self._notify: Callable[[str], None] = lambda _: None

    def claim(self, notices: Notices) -> None:
        """Make the folder and hold its lock; called when nothing but the work itself can go wrong.

        Raises:
            OutputError: the folder cannot be made or written.
            LockError: another run sorts into it.
        """
        self._folder.claim(self._stack, notices.add)
        self._ledger = self._stack.enter_context(contextlib.closing(Ledger(self._folder.list)))
        if self._ledger.damaged:
            notices.add(
                f"{self._folder.name}: the list of its files was damaged; those of earlier runs are no longer removed"
            )
        if self._way == SYMLINK and (refusal := self._folder.symlink_refusal()):
            notices.add(f"{self._folder.name}: no symbolic links there ({refusal}); pictures are copied")
            self._way = COPY

    def add(self, folders: bytes) -> None:
        """Note where the rows of the next chunk belong."""
        self._rows += folders

    def lay_out(
        self, inventory: Inventory, summary: Summary, notices: Notices, write: Callable[[Summary], None]
    ) -> Summary:
        """Lay the pictures into the folder.

        Args:
            inventory: the inputs.
            summary: of the run, which is published.
            notices: those of the run.
            write: writes run.json again, where there is something to add.

        Returns:
            The summary, with the notices that were added.

        Raises:
            OutputError: a file cannot be made; the next run goes on from there.
        """
        layout = Layout(self._folder.path, self._ledger, self._way, self._folder.part)
        known = len(notices.texts)
        try:
            with output_errors(self._folder.path):
                layout.lay(items(inventory, self._rows))
        except OutputError as error:
            raise self._unfinished(OutputError(f"{error}; {self._consequence()}"), summary, write) from error
        except TerminatedError as error:
            error.consequence = self._consequence()
            raise self._unfinished(error, summary, write) from None
        self._report(layout, notices)
        if len(notices.texts) > known:
            summary = replace(summary, notices=tuple(notices.texts))
            write(summary)
        return summary

    def _report(self, layout: Layout, notices: Notices) -> None:
        counts = layout.counts
        if layout.refusal:
            notices.add(f"{self._folder.name}: no hard links to there ({layout.refusal}); pictures are copied")
        if counts[""]:
            notices.add(
                f"{self._folder.name}: {counts['']:,} of the inputs left out, such as "
                f"{escape_path(layout.first_left_out)}: gone, changed, not readable, too large, or no regular file"
            )
        digits = sum(counts[name] for name in FOLDERS[:-2])
        log.info(
            "%s: %s pictures in 0 to 9, %s in review, %s in error",
            self._folder.name,
            f"{digits:,}",
            f"{counts['review']:,}",
            f"{counts['error']:,}",
        )

    def _unfinished(
        self, error: "OutputError | TerminatedError", summary: Summary, write: Callable[[Summary], None]
    ) -> "OutputError | TerminatedError":
        with contextlib.suppress(OutputError):
            write(replace(summary, exit_code=error.exit_code, error=str(error) or error.__class__.__name__))
        return error

    def _consequence(self) -> str:
        return f"the predictions are published; the next run completes {show_path(self._folder.path)}"

    def __enter__(self) -> "SortInto":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
