"""The state of --incremental: a cache of the probabilities that were computed for each file.

A SQLite file beside the output. The model's ten probabilities are reused, and pictures of the report; label and status
are computed afresh in every run. It is committed as the run proceeds, so that a killed run resumes where it stopped.
"""

import contextlib
import dataclasses
import json
import math
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import compress
from typing import Final

import numpy as np
import numpy.typing as npt

from batch_infer.contract import CLASSES, MILLION
from batch_infer.errors import OutputError
from batch_infer.inference.task import ChunkResult
from batch_infer.inputs.arrays.source import token_of
from batch_infer.inputs.chunks import ArrayChunk, Chunk, FileChunk, StateKey
from batch_infer.job.state.kept_pictures import PICTURES_TABLE, KeptPictures
from batch_infer.outputs.atomic import output_errors
from batch_infer.paths import show_path

UNKNOWN_ROW: Final = -1  # fills all ten columns of a row that is not known
_YOUNG: Final = 2_000_000_000  # ns; a younger file may change again within the resolution of its time stamp
_MAX_FLAGS: Final = 1 << 24  # ids that have a flag
_COMMIT_SECONDS: Final = 1.0
_FILE: Final = -1  # in place of the index if a row is an image file of one picture
_FORMAT: Final = 2  # of the state file
_KEYS_PER_QUERY: Final = 900  # old SQLite has 999 variables; one by one, 200,000 take most of a run's time
_TABLES: Final = """
    CREATE TABLE IF NOT EXISTS fingerprint (content TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS known (
        id INTEGER PRIMARY KEY, path BLOB NOT NULL, start INTEGER NOT NULL,
        token TEXT NOT NULL, ppm BLOB NOT NULL, checksum INTEGER NOT NULL, UNIQUE (path, start)
    );
"""

# These mean that the disk is full or failing, not that the file is damaged.
_DISK_ERRORS: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_DIR_FSYNC,
        sqlite3.SQLITE_IOERR_TRUNCATE,
    }
)
_IN_USE: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


