"""Detects other programs' files under the names of ours, by their content; they are never touched."""

import contextlib
import os
import stat
from typing import Final

from batch_infer.errors import OutputError
from batch_infer.outputs.atomic import output_errors
from batch_infer.paths import show_path

LOCK_MARK: Final = b"pid "  # the start of a lock file that is or was held
# SQLite stores these texts verbatim; each alone identifies a state of ours, as a damaged one may have lost the others.
STATE_MARKS: Final = (
    b"CREATE TABLE fingerprint (content",
    b"path BLOB NOT NULL, start INTEGER NOT NULL",
    b'"model_sha256": "',
)
_STATE_HEAD: Final = b"SQLite format 3\0"
_MIN_PAGE: Final = 512  # bytes
_JOURNAL_MARK: Final = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"  # SQLite's, at the start of a rollback journal
# A state in this mode is a damaged one (the SQLite file format, sections 4.1 and 4.6 of its description).
_WAL_MARKS: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83", bytes(4))
_WAL_INDEX_MARKS: Final = ((3_007_000).to_bytes(4, "little"), (3_007_000).to_bytes(4, "big"), bytes(4))
_BLOCK: Final = 1 << 20  # bytes
_HEAD: Final = 2000  # bytes; nearly always sufficient
_MAX_REPORT: Final = 16 << 20  # bytes; even a run.json with the longest paths is smaller
_PLAIN: Final = str.maketrans({'"': None, " ": None, "\t": ",", ";": ","})


def refuse_special(path: str) -> None:
    """Check that `path` is free or a regular file, so that a file of ours may go there; links are not followed.

    Raises:
        OutputError: something else exists there, or the name is impossible.
    """
    with output_errors(path), contextlib.suppress(FileNotFoundError):
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            raise OutputError(
                f"{show_path(path)}: is a link, which is not followed; a file is written there; move it away"
            )
        if stat.S_ISDIR(mode):
            raise OutputError(f"{show_path(path)}: is a folder; a file is written there; move it away")
        if not stat.S_ISREG(mode):
            raise OutputError(f"{show_path(path)}: is not a regular file; a file is written there; move it away")


def refuse_foreign_lock(path: str, head: bytes) -> None:
    """Check by its first bytes that a lock file is ours: empty (or zeros, after a crash), or a holder's line.

    Raises:
        OutputError: it is another program's.
    """
    if head.strip(b"\0") and not head.startswith(LOCK_MARK):
        raise OutputError(_foreign(path, "not a lock of batch-infer"))


def refuse_foreign_state(path: str) -> None:
    """Check that a state file and the journal beside it are ours (perhaps damaged) or do not exist.

    Raises:
        OutputError: one is another program's, or cannot be read.
    """
    companions = (("-journal", _is_our_journal), ("-wal", _is_our_wal), ("-shm", _is_our_wal_index))  # SQLite's
    for one, is_ours in ((path, _is_our_state), *((path + ending, is_ours) for ending, is_ours in companions)):
        refuse_special(one)
        with output_errors(one), contextlib.suppress(FileNotFoundError):
            if not is_ours(one):
                raise OutputError(_foreign(one, "not a state of batch-infer"))


def refuse_foreign_report(path: str, mark: str) -> None:
    """Check by its content that a report is ours, even if a spreadsheet or an editor has saved it again.

    Args:
        path: where a report is written.
        mark: text that it contains, without quotes and blanks.

    Raises:
        OutputError: another program's file exists there.
    """
    # A file that we may not read cannot be identified; who may write to the folder may replace it.
    with output_errors(path), contextlib.suppress(FileNotFoundError, PermissionError):
        with open(path, "rb") as file:
            content = file.read(_HEAD)
            if _has(content, mark):
                return
            content += file.read(_MAX_REPORT)
        if content.strip(b"\0") and not _has(content, mark):
            raise OutputError(_foreign(path, "not a report of batch-infer"))


def _has(content: bytes, mark: str) -> bool:
    return mark in content.decode("utf-8", "replace").translate(_PLAIN)


def _is_our_state(path: str) -> bool:
    """Whether a state may be replaced: it contains one of our marks, or so little that nothing is lost."""
    overlap, harmless = b"", True
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            if any(mark in overlap + block for mark in STATE_MARKS):
                return True
            overlap = block[-max(map(len, STATE_MARKS)) :]
            harmless = harmless and not block.strip(b"\0")
    return harmless or _is_cut_off(path)


def _is_cut_off(path: str) -> bool:
    """Whether a file ends within the first page of a SQLite database: it contains no data."""
    with open(path, "rb") as file:
        head = file.read(_MIN_PAGE)
    return len(head) < _MIN_PAGE and head[: len(_STATE_HEAD)] == _STATE_HEAD[: len(head)]


def _is_our_journal(path: str) -> bool:
    return _begins(path, _JOURNAL_MARK) or _begins(path, bytes(len(_JOURNAL_MARK))) or not os.path.getsize(path)


def _is_our_wal(path: str) -> bool:
    return any(_begins(path, mark) for mark in _WAL_MARKS) or not os.path.getsize(path)


def _is_our_wal_index(path: str) -> bool:
    return any(_begins(path, mark) for mark in _WAL_INDEX_MARKS) or not os.path.getsize(path)


def _begins(path: str, mark: bytes) -> bool:
    with open(path, "rb") as file:
        return file.read(len(mark)) == mark


def _foreign(path: str, what: str) -> str:
    return f"{show_path(path)}: is {what}, and stays as it is; move it away, or choose another --out"
