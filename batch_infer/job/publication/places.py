"""Where the files of one run go; checks that writing them there replaces neither inputs nor foreign files."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass

from batch_infer.decoding.suffixes import is_picture_name
from batch_infer.errors import OutputError, UsageError
from batch_infer.inputs.labels.attach import sibling
from batch_infer.outputs.atomic import output_errors
from batch_infer.outputs.foreign import refuse_foreign_report, refuse_foreign_state, refuse_special
from batch_infer.outputs.formats import stem
from batch_infer.outputs.replaceable import follow_link, refuse_irreplaceable
from batch_infer.paths import explain_missing, show_path
from batch_infer.reports.files import MARKS
from batch_infer.reports.history import HISTORY


@dataclass(frozen=True)
class Places:
    """The paths that a run writes; None for those that it does not.

    Attributes:
        out: the predictions file as the user named it.
        target: the file that is written: `out`, or what it leads to if it is a link.
        reports: prefix of the reports' names; beside `out`, not beside its target.
        lock: lock of the target.
        state: state of the target.
    """

    out: str | None
    target: str | None
    reports: str | None
    lock: str | None
    state: str | None

    @classmethod
    def of(cls, out: str | None, *, report: bool, report_dir: str | None) -> "Places":
        """Determine the paths.

        Raises:
            UsageError: `out` is a folder, device, pipe or socket, or has no name before its suffix.
            OutputError: `out` is a link that must not be followed.
        """
        target = None if out is None else _target(out)
        name = "predictions" if out is None else os.path.basename(stem(out))
        folder = report_dir if report_dir is not None else None if out is None else os.path.dirname(out) or "."
        reports = os.path.join(folder, name) if report and folder is not None else None
        lock = None if target is None else stem(target) + ".lock"
        return cls(out, target, reports, lock, None if target is None else stem(target) + ".state")

    def check(self, *, incremental: bool) -> None:
        """Check that the files can be written, and that what exists there already is ours to replace.

        Raises:
            UsageError: two of them are the same file.
            OutputError: a folder is missing or cannot be written; something else exists there.
        """
        reports = self.report_paths()
        for folder in dict.fromkeys(os.path.dirname(path) or "." for path in (self.target, *reports) if path):
            _check_folder(folder)
        for path in (*reports, self.lock, self.state if incremental else None):
            if path is not None:
                refuse_special(path)
        for path, mark in zip(reports, MARKS.values(), strict=False):
            refuse_foreign_report(path, mark)
        if self.state is not None:
            if incremental:
                refuse_foreign_state(self.state)
            elif os.path.isdir(self.state):
                refuse_special(self.state)
        refuse_irreplaceable(path for path in (self.target, *reports) if path is not None)
        others = {
            os.path.realpath(path) for path in (*reports, self.history, self.lock, self.state) if path is not None
        }
        if self.out is not None and self.target is not None and os.path.realpath(self.target) in others:
            raise UsageError(
                f"--out {show_path(self.out)}: leads to {show_path(self.target)}, which the run writes itself; "
                "choose another --out"
            )

    @property
    def history(self) -> str | None:
        """The history of the output, if there are reports; what else has its name does not stop a run."""
        return None if self.reports is None else self.reports + HISTORY

    def report_paths(self) -> list[str]:
        """The paths of the reports, run.json last."""
        return [] if self.reports is None else [self.reports + ending for ending in MARKS]

    def refuse_sources(self, sources: Iterable[tuple[str, str | int]]) -> None:
        """Check that the run does not write any file that it reads.

        Args:
            sources: what names the file (INPUT or an option), and its path or open descriptor.

        Raises:
            UsageError: it would write one.
        """
        written = {}
        for path in (self.target, *self.report_paths(), self.lock, self.state):
            if path is not None:
                with contextlib.suppress(OSError):
                    written[_identity(os.stat(path))] = path
        if not written:
            return
        linked = self.target if self.target != self.out else None
        for option, source in sources:
            with contextlib.suppress(OSError, ValueError):  # the reader reports what is wrong
                path = written.get(_identity(os.stat(source)))
                if path is None and linked is not None and isinstance(source, str) and _holds(source, linked):
                    path = linked
                if path is not None:
                    name = show_path(source) if isinstance(source, str) else "-"
                    raise UsageError(
                        f"{option} {name}: would be replaced, as the run writes {show_path(path)}; choose another --out"
                    )


def _target(out: str) -> str:
    """The file that `--out` leads to: itself, unless it is a link."""
    shown = f"--out {show_path(out)}"
    mode = stat.S_IFREG
    with output_errors(out), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        mode = os.stat(out).st_mode  # before realpath, as the kernel refuses links planted in sticky folders
    if stat.S_ISDIR(mode):
        raise UsageError(f"{shown}: is a folder; expected a file name ending in .csv")
    if not stat.S_ISREG(mode):
        raise UsageError(f"{shown}: is a device, pipe or socket; expected a file; for a pipe omit --out")
    if not os.path.basename(stem(out)):
        raise UsageError(f"{shown}: expected a name before the suffix, such as preds{os.path.basename(out)}")
    return follow_link(out)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    # Size and time too: some network file systems give many files one number.
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _holds(source: str, target: str) -> bool:
    """Whether the target of a link is read along with an INPUT: in its folder, or beside it as its labels."""
    labels = sibling(source)
    if labels is not None and os.path.realpath(labels) == target:
        return True
    inside = os.path.isdir(source) and target.startswith(os.path.join(os.path.realpath(source), ""))
    return inside and is_picture_name(target) and os.path.exists(target)


def _check_folder(folder: str) -> None:
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise OutputError(f"{show_path(folder)}: is a file; the outputs need a folder")
    if not os.path.isdir(folder):
        hint = explain_missing(folder) or "make it first: mkdir -p"
        raise OutputError(f"{show_path(folder)}: no such folder for the outputs; {hint}")
    with output_errors(os.path.join(folder, "")), tempfile.TemporaryFile(dir=folder):
        pass
