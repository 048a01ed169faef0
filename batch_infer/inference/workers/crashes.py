"""What happens to a chunk whose worker died: a file that kills the decoder costs one row, not the whole run."""

import signal
from dataclasses import replace
from typing import Final

from batch_infer.errors import NOTHING_PUBLISHED, WorkerError
from batch_infer.inference.position import NOWHERE
from batch_infer.inputs.chunks import Chunk, image_name

MAX_SECONDS: Final = 300.0  # for one image; the slowest that is not refused takes a few seconds
MAX_CRASHES: Final = 5  # files in one run; each makes its chunk start again, and many mean that something else is wrong
# Signals that a process causes itself. SIGKILL, SIGTERM and all others come from outside (the out-of-memory killer).
_OWN_FAULTS: Final = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP}
)


def is_own_fault(row: int, exit_code: int) -> bool:
    """Whether a worker died because of the image that it was working on.

    Args:
        row: which image of its chunk it was working on; NOWHERE between images.
        exit_code: exit code of the process; negative for a signal.
    """
    return row != NOWHERE and (exit_code >= 0 or -exit_code in _OWN_FAULTS)


class Crashes:
    """Counts why workers died, and decides what happens to their chunks."""

    def __init__(self) -> None:
        self._files: list[str] = []
        self._codes: dict[int, list[int]] = {}

    def after_crash(self, chunk: Chunk, row: int, exit_code: int) -> Chunk:
        """Blame the file that crashed a worker → the chunk with that row marked as an error.

        Raises:
            WorkerError: there were too many such files.
        """
        return self._blame(chunk, row, f"the decoder crashed ({_signal_name(exit_code)})")

    def after_timeout(self, chunk: Chunk, row: int) -> Chunk:
        """Blame the file on which a worker was killed for taking too long → the chunk with that row marked.

        Raises:
            WorkerError: there were too many such files.
        """
        return self._blame(chunk, row, f"took longer than {MAX_SECONDS:g} s")

    def once_more(self, number: int, exit_code: int, shortage: str) -> None:
        """Allow a second try for a chunk of which no file is to blame.

        Args:
            number: number of the chunk.
            exit_code: exit code of its worker.
            shortage: what the system refused its worker, if that was the reason.

        Raises:
            WorkerError: it already had its second try.
        """
        codes = self._codes.setdefault(number, [])
        codes.append(exit_code)
        if len(codes) > 1:
            raise WorkerError(f"a worker process ended: {shortage}; {NOTHING_PUBLISHED}") if shortage else deaths(codes)

    def _blame(self, chunk: Chunk, row: int, detail: str) -> Chunk:
        self._files.append(image_name(chunk, row))
        if len(self._files) > MAX_CRASHES:
            raise WorkerError(
                f"{len(self._files)} files crashed the decoder or took too long: {', '.join(self._files)}; "
                f"move them away and please report it; {NOTHING_PUBLISHED}"
            )
        return replace(chunk, errors={**chunk.errors, row: ("unreadable", detail)})


def deaths(exit_codes: list[int]) -> WorkerError:
    """Make the error that says why workers died."""
    return WorkerError(
        f"a worker process died (exit codes {exit_codes}; -9 is often the out-of-memory killer: try fewer --workers); "
        f"{NOTHING_PUBLISHED}"
    )


def start_failure(reason: str) -> WorkerError:
    """Make the error that says why a fresh interpreter could not work.

    Args:
        reason: what went wrong in it.
    """
    return WorkerError(
        f"no worker process can be started: in a fresh Python, {reason}; try --workers 1; {NOTHING_PUBLISHED}"
    )


def _signal_name(exit_code: int) -> str:
    return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