class State:
    """What earlier runs stored, and what this one adds.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, path: str, fingerprint: dict[str, str], notify: Callable[[str], None]) -> None:
        """Open or create the state file.

        Args:
            path: path of the file.
            fingerprint: what the probabilities depend on besides the files; if it differs, the state is discarded.
            notify: called with one line if the state had to be discarded.
        """
        self._notify = notify
        self._path = path
        self._seen_far: set[int] = set()  # ids too large for a flag each: they grow by what changes every night
        self._seen = bytearray()  # one flag for each row's id: a set of a million numbers takes sixty times as much
        self._committed = time.monotonic()
        self._fingerprint = json.dumps({"format": _FORMAT, **fingerprint}, sort_keys=True)
        self._is_new = not os.path.exists(path)  # created by this run: damage is then the disk's
        found = None
        with self._healing():
            self._database = self._open()
            found = self._database.execute("SELECT content FROM fingerprint").fetchone()
        if self._is_new:
            if found is None:
                self._sign()
        elif found is None:
            self._rebuild("damaged")
        elif found != (self._fingerprint,):
            self._rebuild("of another model, version or --fit")

    def lookup(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Add to each chunk its keys, and the probabilities that are known of images whose files have not changed."""
        for chunk in chunks:
            keys = _file_keys(chunk) if isinstance(chunk, FileChunk) else [_array_key(chunk)]
            cached = np.full((len(chunk.labels), CLASSES), UNKNOWN_ROW, np.int32)
            by_key = cached.reshape(len(keys), -1, CLASSES)
            ids, values = self._look_up(keys, by_key.shape[1:])
            by_key[list(ids)] = values
            for number in ids:
                keys[number] = None  # already stored
            pictures = {}
            with self._healing():
                pictures = self._pictures.lookup(self._database, ids, by_key.shape[1], chunk.first_row)
            yield dataclasses.replace(chunk, cached_ppm=cached, keys=tuple(keys), kept_pictures=pictures)

    def store(self, result: ChunkResult) -> None:
        """Store the probabilities of a chunk that `lookup` yielded, except where a row has none."""
        if result.probabilities_ppm is None:
            return
        by_key = result.probabilities_ppm.reshape(len(result.keys), -1, CLASSES)
        ids: dict[int, int] = {}
        with self._healing():
            for number, (key, ppm) in enumerate(zip(result.keys, by_key, strict=True)):
                if key is None or (ppm == UNKNOWN_ROW).any():
                    continue
                row = (*key, ppm.tobytes())
                insert = "INSERT OR REPLACE INTO known (path, start, token, ppm, checksum) VALUES (?, ?, ?, ?, ?)"
                ids[number] = self._database.execute(insert, (*row, _checksum(row))).lastrowid or 0
                self._see(ids[number])
            self._pictures.store(self._database, result, ids, by_key.shape[1])
        if time.monotonic() - self._committed > _COMMIT_SECONDS:
            self._commit()

    def prune(self, shown: Collection[int]) -> None:
        """After the last chunk: delete what did not occur in any of them, and pictures that are not shown.

        Args:
            shown: numbers of the rows in the predictions that the report shows with pictures.
        """
        with self._healing():
            every = self._database.execute("SELECT id FROM known").fetchall()
            gone = [(number,) for (number,) in every if not self._is_seen(number)]
            self._database.executemany("DELETE FROM known WHERE id = ?", gone)
            self._pictures.prune(self._database, shown)
        self._commit()

    def close(self) -> None:
        """Commit what was stored."""
        self._commit()
        self._database.close()

    def _look_up(
        self, keys: list[StateKey | None], shape: tuple[int, ...]
    ) -> tuple[dict[int, int], npt.NDArray[np.int32]]:
        """Look up the keys of one chunk → ids of the `m` known ones by position, and their ppm `(m, *shape)` int32."""
        wanted = {key[:2]: (number, key[2]) for number, key in enumerate(keys) if key is not None}
        rows: list[tuple[int, bytes, int, str, bytes, int]] = []
        by_start: dict[int, list[bytes]] = {}  # in a chunk one only, unless it has pages
        for path, start in wanted:
            by_start.setdefault(start, []).append(path)
        for start, paths in by_start.items():
            for first in range(0, len(paths), _KEYS_PER_QUERY):
                batch = paths[first : first + _KEYS_PER_QUERY]
                marks = ",".join("?" * len(batch))
                query = f"SELECT id, path, start, token, ppm, checksum FROM known WHERE start = ? AND path IN ({marks})"  # noqa: S608
                with self._healing():
                    rows += self._database.execute(query, (start, *batch)).fetchall()
        size = 4 * math.prod(shape)
        # SQLite has no checksums: a damaged file may return anything, including another file's row.
        rows = [
            row
            for row in rows
            if wanted.get(row[1:3], (0, None))[1] == row[3]
            and isinstance(row[4], bytes)
            and len(row[4]) == size
            and row[5] == _checksum(row[1:5])
        ]
        values = np.frombuffer(b"".join(row[4] for row in rows), np.int32).reshape(len(rows), *shape)
        valid = ((values >= 0).all(axis=2) & (abs(values.sum(axis=2) - MILLION) <= CLASSES)).all(axis=1)
        for row in compress(rows, valid):
            self._see(row[0])
        return {wanted[row[1:3]][0]: row[0] for row in compress(rows, valid)}, values[valid]

    def _see(self, number: int) -> None:
        if number >= _MAX_FLAGS:
            self._seen_far.add(number)
            return
        if number >= len(self._seen):
            self._seen.extend(bytes(number + 1 - len(self._seen) + (1 << 16)))
        self._seen[number] = 1

    def _is_seen(self, number: int) -> bool:
        return number in self._seen_far or (number < len(self._seen) and self._seen[number] == 1)

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, isolation_level="DEFERRED")
        # preds.lock already keeps other runs out; this saves acquiring and releasing SQLite's own lock in every query.
        database.executescript(f"PRAGMA locking_mode = EXCLUSIVE; {_TABLES} {PICTURES_TABLE}")
        self._pictures = KeptPictures(database)
        return database

    def _rebuild(self, reason: str) -> None:
        self._notify(f"{show_path(self._path)}: the state is {reason}; everything is classified again")
        self._seen, self._seen_far = bytearray(), set()
        with contextlib.suppress(AttributeError, sqlite3.Error):  # it could not even be opened
            self._database.close()
        with output_errors(self._path):
            for ending in ("", "-journal", "-wal", "-shm"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._path + ending)
        self._is_new = True
        with self._healing():
            self._database = self._open()
        self._sign()

    def _sign(self) -> None:
        with self._healing():
            self._database.execute("INSERT INTO fingerprint VALUES (?)", (self._fingerprint,))
        self._commit()

    def _commit(self) -> None:
        with self._healing():
            self._database.commit()
        self._committed = time.monotonic()

    @contextlib.contextmanager
    def _healing(self) -> Iterator[None]:
        """Rebuild the file if it turns out to be damaged (it is only a cache), and fail if it cannot be written.

        A damaged file can make SQLite raise nearly anything; if this run created the file, the disk is to blame.

        Raises:
            OutputError: another program has the file open, or the disk is full or failing.
        """
        try:
            yield
        except (sqlite3.Error, ValueError, OverflowError, MemoryError) as error:
            code = getattr(error, "sqlite_errorcode", None) or 0
            if code & 0xFF in _IN_USE:
                raise OutputError(
                    f"{show_path(self._path)}: another program has it open; close that, or wait"
                ) from error
            if self._is_new or code in _DISK_ERRORS:
                raise OutputError(
                    f"{show_path(self._path)}: the state cannot be kept: {error}; what was there stays"
                ) from error
            foreign = os.path.exists(self._path) and not os.access(self._path, os.W_OK)
            self._rebuild("another user's, who alone may write it" if foreign else "damaged")


def _checksum(row: tuple[bytes, int, str, bytes]) -> int:
    """The checksum of path, start, token and probabilities of a row."""
    path, start, token, ppm = row
    return zlib.crc32(ppm, zlib.crc32(f"{start} {token} ".encode(), zlib.crc32(path)))


def _file_keys(chunk: FileChunk) -> list[StateKey | None]:
    keys: list[StateKey | None] = []
    for row, path in enumerate(chunk.paths):
        try:
            token = None if row in chunk.errors else _token(os.stat(path))
        except OSError:
            token = None  # the reader reports what is wrong
        start = _FILE if chunk.pages is None else int(chunk.pages[row])
        keys.append(None if token is None else (os.fsencode(os.path.abspath(path)), start, token))
    return keys


def _array_key(chunk: ArrayChunk) -> StateKey | None:
    try:
        status = os.stat(chunk.source.file)
    except OSError:
        return None  # the reader reports what is wrong
    # The results of the file that was read must not be stored for one that has replaced it.
    token = _token(status) if token_of(status) == chunk.source.token else None
    token = f"{token} transposed" if token is not None and chunk.turned else token
    return None if token is None else (os.fsencode(os.path.abspath(chunk.source.path)), chunk.start, token)


def _token(status: os.stat_result) -> str | None:
    """Identify the content of a file without reading it; None for a file so young that it may change unnoticed."""
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    if time.time_ns() - changed < _YOUNG:
        return None
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"
