"""Predictions → CSV, JSON Lines or Parquet: encoded chunk by chunk in the workers, assembled by the parent."""

import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, ClassVar, Final, Protocol

from batch_infer.contract import COLUMNS, PROBABILITY_COLUMNS
from batch_infer.errors import UsageError
from batch_infer.outputs.csv_encoder import encode_csv
from batch_infer.outputs.jsonl_encoder import encode_jsonl
from batch_infer.paths import show_path
from batch_infer.predictions import Predictions

_CHUNKS_PER_GROUP: Final = 64  # in a row group of Parquet

Finish = Callable[[IO[bytes], IO[bytes]], None]  # spool, destination


class Format(Protocol):
    """How predictions are written.

    The result of `encode` for each chunk is appended to a spool (a seekable binary file).

    Attributes:
        probabilities: whether the columns `prob_0 … prob_9` are there.
    """

    probabilities: bool

    def header(self) -> bytes:
        """The bytes before the first chunk."""

    def encode(self, rows: Predictions) -> bytes:
        """Encode one chunk."""

    @property
    def finish(self) -> Finish | None:
        """A function that makes the file from the spool; None if the spool already is the file."""


@dataclass
class Csv:
    """CSV: UTF-8, LF, always with a header, text cells quoted."""

    probabilities: bool
    finish: ClassVar[None] = None

    def header(self) -> bytes:
        """The header line."""
        return csv_header(COLUMNS + PROBABILITY_COLUMNS * self.probabilities)

    def encode(self, rows: Predictions) -> bytes:
        """The rows as lines."""
        return encode_csv(rows, probabilities=self.probabilities)


@dataclass
class GzipCsv(Csv):
    """CSV as a gzip file with one member per chunk (readers join the members)."""

    def header(self) -> bytes:
        """The header line, compressed."""
        return gzip.compress(super().header(), mtime=0)

    def encode(self, rows: Predictions) -> bytes:
        """The rows as lines, compressed; no time stamp, so that the same rows give the same bytes."""
        return gzip.compress(super().encode(rows), 6, mtime=0)


@dataclass
class JsonLines:
    """JSON Lines: UTF-8, LF, one object per row, no header."""

    probabilities: bool
    finish: ClassVar[None] = None

    def header(self) -> bytes:
        """Nothing: each row names its fields."""
        return b""

    def encode(self, rows: Predictions) -> bytes:
        """The rows as objects, one per line."""
        return encode_jsonl(rows, probabilities=self.probabilities)


@dataclass
class Parquet:
    """Parquet, with probabilities as float64; spooled as Arrow messages, as Parquet's index comes last."""

    probabilities: bool

    def header(self) -> bytes:
        """Nothing: the schema is known."""
        return b""

    def encode(self, rows: Predictions) -> bytes:
        """One Arrow IPC message."""
        from batch_infer.outputs.arrow import record_batch  # loads Arrow, which CSV does not need

        return record_batch(rows, probabilities=self.probabilities).serialize().to_pybytes()

    def finish(self, spool: IO[bytes], destination: IO[bytes]) -> None:
        """Read the messages back and write them as row groups."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from batch_infer.outputs.arrow import DECIMAL, schema, to_floats

        kinds = schema(self.probabilities)
        target = pa.schema([(field.name, pa.float64() if field.type == DECIMAL else field.type) for field in kinds])
        with pq.ParquetWriter(destination, target) as writer:
            for group in _groups(spool, kinds):
                writer.write_table(pa.Table.from_batches(map(to_floats, group), target))


FORMATS: dict[str, type[Csv] | type[GzipCsv] | type[JsonLines] | type[Parquet]] = {
    ".csv": Csv,
    ".csv.gz": GzipCsv,
    ".jsonl": JsonLines,
    ".parquet": Parquet,
}


def format_for(out: str, *, probabilities: bool) -> Format:
    """Choose the format by the suffix of `--out`.

    Raises:
        UsageError: unknown suffix.
    """
    for suffix, kind in FORMATS.items():
        if out.lower().endswith(suffix):
            return kind(probabilities)
    *others, last = FORMATS
    raise UsageError(f"--out {show_path(out)}: expected a name ending in {', '.join(others)} or {last}")


def stem(out: str) -> str:
    """`out` without the suffix of its format: the prefix of the reports' names."""
    return next((out[: -len(suffix)] for suffix in FORMATS if out.lower().endswith(suffix)), out)


def csv_header(columns: Sequence[str]) -> bytes:
    """The header line of a CSV file with these columns."""
    return ",".join(f'"{name}"' for name in columns).encode() + b"\n"


def arrow_to_csv(batch: Any) -> bytes:
    """Rows of an Arrow record batch as CSV lines, without a header."""
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    output = pa.BufferOutputStream()
    pa_csv.write_csv(batch, output, pa_csv.WriteOptions(include_header=False))
    return output.getvalue().to_pybytes()


def _groups(spool: IO[bytes], kinds: Any) -> Iterator[list[Any]]:
    """Read Arrow messages back, 64 chunks at a time, which become one row group."""
    import pyarrow as pa

    spool.seek(0)
    group: list[Any] = []
    while True:
        try:
            message = pa.ipc.read_message(spool)
        except EOFError:
            break
        group.append(pa.ipc.read_record_batch(message, kinds))
        if len(group) == _CHUNKS_PER_GROUP:
            yield group
            group = []
    if group:
        yield group
