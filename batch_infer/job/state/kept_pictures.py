"""The pictures in the state of --incremental: those of rows that the report shows, so that it shows them again."""

import sqlite3
import zlib
from collections.abc import Collection
from typing import Final

from batch_infer.contract import IMAGE_SIZE
from batch_infer.inference.task import ChunkResult
from batch_infer.inputs.chunks import KeptPicture

PICTURES_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS pictures (
        known INTEGER NOT NULL, position INTEGER NOT NULL, original BLOB NOT NULL, seen BLOB NOT NULL,
        checksum INTEGER NOT NULL, PRIMARY KEY (known, position)
    );
"""


class KeptPictures:
    """Which pictures a state holds; each belongs to a row of its table `known`, and to an image's place in that.

    Every method may raise what SQLite raises; the state handles that.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        """Read which rows have pictures: few, however many rows there are."""
        self._known = {number for (number,) in database.execute("SELECT DISTINCT known FROM pictures")}
        self._places: dict[int, tuple[int, int]] = {}  # by the row's number in the predictions

    def lookup(
        self, database: sqlite3.Connection, ids: dict[int, int], size: int, first_row: int
    ) -> dict[int, KeptPicture]:
        """Look up the pictures of a chunk → by row of the chunk.

        Args:
            database: the state's.
            ids: row of the table `known` by position of the chunk's key.
            size: number of images that a key stands for.
            first_row: number of the chunk's first row in the predictions.
        """
        found = {}
        query = "SELECT position, original, seen, checksum FROM pictures WHERE known = ?"
        for number, known in ids.items():
            if known not in self._known:
                continue
            for position, original, seen, checksum in database.execute(query, (known,)):
                # A damaged file may return anything.
                typed = isinstance(position, int) and isinstance(original, bytes) and isinstance(seen, bytes)
                if not typed or checksum != _checksum(known, position, original, seen):
                    continue
                if 0 <= position < size and len(seen) == IMAGE_SIZE**2:
                    row = number * size + position
                    found[row] = (original or None, seen)
                    self._places[first_row + row] = (known, position)
        return found

    def store(self, database: sqlite3.Connection, result: ChunkResult, ids: dict[int, int], size: int) -> None:
        """Store the pictures of rows of which the probabilities have just been stored.

        Args:
            database: the state's.
            result: of the chunk.
            ids: new row of the table `known` by position of the chunk's key.
            size: number of images that a key stands for.
        """
        for known in ids.values():
            if known in self._known:  # of a file that is gone: SQLite gives its number again
                database.execute("DELETE FROM pictures WHERE known = ?", (known,))
                self._known.discard(known)
        for sample in result.samples:
            number, position = divmod(sample.row - result.first_row, size)
            if number in ids and sample.seen is not None:
                picture = (ids[number], position, sample.original or b"", sample.seen)
                database.execute(
                    "INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?)", (*picture, _checksum(*picture))
                )
                self._places[sample.row] = (ids[number], position)

    def prune(self, database: sqlite3.Connection, rows: Collection[int]) -> None:
        """Delete all but those of some rows, given by their numbers in the predictions."""
        wanted = {self._places[row] for row in rows if row in self._places}
        every = set(database.execute("SELECT known, position FROM pictures"))
        database.executemany("DELETE FROM pictures WHERE known = ? AND position = ?", every - wanted)


def _checksum(known: int, position: int, original: bytes, seen: bytes) -> int:
    return zlib.crc32(seen, zlib.crc32(original, zlib.crc32(f"{known} {position} {len(original)}".encode())))
