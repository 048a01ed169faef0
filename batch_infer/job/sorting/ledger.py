"""The list of what is ours in a folder of --sort-into: a SQLite file, written before the files themselves."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

from batch_infer.errors import OutputError
from batch_infer.inference.folders import FOLDERS
from batch_infer.outputs.atomic import output_errors
from batch_infer.paths import show_path

_TABLES: Final = """
    PRAGMA locking_mode = EXCLUSIVE;
    CREATE TABLE IF NOT EXISTS placed (
        id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, path BLOB NOT NULL, position INTEGER NOT NULL,
        size INTEGER NOT NULL, mtime INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS by_path ON placed (path, position);
"""
_COLUMNS: Final = "id, name, path, size, mtime"
_SWEEP: Final = 1000  # rows read at a time
_MAX_ID: Final = 1 << 30  # ids are given anew from 1 on, so a larger one is damage
_CACHE: Final = 32 << 10  # kB
# The disk is full or failing, or the file another user's: the list itself is sound.
_DISK: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
_IN_USE: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class Entry(NamedTuple):
    """A file of ours, which is there or was about to be made.

    Attributes:
        number: of the row.
        name: relative to the folder, such as `3/a.png`.
        path: the file that it comes from; absolute.
        size: of the file in bytes, unless it is a symbolic link.
        mtime: its modification time in ns, likewise.
    """

    number: int
    name: str
    path: str
    size: int
    mtime: int


class Ledger:
    """The list, open; what was changed since the last `commit` is undone if the process is killed.

    Attributes:
        lost: whether there was none, or a damaged one, so that what is in the folder may be ours nevertheless.
    """

    def __init__(self, path: str) -> None:
        """Open the list, or begin one.

        Raises:
            OutputError: it cannot be written.
        """
        self._path = path
        self._seen = bytearray()
        self.lost = not os.path.exists(path)
        self.damaged = False
        try:
            self._database = self._open()
        except sqlite3.DatabaseError as error:
            code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
            if code in _DISK | _IN_USE:
                raise self._failure(error) from error
            self.lost = self.damaged = True
            self._put_aside()
            with self._errors():
                self._database = self._open()

    def find(self, path: str, position: int) -> list[Entry]:
        """The files made of an image; there are several if it changed its folder and the run was killed."""
        query = f"SELECT {_COLUMNS} FROM placed WHERE path = ? AND position = ? ORDER BY id"  # noqa: S608
        with self._errors():
            return [_entry(row) for row in self._database.execute(query, (os.fsencode(path), position))]

    def has(self, name: str) -> bool:
        """Whether a file of that name is in the list."""
        with self._errors():
            row = self._database.execute("SELECT 1 FROM placed WHERE name = ?", (os.fsencode(name),)).fetchone()
        return row is not None

    def add(self, name: str, path: str, position: int, stamp: tuple[int, int]) -> int:
        """Add a file of that size and modification time → its number, which is seen."""
        row = (os.fsencode(name), os.fsencode(path), position, *stamp)
        with self._errors():
            insert = "INSERT INTO placed (name, path, position, size, mtime) VALUES (?, ?, ?, ?, ?)"
            number = self._database.execute(insert, row).lastrowid or 0
        self.see(number)
        return number

    def restamp(self, number: int, stamp: tuple[int, int]) -> None:
        """Change size and modification time of a file."""
        with self._errors():
            self._database.execute("UPDATE placed SET size = ?, mtime = ? WHERE id = ?", (*stamp, number))

    def rename(self, number: int, name: str) -> None:
        """Change the name of a file."""
        with self._errors():
            self._database.execute("UPDATE placed SET name = ? WHERE id = ?", (os.fsencode(name), number))

    def forget(self, number: int) -> None:
        """Remove a file from the list."""
        with self._errors():
            self._database.execute("DELETE FROM placed WHERE id = ?", (number,))

    def see(self, number: int) -> None:
        """Note that a file belongs to this run."""
        if number >= len(self._seen):
            self._seen.extend(bytes(number + 1 - len(self._seen) + (1 << 16)))
        self._seen[number] = 1

    def unseen(self) -> Iterator[Entry]:
        """The files that this run has not seen; they may be forgotten on the way."""
        last = -1
        query = f"SELECT {_COLUMNS} FROM placed WHERE id > ? ORDER BY id LIMIT {_SWEEP}"  # noqa: S608
        while True:
            with self._errors():
                entries = [_entry(row) for row in self._database.execute(query, (last,))]
            if not entries:
                return
            for entry in entries:
                if entry.number >= len(self._seen) or not self._seen[entry.number]:
                    yield entry
            last = entries[-1].number

    def commit(self) -> None:
        """Bring all changes to the disk."""
        with self._errors():
            self._database.commit()

    def close(self) -> None:
        """Close the list without what was not committed."""
        with contextlib.suppress(sqlite3.Error):
            self._database.close()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, isolation_level="DEFERRED")
        try:
            database.execute(f"PRAGMA cache_size = -{_CACHE}")
            database.executescript(_TABLES)
            database.execute(f"SELECT {_COLUMNS}, position FROM placed LIMIT 1").fetchone()  # noqa: S608
        except BaseException:
            database.close()
            raise
        return database

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> OutputError:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
        if code in _IN_USE:
            return OutputError(f"{show_path(self._path)}: another program has it open; close that, or wait")
        if code in _DISK:
            return OutputError(f"{show_path(self._path)}: the list of sorted files cannot be kept: {error}")
        self.close()
        self._put_aside()
        return OutputError(
            f"{show_path(self._path)}: the list of sorted files is damaged ({error}); it was put aside, so those of "
            "earlier runs are no longer removed"
        )

    def _put_aside(self) -> None:
        with output_errors(self._path):
            os.replace(self._path, f"{self._path}.damaged")
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{self._path}-journal")


def _entry(row: tuple[int, bytes, bytes, int, int]) -> Entry:
    """An entry of the list, which may hold anything: it must never lead out of the folder.

    Raises:
        ValueError: that is no entry of ours.
        TypeError: likewise.
    """
    number, name, path, size, mtime = row
    entry = Entry(number, os.fsdecode(name), os.fsdecode(path), int(size), int(mtime))
    folder, _, own = entry.name.partition("/")
    if folder not in FOLDERS or not own or "/" in own or "\0" in own or own in {".", ".."} or not 0 < number < _MAX_ID:
        raise ValueError("a name that is none of ours")
    return entry
